//! What the node itself has: its prefixes, and those that its programs ask for.
//!
//! A program that asks for a prefix is told apart by its name. Its request outlives its connection for 30 s, so that it
//! may restart: the router's socket counts these, and takes the request back ([`Input::Withdraw`](super::Input::Withdraw))
//! when they are over.

use std::collections::BTreeMap;

use ipnet::Ipv6Net;

use rackweave_trust::Assignment;
use rackweave_types::{BootstrapPrefix, RackPrefix, Role, ServicePrefix};

use super::{Asker, EventKind, Fabric, Output};
use crate::ddm::item::Scope;
use crate::ddm::policy::scope_of;
use crate::rib::Protocol;

/// Prefixes that programs asked for, with who did and whether they serve.
#[derive(Debug, Default)]
pub(super) struct Originated {
    pub(super) asked: BTreeMap<Ipv6Net, BTreeMap<Asker, bool>>,
}

impl Fabric {
    /// At the first input: the node takes up its own addresses.
    pub(super) fn start(&mut self) {
        if std::mem::replace(&mut self.is_started, true) {
            return;
        }
        let bootstrap = BootstrapPrefix::new(self.own.id.0);
        self.out.push(Output::AddAddress(bootstrap.address()));
        self.retold.insert(bootstrap.net());
        if let Some(assignment) = self.own.assignment.clone() {
            self.take_up(&assignment);
        }
    }

    /// The node's own prefixes: bootstrap, /64, and on a switch its rack's /56 and its AZ's /48.
    pub(super) fn own_prefixes(&self) -> Vec<Ipv6Net> {
        let mut own = vec![BootstrapPrefix::new(self.own.id.0).net()];
        own.extend(self.own.assignment.as_ref().map(|a| a.prefix.net()));
        if self.own.role == Role::Switch {
            own.extend(self.own_rack());
            own.extend(self.own.rack.map(|rack| rack.az().net()));
        }
        own.extend(self.originated.asked.keys());
        own
    }

    fn is_own(&self, prefix: Ipv6Net) -> bool {
        let is_rack = |rack: RackPrefix| rack.net() == prefix || rack.az().net() == prefix;
        let is_switch = self.own.role == Role::Switch;
        self.is_node(prefix) || (is_switch && self.own.rack.is_some_and(is_rack))
    }

    /// Whether it is the bootstrap prefix of this node, or its /64.
    fn is_node(&self, prefix: Ipv6Net) -> bool {
        let assigned = self.own.assignment.as_ref().map(|a| a.prefix.net());
        BootstrapPrefix::new(self.own.id.0).net() == prefix || assigned == Some(prefix)
    }

    /// Whether packets to the prefix end here.
    pub(super) fn is_local(&self, prefix: Ipv6Net) -> bool {
        self.is_node(prefix) || self.originated.asked.contains_key(&prefix)
    }

    /// Whether the node announces the prefix as its origin.
    pub(super) fn is_announced(&self, prefix: Ipv6Net) -> bool {
        match self.originated.asked.get(&prefix) {
            Some(askers) => askers.values().any(|ready| *ready),
            None => self.is_own(prefix),
        }
    }

    pub(super) fn on_assigned(&mut self, assignment: Assignment) {
        if self.own.assignment.as_ref() == Some(&assignment) {
            return;
        }
        if assignment.role != self.own.role {
            let what = format!(
                "an assignment as {} was refused: this node was started as {}",
                assignment.role, self.own.role
            );
            self.event(EventKind::Node, what);
            return;
        }
        if let Some(before) = self.own.assignment.take() {
            self.drop_address(before.prefix);
            let rack = before.prefix.rack().net();
            self.offer(rack, Protocol::Own, None);
            self.touched.extend([rack, before.prefix.net()]);
        }
        let what = format!(
            "this node is {} {} from now on",
            assignment.role, assignment.prefix
        );
        self.event(EventKind::Node, what);
        self.take_up(&assignment);
        self.own.assignment = Some(assignment);
        self.own.revision += 1;
        self.touched
            .extend(self.learned.iter().map(|(prefix, _)| prefix));
        for index in self.neighbors.indices(|n| n.peer.is_some()) {
            self.classify(index);
            self.reconsider(index);
        }
        for change in self.rib.ask_again() {
            self.change(Some(change));
        }
        self.retell_all();
        for index in self.neighbors.indices(|_| true) {
            self.drive(index);
        }
    }

    fn take_up(&mut self, assignment: &Assignment) {
        let prefix = assignment.prefix;
        self.own.rack = Some(prefix.rack());
        self.own.az = Some(prefix.az());
        self.take_address(prefix);
        self.touched.insert(prefix.net());
        if self.own.role == Role::Switch {
            let rack = prefix.rack().net();
            self.offer(rack, Protocol::Own, Some(Vec::new()));
            self.touched.insert(rack);
            self.retold.insert(prefix.az().net());
        }
    }

    pub(super) fn on_originate(
        &mut self,
        asker: &Asker,
        prefix: Ipv6Net,
        scope: Scope,
        ready: bool,
    ) {
        let service = ServicePrefix::of(prefix.addr());
        let is_service = scope == Scope::Service && scope_of(prefix) == Some(Scope::Service);
        let (true, Some(service)) = (is_service, service) else {
            let what = format!(
                "{} asked to originate {prefix}: only /64s of services are",
                asker.0
            );
            self.event(EventKind::Refused, what);
            return;
        };
        let askers = self.originated.asked.entry(prefix).or_default();
        let is_new = askers.is_empty();
        let was = askers.insert(asker.clone(), ready);
        if is_new {
            self.out.push(Output::AddAddress(service.address()));
        }
        if was != Some(ready) {
            let word = if ready {
                "serves"
            } else {
                "does not serve yet"
            };
            self.event(EventKind::Node, format!("{} {word} {prefix}", asker.0));
            self.touched.insert(prefix);
        }
    }

    pub(super) fn on_withdraw(&mut self, asker: &Asker, prefix: Ipv6Net) {
        let Some(askers) = self.originated.asked.get_mut(&prefix) else {
            return;
        };
        if askers.remove(asker).is_none() {
            return;
        }
        if askers.is_empty() {
            self.originated.asked.remove(&prefix);
            if let Some(service) = ServicePrefix::of(prefix.addr()) {
                self.out.push(Output::RemoveAddress(service.address()));
            }
        }
        self.event(
            EventKind::Node,
            format!("{} no longer serves {prefix}", asker.0),
        );
        self.touched.insert(prefix);
    }
}
