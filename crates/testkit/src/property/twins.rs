//! Two shards that differ only in how they are asked say and do the same.

use std::sync::Arc;

use rackweave_engine::{Direction, Existing, Frame, Shard, Verdict};

use super::stage::{AMPLE, Stage, balanced, ends, octets, summary, tight};
use super::{Fault, hold};
use crate::program::Scope;
use crate::source::Source;
use crate::traffic::{Event, Manner, Traffic};

const MANNER: Manner = Manner {
    hostile: false,
    clear_times: false,
};

/// The compiled record of a connection does to each packet what the layers would: a shard whose program is installed
/// anew before every packet, so that the layers judge all of them, leaves the same bytes.
///
/// # Errors
/// What does not hold.
pub fn established(bytes: &[u8]) -> Result<(), Fault> {
    let mut source = Source::new(bytes);
    let scope = Scope {
        forgotten: false,
        ..Scope::ALL
    };
    let mut stage = Stage::draw(&mut source, scope)?;
    let limits = if source.one_in(2) {
        tight(&mut source)
    } else {
        AMPLE
    };
    let (mut fast, mut slow) = (stage.shard(limits)?, stage.shard(limits)?);
    let mut traffic = Traffic::new(MANNER);
    while !source.is_empty() {
        match traffic.next(&mut source) {
            Event::Packet(direction, frame) => {
                slow.install(Arc::clone(&stage.program), Existing::Keep);
                let (mut one, mut other) = (frame.clone(), frame.clone());
                let explained = fast.explain(direction, &frame, stage.now);
                let verdict = fast.process(direction, &mut one, stage.now);
                let judged = slow.explain(direction, &frame, stage.now);
                let same = slow.process(direction, &mut other, stage.now);
                hold((verdict, &one) == (same, &other), || {
                    let [fast, slow] = [&explained, &judged].map(summary);
                    format!("{}\nfast {fast}\nslow {slow}", octets(frame.bytes()))
                })?;
                hold(explained.flow == judged.flow, || {
                    let [fast, slow] = [&explained, &judged].map(summary);
                    format!("connections differ: {fast}\n{slow}")
                })?;
                traffic.passed(direction, verdict, &one);
            }
            Event::Wait(duration) => {
                stage.wait(duration);
                for shard in [&mut fast, &mut slow] {
                    shard.expire(stage.now, 16);
                    while shard.pop_punt().is_some() {}
                }
            }
            Event::Change(existing) => {
                stage.change(&mut source)?;
                for shard in [&mut fast, &mut slow] {
                    shard.install(Arc::clone(&stage.program), existing);
                }
            }
        }
    }
    for mut shard in [fast, slow] {
        balanced(shard.counters())?;
        ends(&mut shard, stage.now)?;
    }
    Ok(())
}

/// A batch of packets fares as its packets would one by one.
///
/// # Errors
/// What does not hold.
pub fn batches(bytes: &[u8]) -> Result<(), Fault> {
    let mut source = Source::new(bytes);
    let mut stage = Stage::draw(&mut source, Scope::ALL)?;
    let limits = tight(&mut source);
    let (mut single, mut batched) = (stage.shard(limits)?, stage.shard(limits)?);
    let mut traffic = Traffic::new(Manner {
        hostile: true,
        ..MANNER
    });
    let mut batch = Batch::default();
    while !source.is_empty() {
        match traffic.next(&mut source) {
            Event::Packet(direction, mut frame) => {
                if batch.direction != Some(direction) || batch.frames.len() == 70 {
                    batch.send(&mut batched, &stage)?;
                    batch.direction = Some(direction);
                }
                batch.frames.push(frame.clone());
                let verdict = single.process(direction, &mut frame, stage.now);
                traffic.passed(direction, verdict, &frame);
                batch.expected.push((verdict, frame));
            }
            Event::Wait(duration) => {
                batch.send(&mut batched, &stage)?;
                stage.wait(duration);
            }
            Event::Change(existing) => {
                batch.send(&mut batched, &stage)?;
                stage.change(&mut source)?;
                for shard in [&mut single, &mut batched] {
                    shard.install(Arc::clone(&stage.program), existing);
                }
            }
        }
    }
    batch.send(&mut batched, &stage)?;
    hold(single.counters() == batched.counters(), || {
        "the counters differ".to_owned()
    })?;
    hold(
        single.freeze(stage.now) == batched.freeze(stage.now),
        || "the states differ".to_owned(),
    )
}

/// Packets of one direction, and how they fared one by one.
#[derive(Default)]
struct Batch {
    direction: Option<Direction>,
    frames: Vec<Frame>,
    expected: Vec<(Verdict, Frame)>,
}

impl Batch {
    fn send(&mut self, shard: &mut Shard, stage: &Stage) -> Result<(), Fault> {
        let Some(direction) = self.direction else {
            return Ok(());
        };
        let mut verdicts = vec![Verdict::Punt; self.frames.len()];
        shard.process_batch(direction, &mut self.frames, stage.now, &mut verdicts);
        let found: Vec<_> = verdicts.into_iter().zip(self.frames.drain(..)).collect();
        hold(found == self.expected, || {
            format!("{:?} one by one, {found:?} in a batch", self.expected)
        })?;
        self.expected.clear();
        Ok(())
    }
}
