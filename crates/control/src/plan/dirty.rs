//! What stands on an object of the intent, and is planned again where that changes.

use std::collections::{BTreeMap, BTreeSet};

use crate::intent::{Intent, NicEntry};
use crate::key::{Id, Key, Kind};
use crate::model::Object;

/// Which firewall rules are planned again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rules {
    /// None.
    #[default]
    None,
    /// All, if any of them names instances or tags.
    IfMembers,
    /// All.
    All,
}

/// What of a VPC is planned again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// Subnets, routes, peers, and who may send with foreign sources.
    pub(super) frame: bool,
    /// Firewall rules.
    pub(super) rules: Rules,
    /// Names.
    pub(super) zone: bool,
}

impl Parts {
    /// All of it.
    pub(super) const ALL: Self = Self::new(true, Rules::All, true);
    const FRAME: Self = Self::new(true, Rules::None, false);
    const RULES: Self = Self::new(false, Rules::All, false);
    const ZONE: Self = Self::new(false, Rules::None, true);
    /// What NICs are part of.
    const NICS: Self = Self::new(true, Rules::IfMembers, true);

    const fn new(frame: bool, rules: Rules, zone: bool) -> Self {
        Self { frame, rules, zone }
    }

    fn with(self, other: Self) -> Self {
        Self {
            frame: self.frame || other.frame,
            rules: self.rules.max(other.rules),
            zone: self.zone || other.zone,
        }
    }
}

/// What is planned again.
#[derive(Clone, Debug, Default)]
pub(super) struct Dirty {
    pub(super) everything: bool,
    pub(super) vpcs: BTreeMap<Id, Parts>,
    pub(super) ports: BTreeSet<Id>,
    pub(super) instances: BTreeSet<Id>,
    pub(super) sleds: BTreeSet<Id>,
    pub(super) switches: BTreeSet<Id>,
}

impl Dirty {
    /// All that there is.
    pub(super) fn all(intent: &Intent) -> Self {
        let mut dirty = Self::default();
        for object in intent.objects() {
            let id = object.meta().id;
            match object.kind() {
                Kind::Vpc => dirty.vpcs.insert(id, Parts::ALL).is_none(),
                Kind::Nic => dirty.ports.insert(id),
                Kind::Instance => dirty.instances.insert(id),
                Kind::Sled => dirty.sleds.insert(id),
                Kind::Switch => dirty.switches.insert(id),
                _ => continue,
            };
        }
        dirty
    }

    /// What stands on the object of this key as it is in the intent: asked before and after a change.
    pub(super) fn mark(&mut self, intent: &Intent, key: Key) {
        let Some(object) = intent.get(key) else {
            return;
        };
        let parent = object.meta().parent;
        match object {
            Object::Az(_) => self.everything = true,
            Object::Sled(_) => {
                self.sleds.insert(key.id);
            }
            Object::Project(_) => {
                for instance in intent.children(Kind::Instance, Some(key.id), None) {
                    let nics = intent.nics_of_instance(instance.meta().id);
                    self.ports.extend(nics.iter().map(|nic| nic.meta.id));
                }
            }
            Object::Vpc(_) => {
                self.mark_vpcs([key.id], Parts::ALL);
                self.mark_vpcs(intent.peers(key.id), Parts::ALL);
            }
            Object::Subnet(_) => {
                self.mark_vpcs(parent, Parts::ALL);
                if let Some(vpc) = parent {
                    let nics = intent.nics_of_subnet(vpc, key.id);
                    self.ports.extend(nics.map(|nic| nic.meta.id));
                }
            }
            Object::Router(_) | Object::InternetGateway(_) => self.mark_vpcs(parent, Parts::FRAME),
            Object::FirewallRule(_) => self.mark_vpcs(parent, Parts::RULES),
            Object::DnsRecord(_) => self.mark_vpcs(parent, Parts::ZONE),
            Object::Route(_) => {
                let router = parent.and_then(|router| intent.router(router));
                let vpc = router.and_then(|router| router.meta.parent);
                self.mark_vpcs(vpc, Parts::FRAME);
            }
            Object::Peering(peering) => {
                self.mark_vpcs(parent, Parts::ALL);
                self.mark_vpcs(peering.given.peer, Parts::ALL);
            }
            Object::Instance(instance) => {
                self.instances.insert(key.id);
                self.sleds.extend(instance.given.sled);
                for nic in intent.nics_of_instance(key.id) {
                    self.nic(intent, nic);
                }
            }
            Object::Nic(nic) => self.nic(intent, nic),
            Object::FloatingIp(floating) => {
                self.ports
                    .extend(floating.given.target.map(|target| target.nic));
            }
            Object::Switch(_) => {
                self.switches.insert(key.id);
            }
            Object::Uplink(_) | Object::BgpPeer(_) | Object::StaticRoute(_) => {
                self.switches.extend(parent);
            }
            // Sleds see a pool in the boundary, which is compared after every commit.
            Object::IpPool(_) => {
                let switches = intent.children(Kind::Switch, None, None);
                self.switches
                    .extend(switches.map(|switch| switch.meta().id));
            }
            Object::PoolLink(_) | Object::Rack(_) => {}
        }
    }

    fn nic(&mut self, intent: &Intent, nic: &NicEntry) {
        self.ports.insert(nic.meta.id);
        self.instances.extend(nic.meta.parent);
        if let Some(vpc) = nic.given.vpc {
            self.mark_vpcs([vpc], Parts::NICS);
            if !nic.spec.transit.is_empty() {
                self.mark_vpcs(intent.peers(vpc), Parts::FRAME);
            }
        }
    }

    fn mark_vpcs(&mut self, vpcs: impl IntoIterator<Item = Id>, parts: Parts) {
        for vpc in vpcs {
            let marked = self.vpcs.entry(vpc).or_default();
            *marked = marked.with(parts);
        }
    }
}
