//! Measuring, with the tables that neighbouring figures share.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail};
use rackweave_bench::established::Established;
use rackweave_bench::instructions::{self, Workload};
use rackweave_bench::lookup::{Lookups, Set};
use rackweave_bench::network;
use rackweave_bench::opening::{Crowding, Opening, ROOM};
use rackweave_bench::rounds::Rounds;
use rackweave_bench::segments::Segments;
use rackweave_bench::traffic::Kind;
use rackweave_bench::workers::Workers;
use rackweave_engine::addr::Addr;
use rackweave_engine::transform::OuterTemplate;
use rackweave_testkit::attack::Outcome;

use super::row::Row;
use super::{Figure, What, attack};

/// Seconds that the slowest figure may take with `--quick`: with less time left none is begun.
const RESERVE: f64 = 3.0;
/// Packets over which a figure about established flows is measured, and with `--quick`.
const PACKETS: [u32; 2] = [4_000_000, 1_000_000];
/// New flows in a round, and rounds; with `--quick`.
const NEW: [(u32, u32); 2] = [(131_072, 10), (65_536, 4)];
/// Rounds of lookups, and with `--quick`.
const LOOKUP_ROUNDS: [u32; 2] = [60, 15];
/// How often one worker and two are compared, and with `--quick`.
const WORKER_ROUNDS: [u32; 2] = [200, 50];
/// Tables that take longer to fill than `--quick` has.
const LARGE: u32 = 1_000_000;

/// Measures figures one after the other.
#[derive(Debug)]
pub(crate) struct Measurer {
    quick: bool,
    table: Option<(Kind, u32, Established)>,
    lookups: BTreeMap<u32, f64>,
    counted: Option<Result<Vec<(Workload, f64)>, String>>,
    attack: Option<Outcome>,
}

impl Measurer {
    pub(crate) fn new(quick: bool) -> Self {
        Self {
            quick,
            table: None,
            lookups: BTreeMap::new(),
            counted: None,
            attack: None,
        }
    }

    /// Measures a figure, where the `left` seconds are enough.
    pub(crate) fn measure(&mut self, figure: &Figure, left: Option<f64>) -> Row {
        let measured = match left {
            Some(left) if left < RESERVE => Err(anyhow!("no time left for it")),
            _ => self.value(figure.what),
        };
        let peer = figure.peer();
        let value = measured.as_ref().ok().copied();
        Row {
            figure: figure.name.clone(),
            value,
            unit: figure.unit,
            ratio: value
                .zip(peer.as_ref())
                .map(|(value, peer)| value / peer.peer_value),
            peer,
            scale: self.scale(figure.what).filter(|_| value.is_some()),
            why: measured.err().map(|error| format!("{error:#}")),
        }
    }

    /// The full or the quick of two.
    fn choose<T: Copy>(&self, of: [T; 2]) -> T {
        of[usize::from(self.quick)]
    }

    /// How a measurement is made shorter.
    fn scale(&self, what: What) -> Option<String> {
        let scale = match what {
            What::Hit { .. } => format!("{} of {} packets", PACKETS[1], PACKETS[0]),
            What::New { .. } | What::NewFull { .. } => {
                format!(
                    "{} rounds of {} flows, not {} of {}",
                    NEW[1].1, NEW[1].0, NEW[0].1, NEW[0].0
                )
            }
            What::Lookup { .. } | What::RulesRatio | What::Segments(_) => {
                format!("{} of {} rounds", LOOKUP_ROUNDS[1], LOOKUP_ROUNDS[0])
            }
            What::Shards => format!("{} of {} comparisons", WORKER_ROUNDS[1], WORKER_ROUNDS[0]),
            What::Attack(_) => attack::scale(),
            What::FlowBytes | What::SharedBytes | What::Instructions(_) => return None,
        };
        self.quick.then_some(scale)
    }

