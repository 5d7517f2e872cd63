//! Frozen bytes are read, or it is told why not.

use rackweave_engine::Port;

use super::stage::{AMPLE, SECRET, Stage, balanced, ends};
use super::{Fault, shards};
use crate::program::Scope;
use crate::source::Source;
use crate::traffic::{Event, Manner, Traffic};

/// Octets of the digest at the end.
const DIGEST: usize = 32;

/// Any bytes give a port that runs, or a typed error; so do the bytes of a frozen port that were changed and signed
/// again.
///
/// # Errors
/// What does not hold.
pub fn thaw(bytes: &[u8]) -> Result<(), Fault> {
    let mut source = Source::new(bytes);
    let stage = Stage::draw(&mut source, Scope::ALL)?;
    let alone = Port::thaw(1, SECRET, AMPLE, &stage.program, &[bytes], stage.now);
    if let Ok(port) = alone {
        run(port, &mut source, &stage)?;
    }
    let count = source.pick(&[1, 2]);
    let port = Port::new(count, SECRET, AMPLE, &stage.program);
    let mut port = port.map_err(|error| error.to_string())?;
    let mut traffic = Traffic::new(MANNER);
    play(&mut port, &mut traffic, &mut source, &stage, 40);
    let mut parts = port.freeze(stage.now);
    for part in &mut parts {
        part.truncate(part.len().saturating_sub(DIGEST));
        for _ in 0..source.below(6) {
            mutate(part, &mut source);
        }
        let digest = blake3::hash(part);
        part.extend(digest.as_bytes());
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let wanted = source.pick(&[1, 4]);
    match Port::thaw(wanted, SECRET, AMPLE, &stage.program, &parts, stage.now) {
        Ok(port) => run(port, &mut source, &stage),
        Err(error) if error.to_string().is_empty() => Err("an error without a word".to_owned()),
        Err(_) => Ok(()),
    }
}

/// Ports that are frozen and thawed now and then, into more or fewer shards, go on as one does that never was.
///
/// # Errors
/// What does not hold.
pub fn goes_on(bytes: &[u8]) -> Result<(), Fault> {
    shards::compare(bytes, true)
}

pub(super) const MANNER: Manner = Manner {
    hostile: false,
    clear_times: true,
};

/// Changes some octets.
pub(super) fn mutate(part: &mut Vec<u8>, source: &mut Source<'_>) {
    let at = usize::from(source.word()) % part.len().max(1);
    match source.below(4) {
        0 => part.truncate(at),
        1 => part.insert(at.min(part.len()), source.octet()),
        _ => {
            if let Some(octet) = part.get_mut(at) {
                *octet = source.octet();
            }
        }
    }
}

/// Sends at most so many packets.
pub(super) fn play(
    port: &mut Port,
    traffic: &mut Traffic,
    source: &mut Source<'_>,
    stage: &Stage,
    packets: usize,
) {
    for _ in 0..packets {
        if let Event::Packet(direction, mut frame) = traffic.next(source) {
            let verdict = port.process(direction, &mut frame, stage.now);
            traffic.passed(direction, verdict, &frame);
        }
    }
}

/// Whatever was thawed, the port goes on and comes to an end.
pub(super) fn run(mut port: Port, source: &mut Source<'_>, stage: &Stage) -> Result<(), Fault> {
    let before = port.counters();
    let mut traffic = Traffic::new(MANNER);
    play(&mut port, &mut traffic, source, stage, 20);
    if balanced(&before).is_ok() {
        balanced(&port.counters())?;
    }
    for shard in port.shards_mut() {
        ends(shard, stage.now)?;
    }
    Ok(())
}
