//! What stands on an object of the intent, and is planned again where that changes.

use std::collections::BTreeSet;

use crate::intent::{Intent, NicEntry};
use crate::key::{Id, Key, Kind};
use crate::model::Object;

/// What is planned again.
#[derive(Clone, Debug, Default)]
pub(super) struct Dirty {
    pub(super) everything: bool,
    pub(super) vpcs: BTreeSet<Id>,
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
                Kind::Vpc => dirty.vpcs.insert(id),
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
                self.vpcs.insert(key.id);
                self.vpcs.extend(intent.peers(key.id));
            }
            Object::Subnet(_) => {
                self.vpcs.extend(parent);
                if let Some(vpc) = parent {
                    let nics = intent.nics_of_subnet(vpc, key.id);
                    self.ports.extend(nics.map(|nic| nic.meta.id));
                }
            }
            Object::Router(_)
            | Object::FirewallRule(_)
            | Object::InternetGateway(_)
            | Object::DnsRecord(_) => self.vpcs.extend(parent),
            Object::Route(_) => {
                let router = parent.and_then(|router| intent.router(router));
                self.vpcs
                    .extend(router.and_then(|router| router.meta.parent));
            }
            Object::Peering(peering) => {
                self.vpcs.extend(parent);
                self.vpcs.extend(peering.given.peer);
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
            self.vpcs.insert(vpc);
            if !nic.spec.transit.is_empty() {
                self.vpcs.extend(intent.peers(vpc));
            }
        }
    }
}
