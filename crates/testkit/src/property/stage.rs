//! A shard under test, with its program, its clock and its traffic.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use rackweave_engine::counters::Counters;
use rackweave_engine::mapping::MappingTable;
use rackweave_engine::program::{Limits, Program};
use rackweave_engine::{Direction, Explanation, Settings, Shard, ShardId};
use rackweave_types::Instant;

use super::{Fault, hold};
use crate::program::{Plan, Scope};
use crate::source::Source;

/// The keys of every port here.
pub(super) const SECRET: [u64; 2] = [7, 11];

/// A program and a clock.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) plan: Plan,
    pub(super) scope: Scope,
    pub(super) program: Arc<Program>,
    pub(super) now: Instant,
}

impl Stage {
    pub(super) fn draw(source: &mut Source<'_>, scope: Scope) -> Result<Self, Fault> {
        let plan = Plan::draw(source, scope);
        let program = compile(&plan)?;
        // Not the very beginning: ages reach back from here.
        let now = Instant::START.after(Duration::from_secs(100_000));
        Ok(Self {
            plan,
            scope,
            program,
            now,
        })
    }

    pub(super) fn shard(&self, limits: Limits) -> Result<Shard, Fault> {
        let settings = Settings {
            shard: ShardId::ONLY,
            secret: SECRET,
            limits,
        };
        Shard::new(settings, Arc::clone(&self.program)).map_err(|error| error.to_string())
    }

    pub(super) fn change(&mut self, source: &mut Source<'_>) -> Result<(), Fault> {
        let before = self.plan.clone();
        self.plan.change(source, self.scope, self.now);
        self.renew(&before)
    }

    /// As [`change`](Self::change), with all layers kept: what a connection passed in a layer that comes back later is
    /// remembered by a port that runs, and not by a frozen one.
    pub(super) fn change_a_little(&mut self, source: &mut Source<'_>) -> Result<(), Fault> {
        let before = self.plan.clone();
        self.plan.change_a_little(source, self.now);
        self.renew(&before)
    }

    /// Makes the program anew; where only holders moved, from the one of before.
    fn renew(&mut self, before: &Plan) -> Result<(), Fault> {
        let same_tables = self.plan.tables.len() == before.tables.len();
        if self.plan.spec != before.spec || !same_tables {
            self.program = compile(&self.plan)?;
            return Ok(());
        }
        for (index, entries) in (0..).zip(&self.plan.tables) {
            let table = Arc::new(MappingTable::new(entries.iter().copied()));
            let exchanged = self.program.with_table(index, table);
            self.program = Arc::new(exchanged.map_err(|error| error.to_string())?);
        }
        Ok(())
    }

    pub(super) fn wait(&mut self, duration: Duration) {
        self.now = self.now.after(duration);
    }
}

fn compile(plan: &Plan) -> Result<Arc<Program>, Fault> {
    let error = |error| format!("{error}: {plan:?}");
    plan.compile().map_err(error)
}

/// Limits that traffic reaches.
pub(super) fn tight(source: &mut Source<'_>) -> Limits {
    Limits {
        flows: source.pick(&[64, 1, 4, 16]),
        fragments: source.pick(&[16, 1, 2]),
        punts: source.pick(&[16, 1, 2]),
        replies_per_second: source.pick(&[1000, 1, 5]),
    }
}

/// Limits that traffic does not reach.
pub(super) const AMPLE: Limits = Limits {
    flows: 4096,
    fragments: 1024,
    punts: 65_536,
    replies_per_second: 1_000_000_000,
};

/// Every packet that came went one way, and was counted there.
pub(super) fn balanced(counters: &Counters) -> Result<(), Fault> {
    for (side, direction) in [Direction::Out, Direction::In].into_iter().enumerate() {
        let ends = [
            counters.forwarded[side],
            counters.hairpinned[side],
            counters.punted[side],
            counters.handed_over[side],
            counters.dropped_total(direction),
        ];
        hold(counters.received[side] == ends.iter().sum::<u64>(), || {
            format!(
                "{direction:?}: {} came, {ends:?} went",
                counters.received[side]
            )
        })?;
    }
    Ok(())
}

/// After a time in which everything runs out, nothing is left behind.
pub(super) fn ends(shard: &mut Shard, now: Instant) -> Result<(), Fault> {
    let late = now.after(Duration::from_hours(100));
    while shard.expire(late, u32::MAX) > 0 {}
    let left = (shard.flow_count(), shard.interned());
    hold(left == (0, (0, 0)), || {
        format!("{left:?} is left at the end")
    })
}

/// The beginning of a frame, for a person.
pub(super) fn octets(bytes: &[u8]) -> String {
    let shown = bytes.len().min(160);
    let text = bytes[..shown]
        .iter()
        .fold(String::new(), |mut text, octet| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{octet:02x}");
            text
        });
    format!("{text} ({} octets)", bytes.len())
}

/// What a person needs of an explanation.
pub(super) fn summary(explanation: &Explanation) -> String {
    let Explanation {
        parsed,
        verdict,
        frame,
        flow,
        established,
        trace,
    } = explanation;
    let layers: Vec<String> = trace
        .layers
        .iter()
        .map(|layer| {
            let (name, rule, after) = (&layer.layer, layer.rule, layer.after);
            format!(
                "{name} {rule:?} stateful {}: {:?} {after:?}",
                layer.stateful, layer.actions
            )
        })
        .collect();
    format!(
        "{verdict:?} established {established}\nframe {}\nparsed {parsed:?}\nflow {flow:?}\n{}\n",
        octets(frame.bytes()),
        layers.join("\n"),
    )
}
