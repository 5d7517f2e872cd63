//! Who came first with what only one can have.
//!
//! A /64 belongs to one node, and a switch's number to one switch of its rack. A second claimant is not used for as long
//! as the first is there, and both are named. Two racks of one number show themselves by that: each has its switches, and
//! both name the same numbers as their own.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv6Net;

use rackweave_types::{NodeNumber, NodePrefix, RackPrefix, Role};

use super::{EventKind, Fabric};
use crate::ddm::item::{Announcement, Members, NodeId, Scope};
use crate::ddm::learned::{Candidate, NeighborIndex};
use crate::ddm::policy::scope_of;

/// The holders of /64s.
#[derive(Debug, Default)]
pub(super) struct Claims {
    holders: BTreeMap<Ipv6Net, NodeId>,
    /// Prefixes of which somebody claims what another one holds: there are none as a rule.
    contested: BTreeSet<Ipv6Net>,
}

impl Fabric {
    /// A neighbour claims for an origin what only one can have.
    pub(super) fn claim(&mut self, index: NeighborIndex, said: &Announcement) {
        let (prefix, origin) = (said.key.prefix, said.key.origin);
        for claimed in self.claimed(prefix, said.members.as_ref()) {
            let holder = self.holder(claimed);
            match holder {
                None => {
                    self.claims.holders.insert(claimed, origin);
                }
                Some(holder) if holder == origin => {}
                Some(holder) => {
                    self.claims.contested.insert(prefix);
                    self.conflict(index, prefix, claimed, (holder, origin));
                }
            }
        }
    }

    fn conflict(
        &mut self,
        index: NeighborIndex,
        prefix: Ipv6Net,
        claimed: Ipv6Net,
        (holder, origin): (NodeId, NodeId),
    ) {
        let known = self.learned.of(prefix);
        if known
            .iter()
            .any(|c| c.neighbor == index && c.origin == origin)
        {
            return;
        }
        let (first, second) = (self.node_name(holder), self.node_name(origin));
        let heard = self.neighbor_name(index);
        let what = if let Ok(rack) = RackPrefix::try_from(prefix) {
            format!(
                "two racks have the number {}: the one of switch {first}, and the one of switch {second} (heard from \
                 {heard}); both claim {claimed}. The second is not used: give it another number",
                rack.rack()
            )
        } else {
            format!(
                "{claimed} is claimed by {first}, and by {second} (heard from {heard}). The second is not used: \
                 only one of them can have it"
            )
        };
        self.event(EventKind::Conflict, what);
    }

    /// A candidate of the prefix is gone: what its origin held is free for the next claimant.
    pub(super) fn release(&mut self, prefix: Ipv6Net) {
        let held: Vec<Ipv6Net> = match scope_of(prefix) {
            Some(Scope::Rack) => vec![prefix],
            Some(Scope::Summary) => switches(prefix).collect(),
            _ => return,
        };
        for claimed in held {
            let Some(holder) = self.claims.holders.get(&claimed).copied() else {
                continue;
            };
            let claimants = self.learned.of(prefix).iter();
            let mut claimants =
                claimants.filter(|c| self.claimed_by(prefix, c).any(|net| net == claimed));
            if claimants.clone().any(|c| c.origin == holder) {
                continue;
            }
            let next = claimants.next().map(|c| c.origin);
            self.touched.insert(prefix);
            if let Some(next) = next {
                self.claims.holders.insert(claimed, next);
                let what = format!("{claimed} is that of {} now", self.node_name(next));
                self.event(EventKind::Conflict, what);
                for index in self.neighbors.indices(|n| n.id() == Some(next)) {
                    self.refresh_filter_of(index);
                }
            } else {
                self.claims.holders.remove(&claimed);
            }
        }
        let is_contested = |fabric: &Self| {
            let mut candidates = fabric.learned.of(prefix).iter();
            candidates.any(|candidate| !fabric.holds_all(prefix, candidate))
        };
        if self.claims.contested.contains(&prefix) && !is_contested(self) {
            self.claims.contested.remove(&prefix);
        }
    }

    /// Whether the candidate's origin came first with all that it claims.
    pub(super) fn is_first(&self, prefix: Ipv6Net, candidate: &Candidate) -> bool {
        !self.claims.contested.contains(&prefix) || self.holds_all(prefix, candidate)
    }

    fn holds_all(&self, prefix: Ipv6Net, candidate: &Candidate) -> bool {
        let mut claimed = self.claimed_by(prefix, candidate);
        claimed.all(|net| {
            self.holder(net)
                .is_none_or(|holder| holder == candidate.origin)
        })
    }

    /// Who holds a /64.
    pub(super) fn holder(&self, claimed: Ipv6Net) -> Option<NodeId> {
        let own = self.own.assignment.as_ref().map(|a| a.prefix.net());
        if own == Some(claimed) {
            return Some(self.own.id);
        }
        self.claims.holders.get(&claimed).copied()
    }

    fn claimed_by(
        &self,
        prefix: Ipv6Net,
        candidate: &Candidate,
    ) -> impl Iterator<Item = Ipv6Net> + use<> {
        self.claimed(prefix, candidate.members.as_deref())
    }

    /// What only one can have of what is said. A sled hears of switches alone, who speak for others.
    fn claimed(
        &self,
        prefix: Ipv6Net,
        members: Option<&Members>,
    ) -> impl Iterator<Item = Ipv6Net> + use<> {
        let is_sled = self.own.role == Role::Sled;
        let node = scope_of(prefix) == Some(Scope::Rack);
        let node = (node && !is_sled).then_some(prefix);
        let members = members.copied().filter(|_| !is_sled);
        let numbers = members.into_iter().flat_map(move |members| {
            let switches = NodeNumber::SWITCHES.into_iter();
            let own = switches.filter(move |number| members.contains(*number));
            own.filter_map(move |number| number_of(prefix, number))
        });
        node.into_iter().chain(numbers)
    }
}

fn switches(rack: Ipv6Net) -> impl Iterator<Item = Ipv6Net> {
    let numbers = NodeNumber::SWITCHES.into_iter();
    numbers.filter_map(move |number| number_of(rack, number))
}

fn number_of(rack: Ipv6Net, number: NodeNumber) -> Option<Ipv6Net> {
    let rack = RackPrefix::try_from(rack).ok()?;
    Some(NodePrefix::new(rack, number).net())
}
