//! Conversations of a port that are interrupted: what freezing and journals are held against.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rackweave_engine::program::Limits;
use rackweave_engine::{Direction, FlowInfo, Frame, Port, Program, Verdict};
use rackweave_testkit::packet::flag;
use rackweave_testkit::talk::{Say, Talks};
use rackweave_testkit::vpc::{SECRET, Scene};
use rackweave_types::Instant;

pub(crate) type Fault = Box<dyn Error>;

/// A frame of a conversation, some time after the one before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) gap: Duration,
    pub(crate) say: Say,
}

/// Segments of every kind, mostly plain ones; datagrams, fragments of them and errors about them.
fn step() -> impl Strategy<Value = Step> {
    let flags = prop_oneof![
        8 => Just(flag::ACK),
        3 => Just(flag::SYN),
        3 => Just(flag::SYN | flag::ACK),
        1 => Just(flag::FIN | flag::ACK),
        1 => Just(flag::RST),
    ];
    let part = prop_oneof![8 => Just(0), 1 => Just(1), 1 => Just(2)];
    let gap = prop_oneof![12 => Just(5), 2 => Just(6_300), 1 => Just(400_000)];
    (
        0..12_u8,
        any::<bool>(),
        flags,
        0..64_u8,
        part,
        prop::bool::weighted(0.05),
        gap,
    )
        .prop_map(|(talk, answer, flags, len, part, error, gap)| Step {
            gap: Duration::from_millis(gap),
            say: Say {
                talk,
                answer,
                flags,
                len,
                part,
                error,
            },
        })
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..80)
}

/// A guest's port, or a floating one, and its conversations.
pub(crate) struct Bench {
    pub(crate) limits: Limits,
    pub(crate) program: Arc<Program>,
    pub(crate) talks: Talks,
}

impl Bench {
    pub(crate) fn new(floating: bool) -> Result<Self, Fault> {
        let scene = Scene::new()?;
        let port = if floating { &scene.web } else { &scene.test };
        let limits = Limits {
            flows: 1_024,
            ..scene.program(port)?.limits
        };
        Ok(Self {
            limits,
            program: scene.compile(port)?,
            talks: Talks::new(&scene, port)?,
        })
    }

    pub(crate) fn port(&self, shards: u16) -> Result<Port, Fault> {
        Ok(Port::new(shards, SECRET, self.limits, &self.program)?)
    }
}

pub(crate) fn process(
    port: &mut Port,
    direction: Direction,
    bytes: &[u8],
    now: Instant,
) -> (Verdict, Vec<u8>) {
    let mut frame = Frame::new(bytes);
    let verdict = port.process(direction, &mut frame, now);
    (verdict, frame.bytes().to_vec())
}

pub(crate) fn expire(port: &mut Port, now: Instant) {
    for shard in port.shards_mut() {
        shard.expire(now, 64);
    }
}

/// Runs the steps on a port, and something after each; what came out.
pub(crate) fn run_and(
    bench: &mut Bench,
    port: &mut Port,
    now: &mut Instant,
    steps: &[Step],
    mut after: impl FnMut(&mut Port, Instant),
) -> Vec<(Verdict, Vec<u8>)> {
    let mut out = Vec::new();
    for step in steps {
        *now = now.after(step.gap);
        expire(port, *now);
        let Some((direction, bytes)) = bench.talks.frame(step.say) else {
            continue;
        };
        let (verdict, bytes) = process(port, direction, &bytes, *now);
        if (verdict, direction) == (Verdict::Forward, Direction::Out) {
            bench.talks.learn(step.say, &bytes);
        }
        after(port, *now);
        out.push((verdict, bytes));
    }
    out
}

/// Everything a port tells of its connections, with times as ages.
pub(crate) fn flows(port: &Port, now: Instant) -> BTreeMap<String, String> {
    let infos = port
        .shards()
        .iter()
        .flat_map(|shard| shard.flows(0, u32::MAX).0);
    infos
        .map(|info| {
            let ages = (now.since(info.start), now.since(info.last_use));
            let rest = FlowInfo {
                start: Instant::START,
                last_use: Instant::START,
                ..info
            };
            (format!("{:?}", info.guest), format!("{ages:?} {rest:?}"))
        })
        .collect()
}
