//! The engine does what a slow and plain one does.

use std::net::Ipv6Addr;
use std::sync::Arc;

use rackweave_engine::{Direction, DropReason, Frame, Verdict};

use super::stage::{AMPLE, Stage, octets, summary};
use super::{Fault, hold};
use crate::program::Scope;
use crate::reference::{Choice, Outcome, Reference};
use crate::source::Source;
use crate::traffic::{Event, Manner, Traffic, inner_at};

/// For any program and traffic, packets fare in the engine as in the [`Reference`], and leave it with the very bytes.
///
/// # Errors
/// What does not hold.
pub fn modelled(bytes: &[u8]) -> Result<(), Fault> {
    let mut source = Source::new(bytes);
    let scope = Scope {
        scarce: false,
        ..Scope::ALL
    };
    let mut stage = Stage::draw(&mut source, scope)?;
    let mut shard = stage.shard(AMPLE)?;
    let mut reference = Reference::new(stage.plan.clone());
    let mut traffic = Traffic::new(Manner {
        hostile: false,
        clear_times: true,
    });
    while !source.is_empty() {
        match traffic.next(&mut source) {
            Event::Packet(direction, came) => {
                let explained = shard.explain(direction, &came, stage.now);
                let (mut left, cut) = (came.clone(), shard.counters().flows_cut);
                let verdict = shard.process(direction, &mut left, stage.now);
                let choice = choice(direction, verdict, &left, shard.counters().flows_cut > cut);
                let expected = reference.process(direction, &came, stage.now, choice);
                hold(same(verdict, &left, &expected), || {
                    let expected = match &expected {
                        Outcome::Leaves(frame) => {
                            format!("{:?} {}", frame.offload, octets(frame.bytes()))
                        }
                        other => format!("{other:?}"),
                    };
                    let [came, got] = [&came, &left].map(|frame| octets(frame.bytes()));
                    let offload = left.offload;
                    let why = summary(&explained);
                    format!("{came}\nfound {offload:?} {got}\nmodel {expected}\n{why}")
                })?;
                traffic.passed(direction, verdict, &left);
            }
            Event::Wait(duration) => {
                stage.wait(duration);
                reference.wait(duration);
                while shard.pop_punt().is_some() {}
            }
            Event::Change(existing) => {
                stage.change(&mut source)?;
                shard.install(Arc::clone(&stage.program), existing);
                reference.install(stage.plan.clone(), existing);
            }
        }
    }
    Ok(())
}

/// What the engine chose, as the frame tells that left.
fn choice(direction: Direction, verdict: Verdict, left: &Frame, cut: bool) -> Choice {
    let mut choice = Choice {
        cut,
        ..Choice::default()
    };
    if (verdict, direction) != (Verdict::Forward, Direction::Out) {
        return choice;
    }
    let bytes = left.bytes();
    let underlay = bytes.get(38..).and_then(|rest| rest.first_chunk::<16>());
    choice.underlay = underlay.map(|octets| Ipv6Addr::from(*octets));
    choice.port = port(&bytes[inner_at(direction, bytes)..]);
    choice
}

/// The source port or identifier of a frame; a later fragment does not tell.
fn port(frame: &[u8]) -> Option<u16> {
    let tag = if frame.get(12..14)? == [0x81, 0x00] {
        4
    } else {
        0
    };
    let packet = frame.get(14 + tag..)?;
    let (mut l4, mut protocol) = match packet.first()? >> 4 {
        4 if packet.get(6)? & 0x1f | packet.get(7)? != 0 => return None,
        4 => (4 * usize::from(packet[0] & 0xf), *packet.get(9)?),
        _ => (40, *packet.get(6)?),
    };
    while matches!(protocol, 0 | 44 | 60) && l4 >= 40 {
        if protocol == 44 && packet.get(l4 + 2..l4 + 4)? > &[0, 7] {
            return None;
        }
        protocol = *packet.get(l4)?;
        l4 += 8;
    }
    let at = if matches!(protocol, 1 | 58) {
        l4 + 4
    } else {
        l4
    };
    Some(u16::from_be_bytes(*packet.get(at..)?.first_chunk()?))
}

fn same(verdict: Verdict, left: &Frame, expected: &Outcome) -> bool {
    use DropReason::{NoAnswer, ReplyMetered};
    match expected {
        Outcome::Leaves(frame) => {
            let same = (frame.bytes(), frame.offload) == (left.bytes(), left.offload);
            verdict == Verdict::Forward && same
        }
        Outcome::Answered => {
            matches!(
                verdict,
                Verdict::Hairpin | Verdict::Drop(NoAnswer | ReplyMetered)
            )
        }
        Outcome::Punted => verdict == Verdict::Punt,
        Outcome::Dropped(reason) => {
            verdict == Verdict::Drop(*reason) || verdict == Verdict::Refuse(*reason)
        }
        Outcome::Malformed => matches!(verdict, Verdict::Drop(_)),
    }
}
