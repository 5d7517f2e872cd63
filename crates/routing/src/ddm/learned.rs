//! What neighbours announced, by prefix.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::Ipv6Net;

use rackweave_types::NodeNumber;

use super::exchange::News;
use super::item::{Announcement, Cost, Members, NodeId, RouteKey};
use super::policy::scope_of;

/// A neighbour's place in the tables of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NeighborIndex(pub u16);

/// One way to a prefix: what one neighbour said of one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who said it.
    pub neighbor: NeighborIndex,
    /// Who originates the prefix.
    pub origin: NodeId,
    /// Whether it was said in a session that is over, and not again since.
    pub stale: bool,
    /// From the neighbour to the origin.
    pub cost: Cost,
    /// The nodes passed, the origin first, the neighbour last.
    pub path: Box<[NodeId]>,
    /// Whom the origin of a summary reaches.
    pub members: Option<Arc<Members>>,
}

impl Candidate {
    /// How many nodes lie on the way.
    #[must_use]
    pub fn hops(&self) -> usize {
        self.path.len()
    }

    /// What it is beside the one that it replaces.
    fn beside(&self, before: &Self) -> News {
        if self == before {
            return News::None;
        }
        if self.path == before.path && self.members == before.members {
            return News::Cost;
        }
        let keeps = match (&before.members, &self.members) {
            (Some(before), Some(after)) => before.without(after).is_empty(),
            (before, after) => before == after,
        };
        if keeps && self.hops() <= before.hops() {
            News::Good
        } else {
            News::Bad
        }
    }

    /// What the neighbour said.
    fn announcement(&self, prefix: Ipv6Net) -> Option<Announcement> {
        Some(Announcement {
            key: RouteKey {
                prefix,
                origin: self.origin,
            },
            scope: scope_of(prefix)?,
            path: self.path.to_vec(),
            cost: self.cost,
            members: self.members.as_deref().copied(),
        })
    }

    /// Whether the origin of the summary reaches the node.
    #[must_use]
    pub fn reaches(&self, node: NodeNumber) -> bool {
        self.members
            .as_ref()
            .is_some_and(|members| members.contains(node))
    }
}

/// All candidates. A prefix has few: memory is what counts, sleds are many.
#[derive(Debug, Default)]
pub struct Learned {
    prefixes: BTreeMap<Ipv6Net, Vec<Candidate>>,
    /// Sets seen of late: racks of one size have equal ones.
    sets: Vec<Arc<Members>>,
}

/// How many sets are kept to be shared.
const SETS: usize = 8;

impl Learned {
    /// Takes in what a neighbour said.
    pub fn insert(&mut self, neighbor: NeighborIndex, said: Announcement) -> News {
        let candidate = Candidate {
            neighbor,
            origin: said.key.origin,
            stale: false,
            cost: said.cost,
            path: said.path.into_boxed_slice(),
            members: said.members.map(|members| self.share(members)),
        };
        let candidates = self.prefixes.entry(said.key.prefix).or_default();
        let is_same = |c: &&mut Candidate| c.neighbor == neighbor && c.origin == candidate.origin;
        if let Some(before) = candidates.iter_mut().find(is_same) {
            before.stale = false;
            let news = candidate.beside(before);
            *before = candidate;
            news
        } else {
            candidates.reserve_exact(1);
            candidates.push(candidate);
            News::Good
        }
    }

    /// Takes back what a neighbour said. Whether it was there.
    pub fn remove(&mut self, neighbor: NeighborIndex, prefix: Ipv6Net, origin: NodeId) -> bool {
        self.retain(prefix, |c| c.neighbor != neighbor || c.origin != origin)
    }

    /// The candidates of a prefix.
    #[must_use]
    pub fn of(&self, prefix: Ipv6Net) -> &[Candidate] {
        self.prefixes.get(&prefix).map_or(&[], Vec::as_slice)
    }

    /// Every prefix with its candidates.
    pub fn iter(&self) -> impl Iterator<Item = (Ipv6Net, &[Candidate])> {
        self.prefixes
            .iter()
            .map(|(prefix, candidates)| (*prefix, candidates.as_slice()))
    }

    /// The prefixes within another one, with their candidates.
    pub fn within(&self, net: Ipv6Net) -> impl Iterator<Item = (Ipv6Net, &[Candidate])> {
        let longest = Ipv6Net::new_assert(net.network(), net.prefix_len());
        let from = self.prefixes.range(longest..);
        let within = from.take_while(move |(prefix, _)| net.contains(*prefix));
        within.map(|(prefix, candidates)| (*prefix, candidates.as_slice()))
    }

    /// All that a neighbour said, as it said it.
    #[must_use]
    pub fn said_by(&self, neighbor: NeighborIndex) -> Vec<Announcement> {
        let all = self.iter().flat_map(|(prefix, candidates)| {
            let its = candidates.iter().filter(|c| c.neighbor == neighbor);
            its.filter_map(move |c| c.announcement(prefix))
        });
        all.collect()
    }

    /// The prefixes that a neighbour announces.
    pub fn prefixes_of(&self, neighbor: NeighborIndex) -> impl Iterator<Item = Ipv6Net> + '_ {
        self.iter()
            .filter(move |(_, candidates)| candidates.iter().any(|c| c.neighbor == neighbor))
            .map(|(prefix, _)| prefix)
    }

    /// All that the neighbour said is stale.
    pub fn mark_stale(&mut self, neighbor: NeighborIndex) {
        for candidate in self.prefixes.values_mut().flatten() {
            candidate.stale |= candidate.neighbor == neighbor;
        }
    }

    /// Forgets what the neighbour said, all of it or what is stale; gives the prefixes concerned.
    pub fn sweep(&mut self, neighbor: NeighborIndex, all: bool) -> Vec<Ipv6Net> {
        let goes = |c: &Candidate| c.neighbor == neighbor && (all || c.stale);
        let concerned: Vec<Ipv6Net> = self
            .iter()
            .filter(|(_, candidates)| candidates.iter().any(goes))
            .map(|(prefix, _)| prefix)
            .collect();
        for prefix in &concerned {
            self.retain(*prefix, |c| !goes(c));
        }
        concerned
    }

    fn retain(&mut self, prefix: Ipv6Net, keep: impl Fn(&Candidate) -> bool) -> bool {
        let Some(candidates) = self.prefixes.get_mut(&prefix) else {
            return false;
        };
        let before = candidates.len();
        candidates.retain(keep);
        let after = candidates.len();
        if after == 0 {
            self.prefixes.remove(&prefix);
        }
        after != before
    }

    fn share(&mut self, members: Members) -> Arc<Members> {
        if let Some(at) = self.sets.iter().position(|set| **set == members) {
            return Arc::clone(&self.sets[at]);
        }
        let set = Arc::new(members);
        if self.sets.len() == SETS {
            self.sets.remove(0);
        }
        self.sets.push(Arc::clone(&set));
        set
    }
}
