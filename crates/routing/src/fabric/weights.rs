//! The weights of ways, kept only where ways are not all equal.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv6Net;

use rackweave_types::Instant;

use crate::ddm::item::Cost;
use crate::ddm::learned::NeighborIndex;
use crate::ddm::weigh::{FULL, Weigher, weight};

#[derive(Debug)]
struct Weighed {
    weigher: Weigher<NeighborIndex>,
    due: Option<Instant>,
}

/// The weighers of prefixes whose ways differ, or differed: what is always equal needs none.
#[derive(Debug, Default)]
pub(super) struct Weights {
    weighed: BTreeMap<Ipv6Net, Weighed>,
    due: BTreeSet<(Instant, Ipv6Net)>,
}

impl Weights {
    /// The weights of these ways, the equal ones' least. `known` says that the prefix had as many ways before, and had
    /// them all in use.
    pub(super) fn of(
        &mut self,
        prefix: Ipv6Net,
        now: Instant,
        ways: &[(NeighborIndex, Cost)],
        known: bool,
    ) -> Vec<(NeighborIndex, u8)> {
        let best = ways.iter().map(|(_, cost)| *cost).min().unwrap_or_default();
        let all_equal = ways
            .iter()
            .all(|(_, cost)| weight(best, *cost, None) == FULL);
        if all_equal && !self.weighed.contains_key(&prefix) {
            return ways.iter().map(|(index, _)| (*index, 1)).collect();
        }
        let weighed = self.weighed.entry(prefix).or_insert_with(|| {
            let mut weigher = Weigher::new();
            if known {
                // They were equal until now.
                weigher.set(now, ways.iter().map(|(index, _)| (*index, best)));
            }
            let due = None;
            Weighed { weigher, due }
        });
        weighed.weigher.set(now, ways.iter().copied());
        let weights = reduced(weighed.weigher.weights().collect());
        self.settle(prefix);
        weights
    }

    /// The prefix has no ways any more.
    pub(super) fn forget(&mut self, prefix: Ipv6Net) {
        if let Some(Weighed { due: Some(due), .. }) = self.weighed.remove(&prefix) {
            self.due.remove(&(due, prefix));
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Time has passed: the prefixes whose weights may have changed.
    pub(super) fn on_time(&mut self, now: Instant) -> Vec<Ipv6Net> {
        let mut changed = Vec::new();
        while let Some((_, prefix)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.pop_first();
            if let Some(weighed) = self.weighed.get_mut(&prefix) {
                weighed.due = None;
                if weighed.weigher.handle_timeout(now) {
                    changed.push(prefix);
                }
            }
            self.settle(prefix);
        }
        changed
    }

    /// Has the prefix's weigher called when it wants to be.
    fn settle(&mut self, prefix: Ipv6Net) {
        let Some(weighed) = self.weighed.get_mut(&prefix) else {
            return;
        };
        let due = weighed.weigher.deadline();
        if let Some(before) = std::mem::replace(&mut weighed.due, due) {
            self.due.remove(&(before, prefix));
        }
        self.due.extend(due.map(|due| (due, prefix)));
    }
}

/// The same shares in the least numbers.
fn reduced(mut weights: Vec<(NeighborIndex, u8)>) -> Vec<(NeighborIndex, u8)> {
    let common = weights
        .iter()
        .fold(0, |common, (_, weight)| divisor(common, *weight));
    for (_, weight) in &mut weights {
        *weight /= common.max(1);
    }
    weights
}

/// The greatest common divisor.
fn divisor(a: u8, b: u8) -> u8 {
    if b == 0 { a } else { divisor(b, a % b) }
}
