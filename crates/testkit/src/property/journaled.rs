//! Journals are read as far as they are whole.

use rackweave_engine::journal::Recovery;
use rackweave_engine::{Port, Shard};

use super::frozen::{MANNER, mutate, play, run};
use super::stage::{AMPLE, SECRET, Stage};
use super::{Fault, hold};
use crate::program::Scope;
use crate::source::Source;
use crate::traffic::Traffic;

/// Any bytes give a port that runs; so do the journals of a port of any program, damaged or not. Of journals that
/// were not damaged every connection comes back.
///
/// # Errors
/// What does not hold.
pub fn recover(bytes: &[u8]) -> Result<(), Fault> {
    let mut source = Source::new(bytes);
    let stage = Stage::draw(&mut source, Scope::ALL)?;
    let alone = recovered(1, &stage, &[bytes.to_vec()])?;
    run(alone.0, &mut source, &stage)?;
    let count = source.pick(&[1, 2]);
    let port = Port::new(count, SECRET, AMPLE, &stage.program);
    let mut port = port.map_err(|error| error.to_string())?;
    let mut journals = begin(&mut port, &stage)?;
    let mut traffic = Traffic::new(MANNER);
    for _ in 0..8 {
        play(&mut port, &mut traffic, &mut source, &stage, 5);
        for (shard, memory) in port.shards_mut().iter_mut().zip(&mut journals) {
            let written = shard.journal(memory, stage.now);
            written.map_err(|error| error.to_string())?;
        }
    }
    let (whole, recovery) = recovered(source.pick(&[1, 4]), &stage, &journals)?;
    let (found, known) = (recovery.connections, port.flow_count());
    hold(recovery.is_clean() && found == known, || {
        format!("{known} connections were journaled: {recovery:?}")
    })?;
    run(whole, &mut source, &stage)?;
    for journal in &mut journals {
        for _ in 0..source.below(6) {
            mutate(journal, &mut source);
        }
    }
    let (damaged, recovery) = recovered(source.pick(&[1, 4]), &stage, &journals)?;
    hold(recovery.connections <= known, || {
        format!("{known} connections were journaled, and damaged: {recovery:?}")
    })?;
    run(damaged, &mut source, &stage)
}

fn begin(port: &mut Port, stage: &Stage) -> Result<Vec<Vec<u8>>, Fault> {
    let begin = |shard: &mut Shard| {
        let mut memory = vec![0; shard.journal_len()];
        let begun = shard.begin_journal(&mut memory, stage.now);
        begun.map(|()| memory).map_err(|error| error.to_string())
    };
    port.shards_mut().iter_mut().map(begin).collect()
}

fn recovered(shards: u16, stage: &Stage, journals: &[Vec<u8>]) -> Result<(Port, Recovery), Fault> {
    let journals: Vec<&[u8]> = journals.iter().map(Vec::as_slice).collect();
    Port::recover(shards, SECRET, AMPLE, &stage.program, &journals, stage.now)
        .map_err(|error| error.to_string())
}
