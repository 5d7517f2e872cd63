//! Explanations are true, counts add up, limits hold, and nothing is left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rackweave_engine::frame::Checksum;
use rackweave_engine::program::{Limits, RuleId};
use rackweave_engine::{Direction, Explanation, Frame, Shard, Verdict};
use rackweave_types::Instant;

use super::stage::{Stage, balanced, ends, octets, summary, tight};
use super::{Fault, hold};
use crate::program::Scope;
use crate::source::Source;
use crate::traffic::{Event, Manner, Traffic, finished};
use crate::verify::verify;

/// For any program, state and packet, [`Shard::explain`] names the very verdict, rules and bytes that
/// [`Shard::process`] then produces, and changes nothing. Every packet is counted where it went, no limit is
/// exceeded, frames that come valid leave valid, and once all connections have run out nothing is kept for them.
///
/// # Errors
/// What does not hold.
pub fn explained(bytes: &[u8]) -> Result<(), Fault> {
    let mut source = Source::new(bytes);
    let mut stage = Stage::draw(&mut source, Scope::ALL)?;
    let limits = tight(&mut source);
    let mut shard = stage.shard(limits)?;
    let mut traffic = Traffic::new(MANNER);
    while !source.is_empty() {
        match traffic.next(&mut source) {
            Event::Packet(direction, frame) => {
                let (verdict, frame) = send(&mut shard, direction, frame, stage.now)?;
                traffic.passed(direction, verdict, &frame);
                within(&shard, limits)?;
            }
            Event::Wait(duration) => {
                stage.wait(duration);
                if source.one_in(2) {
                    shard.expire(stage.now, 16);
                }
                while shard.pop_punt().is_some() {}
            }
            Event::Change(existing) => {
                stage.change(&mut source)?;
                shard.install(Arc::clone(&stage.program), existing);
            }
        }
    }
    balanced(shard.counters())?;
    ends(&mut shard, stage.now)
}

/// How the packets of a case fare, by name: the ends of ways, the reasons of drops, the ends of connections.
///
/// # Errors
/// Where the case cannot be made.
pub fn reached(bytes: &[u8]) -> Result<BTreeSet<&'static str>, Fault> {
    let mut source = Source::new(bytes);
    let mut stage = Stage::draw(&mut source, Scope::ALL)?;
    let mut shard = stage.shard(tight(&mut source))?;
    let mut traffic = Traffic::new(MANNER);
    let mut names = BTreeSet::new();
    while !source.is_empty() {
        match traffic.next(&mut source) {
            Event::Packet(direction, mut frame) => {
                let explained = shard.explain(direction, &frame, stage.now);
                let verdict = shard.process(direction, &mut frame, stage.now);
                traffic.passed(direction, verdict, &frame);
                names.extend(explained.established.then_some("established"));
                names.insert(name(verdict, direction));
            }
            Event::Wait(duration) => stage.wait(duration),
            Event::Change(existing) => {
                stage.change(&mut source)?;
                shard.install(Arc::clone(&stage.program), existing);
            }
        }
    }
    let counters = shard.counters();
    let flows = [
        (counters.flows_expired, "expired"),
        (counters.flows_evicted, "evicted"),
        (counters.flows_cut, "cut"),
        (counters.from_previous_host, "moved"),
    ];
    let happened = flows.iter().filter(|(count, _)| *count > 0);
    names.extend(happened.map(|(_, name)| *name));
    Ok(names)
}

const fn name(verdict: Verdict, direction: Direction) -> &'static str {
    match (verdict, direction) {
        (Verdict::Forward, Direction::Out) => "forwarded out",
        (Verdict::Forward, Direction::In) => "forwarded in",
        (Verdict::Hairpin, _) => "answered",
        (Verdict::Punt, _) => "punted",
        (Verdict::Refuse(_), _) => "refused",
        (Verdict::Drop(reason), _) => reason.name(),
        (Verdict::HandOver(_), _) => "handed over",
    }
}

const MANNER: Manner = Manner {
    hostile: true,
    clear_times: false,
};

fn within(shard: &Shard, limits: Limits) -> Result<(), Fault> {
    let (flows, punts) = (shard.flow_count(), shard.punts_waiting());
    let punts_fit = u32::try_from(punts).is_ok_and(|punts| punts <= limits.punts);
    hold(flows <= limits.flows && punts_fit, || {
        format!("{flows} flows, {punts} punts; {limits:?}")
    })
}

/// Sends a frame, and holds the explanation against what happens.
fn send(
    shard: &mut Shard,
    direction: Direction,
    mut frame: Frame,
    now: Instant,
) -> Result<(Verdict, Frame), Fault> {
    let valid = verify(&finished(&frame)).is_ok();
    let (before, hits) = (shard.freeze(now), hits_of(shard));
    let explained = shard.explain(direction, &frame, now);
    hold(shard.freeze(now) == before, || {
        format!("explaining changed the state: {}", summary(&explained))
    })?;
    let came = frame.clone();
    let verdict = shard.process(direction, &mut frame, now);
    hold(
        (explained.verdict, &explained.frame) == (verdict, &frame),
        || {
            let (came, left) = (octets(came.bytes()), octets(frame.bytes()));
            format!(
                "{came}\nbecame {left}, {verdict:?}\nexplained: {}",
                summary(&explained)
            )
        },
    )?;
    let mut expected = hits;
    for rule in rules_of(direction, &explained) {
        *expected.entry(rule).or_default() += 1;
    }
    hold(hits_of(shard) == expected, || {
        format!("other rules were met: {}", summary(&explained))
    })?;
    // A refusal quotes the packet as it came, with a checksum that nobody finished.
    let quotes = came.offload.checksum != Checksum::Complete;
    let valid = match verdict {
        Verdict::Forward => valid,
        Verdict::Hairpin | Verdict::Refuse(_) => valid && !quotes,
        _ => false,
    };
    if valid {
        let error = |error| {
            let (came, left) = (octets(came.bytes()), octets(frame.bytes()));
            format!(
                "{error}: {came}\nbecame {left}, {verdict:?}\n{}",
                summary(&explained)
            )
        };
        verify(&finished(&frame)).map_err(error)?;
    }
    Ok((verdict, frame))
}

/// A rule by layer, whether it is for inbound packets, and number.
type Place = (String, bool, Option<RuleId>);

fn hits_of(shard: &Shard) -> BTreeMap<Place, u64> {
    let place = |hits: rackweave_engine::RuleHits| {
        let inbound = hits.direction == Direction::In;
        ((hits.layer, inbound, hits.rule), hits.hits)
    };
    shard.rule_hits().into_iter().map(place).collect()
}

/// The rules that the explanation says the packet meets: none where its connection's record serves it.
fn rules_of(direction: Direction, explained: &Explanation) -> Vec<Place> {
    if explained.established {
        return Vec::new();
    }
    let asked = explained
        .trace
        .layers
        .iter()
        .filter(|layer| !layer.stateful);
    let place = |layer: &rackweave_engine::LayerTrace| {
        (layer.layer.clone(), direction == Direction::In, layer.rule)
    };
    asked.map(place).collect()
}
