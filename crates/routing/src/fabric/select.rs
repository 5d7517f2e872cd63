//! Which ways lead to a prefix: the neighbours with the least hop count, over all origins that serve it.
//!
//! **Automatic disaggregation.** A rack's /56 comes from each of its switches with the numbers of the nodes that this
//! switch reaches itself. The ways to the /56 are those to any of its switches; the ways to a node are those to the
//! switches that reach it. Where the two differ, the node's /64 is installed beside the /56, here and only here: it is
//! never announced to other switches, so that state and messages stay one of each rack. A switch takes others' word about
//! its own rack likewise: a sled whose link is lost is reached through the rack's other switch.

use ipnet::Ipv6Net;

use rackweave_types::{NodeNumber, NodePrefix, Role};

use super::neighbor::Neighbor;
use super::{Fabric, Hop};
use crate::ddm::item::{Cost, Members, Scope};
use crate::ddm::learned::{Candidate, NeighborIndex};
use crate::ddm::policy::scope_of;
use crate::rib::Protocol;

/// The ways with the least hop count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Least {
    /// The nodes that lie on each of them.
    pub(super) hops: usize,
    /// Each with the least cost over its origins, in the order of neighbours.
    pub(super) ways: Vec<(NeighborIndex, Cost)>,
}

impl Least {
    fn neighbors(&self) -> impl Iterator<Item = NeighborIndex> + '_ {
        self.ways.iter().map(|(index, _)| *index)
    }
}

impl Fabric {
    /// Selects the ways to a prefix anew, and asks the kernel for them where they changed.
    pub(super) fn select(&mut self, prefix: Ipv6Net) {
        if scope_of(prefix) == Some(Scope::Summary) {
            self.touch_exceptions(prefix);
        }
        if self.is_local(prefix) {
            self.weights.forget(prefix);
            self.offer(prefix, Protocol::Interior, None);
            return;
        }
        let least = self.least(prefix);
        if least.is_none() {
            self.weights.forget(prefix);
        }
        let hops = least.map(|least| self.weigh(prefix, &least));
        self.offer(prefix, Protocol::Interior, hops);
    }

    /// The ways to a prefix; `None` where there are none, or where a shorter prefix says the same.
    pub(super) fn least(&self, prefix: Ipv6Net) -> Option<Least> {
        match scope_of(prefix)? {
            Scope::Summary if self.own_rack() == Some(prefix) => None,
            Scope::Rack => {
                let direct = self.least_of(self.candidates(prefix));
                direct.or_else(|| self.exception(prefix))
            }
            _ => self.least_of(self.candidates(prefix)),
        }
    }

    /// The ways to one node of a rack, where they are not those to the rack.
    fn exception(&self, prefix: Ipv6Net) -> Option<Least> {
        let node = NodePrefix::try_from(prefix).ok()?;
        let rack = node.rack().net();
        let least = self.least_of(self.to_node(node))?;
        if self.own_rack() == Some(rack) {
            return Some(least);
        }
        let base = self.least_of(self.candidates(rack))?;
        (!least.neighbors().eq(base.neighbors())).then_some(least)
    }

    /// The candidates of a node's rack whose origins reach the node.
    pub(super) fn to_node(&self, node: NodePrefix) -> impl Iterator<Item = &Candidate> + Clone {
        let candidates = self.candidates(node.rack().net());
        candidates.filter(move |c| c.reaches(node.node()))
    }

    /// The candidates of a prefix that may be used now.
    pub(super) fn candidates(&self, prefix: Ipv6Net) -> impl Iterator<Item = &Candidate> + Clone {
        let candidates = self.learned.of(prefix).iter();
        candidates.filter(move |c| self.may_use(prefix, c))
    }

    /// Whether a candidate may be used: its neighbour forwards, and nobody else came first with what one can have.
    pub(super) fn may_use(&self, prefix: Ipv6Net, candidate: &Candidate) -> bool {
        let neighbor = self.neighbors.get(candidate.neighbor);
        neighbor.is_some_and(Neighbor::is_usable) && self.is_first(prefix, candidate)
    }

    /// The ways with the least hop count among these.
    pub(super) fn least_of<'a>(
        &self,
        candidates: impl Iterator<Item = &'a Candidate>,
    ) -> Option<Least> {
        let mut least: Option<Least> = None;
        for candidate in candidates {
            let hops = candidate.hops();
            let cost = self.cost(candidate);
            match &mut least {
                Some(best) if best.hops < hops => {}
                Some(best) if best.hops == hops => {
                    let index = candidate.neighbor;
                    match best.ways.binary_search_by_key(&index, |(at, _)| *at) {
                        Ok(at) => best.ways[at].1 = best.ways[at].1.min(cost),
                        Err(at) => best.ways.insert(at, (index, cost)),
                    }
                }
                _ => {
                    let ways = vec![(candidate.neighbor, cost)];
                    least = Some(Least { hops, ways });
                }
            }
        }
        least
    }

    /// What a candidate costs from here.
    pub(super) fn cost(&self, candidate: &Candidate) -> Cost {
        let link = self.neighbors.get(candidate.neighbor).map(Neighbor::cost);
        let link = link.unwrap_or_default();
        Cost(candidate.cost.0.saturating_add(link.0))
    }

    /// A summary changed: touches the /64s of its rack that are or may have to be routed otherwise.
    fn touch_exceptions(&mut self, rack: Ipv6Net) {
        let is_own = self.own_rack() == Some(rack);
        let sets = self.candidates(rack).filter_map(|c| c.members.as_deref());
        let (mut all, mut common) = (Members::default(), None::<Members>);
        for members in sets {
            all = all.union(members);
            common = Some(common.map_or(*members, |common| common.intersection(members)));
        }
        let differ = if is_own && self.own.role == Role::Switch {
            all
        } else {
            all.without(&common.unwrap_or_default())
        };
        let before = self.exceptions.get(&rack).copied().unwrap_or_default();
        let touched = before.union(&differ);
        if differ.is_empty() {
            self.exceptions.remove(&rack);
        } else {
            self.exceptions.insert(rack, differ);
        }
        let prefixes = touched.iter().filter_map(|node| node_of(rack, node));
        self.touched.extend(prefixes);
    }

    /// The ways as the kernel is to have them.
    fn weigh(&mut self, prefix: Ipv6Net, least: &Least) -> Vec<Hop> {
        let before = self.rib.offered(prefix, Protocol::Interior);
        let known = before.is_some_and(|hops| hops.len() == least.ways.len());
        let weights = self.weights.of(prefix, self.now.at, &least.ways, known);
        let hops = weights.into_iter().filter_map(|(index, weight)| {
            let neighbor = self.neighbors.get(index)?;
            Some(Hop {
                link: neighbor.link,
                via: neighbor.address,
                weight,
            })
        });
        let mut hops: Vec<Hop> = hops.filter(|hop| hop.weight > 0).collect();
        hops.sort_unstable();
        hops
    }
}

/// The /64 of a node of this rack.
pub(super) fn node_of(rack: Ipv6Net, node: NodeNumber) -> Option<Ipv6Net> {
    let rack = rackweave_types::RackPrefix::try_from(rack).ok()?;
    Some(NodePrefix::new(rack, node).net())
}
