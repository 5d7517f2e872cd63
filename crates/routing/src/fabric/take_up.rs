//! A sled takes up its /64 once its switches let it in.
//!
//! Filters of switches follow what sleds announce, and it takes milliseconds until packets see a change of theirs. A sled
//! that is given a /64 while it runs announces it at once, and sends from it when every switch in use has said that it
//! lets it in ([`Item::LetIn`](crate::ddm::item::Item::LetIn)): so none of its first packets is taken for a forged one.

use std::time::Duration;

use ipnet::Ipv6Net;

use rackweave_types::{NodePrefix, Role};

use super::neighbor::Neighbor;
use super::{Fabric, Output};
use crate::ddm::learned::NeighborIndex;

/// How long switches have to let a sled in: one that cannot is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many prefixes of a switch are kept: a node has one, and may have had another.
const LET_IN_MAX: usize = 8;

impl Fabric {
    /// Takes up the first address of a /64 that the node has from now on: at once, or when switches let it in.
    pub(super) fn take_address(&mut self, prefix: NodePrefix) {
        let is_sled = self.own.role == Role::Sled;
        if is_sled && self.neighbors.iter().any(|(_, n)| is_in_use(n)) {
            self.taking_up = Some(self.now.at.after(PATIENCE));
        } else {
            self.out.push(Output::AddAddress(prefix.tunnel_endpoint()));
        }
    }

    /// Gives up the address of a /64 that the node had.
    pub(super) fn drop_address(&mut self, prefix: NodePrefix) {
        if self.taking_up.take().is_none() {
            self.out
                .push(Output::RemoveAddress(prefix.tunnel_endpoint()));
        }
    }

    /// A switch lets in what this node sends from the prefix: it may say so before the node has it again.
    pub(super) fn on_let_in(&mut self, index: NeighborIndex, prefix: Ipv6Net) {
        let is_sled = self.own.role == Role::Sled;
        if let Some(neighbor) = self.neighbors.get_mut(index)
            && is_sled
            && neighbor.let_in.len() < LET_IN_MAX
        {
            neighbor.let_in.insert(prefix);
        }
    }

    /// Takes up the address that waits, where it is let in or has waited long enough.
    pub(super) fn on_taking_up(&mut self) {
        let (Some(until), Some(own)) = (self.taking_up, &self.own.assignment) else {
            return;
        };
        let prefix = own.prefix;
        let keeps_out = |n: &Neighbor| is_in_use(n) && !n.let_in.contains(&prefix.net());
        if until > self.now.at && self.neighbors.iter().any(|(_, n)| keeps_out(n)) {
            return;
        }
        self.taking_up = None;
        self.out.push(Output::AddAddress(prefix.tunnel_endpoint()));
        for change in self.rib.ask_again() {
            self.change(Some(change));
        }
    }
}

/// Whether packets go to the neighbour, and it could say that it lets them in.
fn is_in_use(neighbor: &Neighbor) -> bool {
    neighbor.is_up() && neighbor.is_usable()
}