    fn value(&mut self, what: What) -> Result<f64> {
        match what {
            What::Hit { flows, .. } if self.quick && flows > LARGE => {
                bail!("filling the table takes longer than --quick has")
            }
            What::Hit {
                kind,
                direction,
                flows,
                how,
            } => {
                let packets = self.choose(PACKETS);
                let table = self.table(kind, flows)?;
                let rounds = packets.div_ceil(table.round()).max(2);
                table.hits(direction, how).nanos(rounds)
            }
            What::New { kind, direction } => {
                let (flows, rounds) = self.choose(NEW);
                Opening::new(kind, direction, flows, ROOM)?.nanos(rounds)
            }
            What::NewFull { kind } => {
                let (flows, rounds) = self.choose(NEW);
                self.table = None;
                Crowding::new(kind, flows)?.nanos(rounds)
            }
            What::Lookup { set, size } => self.lookup(set, size),
            What::RulesRatio => Ok(self.lookup(Set::Rules, 10_000)? / self.lookup(Set::Rules, 10)?),
            What::Segments(work) => {
                let rounds = self.choose(LOOKUP_ROUNDS);
                Segments::new(work)?.nanos(rounds)
            }
            What::FlowBytes => {
                let bytes = network::shard(ROOM)?.bytes_per_flow();
                Ok(f64::from(u32::try_from(bytes)?))
            }
            What::SharedBytes => Ok(f64::from(u32::try_from(
                size_of::<OuterTemplate>() + size_of::<Addr>(),
            )?)),
            What::Shards => self.shards(),
            What::Attack(told) => Ok(told.of(&self.attack()?)),
            What::Instructions(workload) => self.instructions(workload),
        }
    }

    /// The table with these flows, which is made where the last figure was about another.
    fn table(&mut self, kind: Kind, flows: u32) -> Result<&mut Established> {
        let same = self
            .table
            .as_ref()
            .is_some_and(|(k, n, _)| (*k, *n) == (kind, flows));
        if !same {
            self.table = None;
            self.table = Some((kind, flows, Established::open(kind, flows)?));
        }
        self.table
            .as_mut()
            .map(|(.., table)| table)
            .context("no table")
    }

    fn lookup(&mut self, set: Set, size: u32) -> Result<f64> {
        let rounds = self.choose(LOOKUP_ROUNDS);
        if set == Set::Rules
            && let Some(nanos) = self.lookups.get(&size)
        {
            return Ok(*nanos);
        }
        let mut lookups = Lookups::new(set, usize::try_from(size)?);
        lookups.check()?;
        let nanos = lookups.nanos(rounds)?;
        if set == Set::Rules {
            self.lookups.insert(size, nanos);
        }
        Ok(nanos)
    }

    /// The fastest of several rounds of two workers over that of one, taken by turns.
    fn shards(&mut self) -> Result<f64> {
        let mut workers = [
            Workers::new(1, Kind::ALL[0])?,
            Workers::new(2, Kind::ALL[0])?,
        ];
        let mut best = [0.0_f64; 2];
        for _ in 0..self.choose(WORKER_ROUNDS) {
            for (workers, best) in workers.iter_mut().zip(&mut best) {
                *best = best.max(workers.packets_per_second(1)?);
            }
        }
        Ok(best[1] / best[0])
    }

    fn attack(&mut self) -> Result<Outcome> {
        if let Some(outcome) = self.attack {
            return Ok(outcome);
        }
        let outcome = attack::run(self.quick)?;
        self.attack = Some(outcome);
        Ok(outcome)
    }

    fn instructions(&mut self, workload: Workload) -> Result<f64> {
        let counted = self
            .counted
            .get_or_insert_with(|| instructions::count().map_err(|error| format!("{error:#}")));
        let counted = counted.as_ref().map_err(|why| anyhow!("{why}"))?;
        let found = counted.iter().find(|(counted, _)| *counted == workload);
        found
            .map(|(_, instructions)| *instructions)
            .context("not counted")
    }
}
