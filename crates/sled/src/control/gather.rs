//! What workers tell of themselves and their ports, gathered in bounded jobs.

use std::collections::BTreeMap;

use rackweave_engine::counters::Counters;
use rackweave_engine::{DropReason, Shard};
use rackweave_types::{Direction, PortId};

use crate::worker::{Worker, WorkerStatus};
use crate::workers::{WorkerGone, Workers};

/// Ports that one job looks at: so a batch of frames waits for microseconds, however many ports there are.
const PORTS_AT_ONCE: usize = 32;

/// What workers have counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) ports: BTreeMap<PortId, PortCount>,
    pub(crate) workers: Vec<WorkerStatus>,
}

/// What a port's shards have counted; arrays are out and in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PortCount {
    pub(crate) received: [u64; 2],
    pub(crate) packets: [u64; 2],
    pub(crate) bytes: [u64; 2],
    pub(crate) forwarded: [u64; 2],
    pub(crate) answered: [u64; 2],
    pub(crate) punted: [u64; 2],
    /// By place in [`DropReason::ALL`].
    pub(crate) drops: [Vec<u64>; 2],
    pub(crate) refusals: u64,
    pub(crate) flows: u64,
    pub(crate) flows_created: u64,
    pub(crate) flows_expired: u64,
    pub(crate) flows_evicted: u64,
    pub(crate) flows_cut: u64,
}

impl PortCount {
    fn of(shard: &Shard) -> Self {
        let counters: &Counters = shard.counters();
        let traffic = [0, 1].map(|side| counters.traffic[side].total());
        Self {
            received: counters.received,
            packets: traffic.map(|total| total.packets),
            bytes: traffic.map(|total| total.bytes),
            forwarded: counters.forwarded,
            answered: counters.hairpinned,
            punted: counters.punted,
            drops: [0, 1].map(|side| counters.drops[side].to_vec()),
            refusals: counters.refusals,
            flows: u64::from(shard.flow_count()),
            flows_created: counters.flows_created,
            flows_expired: counters.flows_expired,
            flows_evicted: counters.flows_evicted,
            flows_cut: counters.flows_cut,
        }
    }

    fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.received, &other.received),
            (&mut self.packets, &other.packets),
            (&mut self.bytes, &other.bytes),
            (&mut self.forwarded, &other.forwarded),
            (&mut self.answered, &other.answered),
            (&mut self.punted, &other.punted),
        ];
        for (sum, more) in pairs {
            for (sum, more) in sum.iter_mut().zip(more) {
                *sum += more;
            }
        }
        for (sum, more) in self.drops.iter_mut().zip(&other.drops) {
            for (sum, more) in sum.iter_mut().zip(more) {
                *sum += more;
            }
        }
        self.refusals += other.refusals;
        self.flows += other.flows;
        self.flows_created += other.flows_created;
        self.flows_expired += other.flows_expired;
        self.flows_evicted += other.flows_evicted;
        self.flows_cut += other.flows_cut;
    }

    /// All drops of a direction: 0 is out, 1 is in.
    pub(crate) fn dropped(&self, side: usize) -> u64 {
        self.drops.get(side).map_or(0, |drops| drops.iter().sum())
    }

    /// Every reason that something was dropped for.
    pub(crate) fn each_drop(&self) -> impl Iterator<Item = (Direction, DropReason, u64)> {
        [Direction::Out, Direction::In]
            .into_iter()
            .zip(&self.drops)
            .flat_map(|(direction, drops)| {
                let counted = DropReason::ALL.iter().zip(drops);
                counted.map(move |(reason, count)| (direction, *reason, *count))
            })
            .filter(|(_, _, count)| *count > 0)
    }
}

/// Asks all workers.
///
/// # Errors
/// Where a worker has ended.
pub(crate) fn gather(workers: &Workers) -> Result<Gathered, WorkerGone> {
    let mut gathered = Gathered::default();
    let asked = workers.run_on_all(|worker| (worker.status(), worker.port_ids()))?;
    for (index, (status, ids)) in (0..).zip(asked) {
        gathered.workers.push(status);
        for some in ids.chunks(PORTS_AT_ONCE) {
            let some = some.to_vec();
            for (id, count) in workers.run(index, move |worker| count(worker, &some))? {
                match gathered.ports.entry(id) {
                    std::collections::btree_map::Entry::Vacant(place) => {
                        place.insert(count);
                    }
                    std::collections::btree_map::Entry::Occupied(mut place) => {
                        place.get_mut().add(&count);
                    }
                }
            }
        }
    }
    Ok(gathered)
}

fn count(worker: &mut Worker, ids: &[PortId]) -> Vec<(PortId, PortCount)> {
    let counted = |id: &PortId| Some((*id, PortCount::of(worker.shard(*id)?)));
    ids.iter().filter_map(counted).collect()
}
