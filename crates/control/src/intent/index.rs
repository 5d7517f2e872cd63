//! What is looked for otherwise than by key.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Bound;

use rackweave_types::{MacAddr, NodePrefix, Vni};

use crate::key::{Id, Key, Kind};
use crate::model::Object;
use crate::name::Name;

/// Who holds an external address, or a block of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder(pub(crate) Key);

/// The indexes of a snapshot. Each is a function of the objects: `drop` undoes `add`.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    names: BTreeMap<(Kind, Option<Id>, Name), Id>,
    pub(super) vnis: BTreeMap<Vni, Id>,
    pub(super) macs: BTreeMap<MacAddr, Id>,
    pub(super) addresses: BTreeMap<(Id, IpAddr), Id>,
    pub(super) outside: BTreeMap<IpAddr, Holder>,
    pub(super) nat: BTreeMap<(Id, u32), Holder>,
    pub(super) vpc_nics: BTreeSet<(Id, Id)>,
    /// Those of them that may send with foreign sources.
    pub(super) vpc_transit: BTreeSet<(Id, Id)>,
    pub(super) nic_floating: BTreeSet<(Id, Id)>,
    pub(super) sleds: BTreeMap<NodePrefix, Id>,
    pub(super) switches: BTreeMap<NodePrefix, Id>,
    pub(super) suitors: BTreeSet<(Id, Id)>,
    pub(super) pool_links: BTreeSet<(Id, Id)>,
    pub(super) sled_instances: BTreeSet<(Id, Id)>,
    /// How many NICs the instances on a sled have.
    pub(super) loads: BTreeMap<Id, u32>,
    /// How many instances are on a sled.
    pub(super) guests: BTreeMap<Id, u32>,
    /// Where each instance is, and how many NICs it has.
    placed: BTreeMap<Id, (Option<Id>, u32)>,
}

impl Index {
    pub(super) fn named(&self, kind: Kind, parent: Option<Id>, name: &Name) -> Option<Id> {
        self.names.get(&(kind, parent, name.clone())).copied()
    }

    pub(super) fn children<'a>(
        &'a self,
        kind: Kind,
        parent: Option<Id>,
        after: Option<&Name>,
    ) -> impl Iterator<Item = Id> + use<'a> {
        let from = match after {
            Some(after) => Bound::Excluded((kind, parent, after.clone())),
            None => Bound::Included((kind, parent, Name::least())),
        };
        self.names
            .range((from, Bound::Unbounded))
            .take_while(move |((k, p, _), _)| (*k, *p) == (kind, parent))
            .map(|(_, id)| *id)
    }

    pub(super) fn add(&mut self, object: &Object) {
        let meta = object.meta();
        let name = (object.kind(), meta.parent, meta.name.clone());
        self.names.insert(name, meta.id);
        self.each(object, true);
    }

    pub(super) fn drop(&mut self, object: &Object) {
        let meta = object.meta();
        let name = (object.kind(), meta.parent, meta.name.clone());
        self.names.remove(&name);
        self.each(object, false);
    }

    fn each(&mut self, object: &Object, add: bool) {
        let id = object.meta().id;
        match object {
            Object::Vpc(vpc) => {
                if let Some(vni) = vpc.given.vni {
                    set(&mut self.vnis, vni, id, add);
                }
            }
            Object::Nic(nic) => self.nic(nic, add),
            Object::Instance(instance) => self.place(id, instance.given.sled, add),
            Object::FloatingIp(floating) => {
                if let Some((_, outside)) = floating.given.address {
                    set(&mut self.outside, outside, Holder(object.key()), add);
                }
                if let Some(target) = floating.given.target {
                    member(&mut self.nic_floating, (target.nic, id), add);
                }
            }
            Object::Sled(sled) => {
                set(&mut self.sleds, sled.spec.prefix, id, add);
                for nat in &sled.given.nat {
                    set(
                        &mut self.nat,
                        (nat.pool, nat.number),
                        Holder(object.key()),
                        add,
                    );
                }
                for (_, outside) in &sled.given.api {
                    set(&mut self.outside, *outside, Holder(object.key()), add);
                }
            }
            Object::Switch(switch) => set(&mut self.switches, switch.spec.prefix, id, add),
            Object::Peering(peering) => {
                if let (Some(peer), Some(vpc)) = (peering.given.peer, peering.meta.parent) {
                    member(&mut self.suitors, (peer, vpc), add);
                }
            }
            Object::PoolLink(link) => {
                if let Some(pool) = link.given.pool {
                    member(&mut self.pool_links, (pool, id), add);
                }
            }
            _ => {}
        }
    }

    fn nic(&mut self, nic: &super::NicEntry, add: bool) {
        let (id, holder) = (nic.meta.id, Holder(Key::new(Kind::Nic, nic.meta.id)));
        set(&mut self.macs, nic.given.mac, id, add);
        if let Some(vpc) = nic.given.vpc {
            member(&mut self.vpc_nics, (vpc, id), add);
            if !nic.spec.transit.is_empty() {
                member(&mut self.vpc_transit, (vpc, id), add);
            }
            for address in &nic.given.addresses {
                set(&mut self.addresses, (vpc, *address), id, add);
            }
        }
        for ephemeral in &nic.given.ephemeral {
            set(&mut self.outside, ephemeral.outside, holder, add);
        }
        for nat in &nic.given.nat {
            set(&mut self.nat, (nat.pool, nat.number), holder, add);
        }
        if let Some(instance) = nic.meta.parent {
            self.equip(instance, add);
        }
    }

    /// An instance comes to a sled, or goes.
    fn place(&mut self, instance: Id, sled: Option<Id>, add: bool) {
        let (_, nics) = self.placed.remove(&instance).unwrap_or_default();
        let place = if add { sled } else { None };
        if add || nics > 0 {
            self.placed.insert(instance, (place, nics));
        }
        if let Some(sled) = sled {
            member(&mut self.sled_instances, (sled, instance), add);
            count(&mut self.loads, sled, nics, add);
            count(&mut self.guests, sled, 1, add);
        }
    }

    /// An instance gets a NIC, or loses one.
    fn equip(&mut self, instance: Id, add: bool) {
        let (sled, nics) = self.placed.remove(&instance).unwrap_or_default();
        let nics = if add {
            nics + 1
        } else {
            nics.saturating_sub(1)
        };
        if sled.is_some() || nics > 0 {
            self.placed.insert(instance, (sled, nics));
        }
        if let Some(sled) = sled {
            count(&mut self.loads, sled, 1, add);
        }
    }
}

fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V, add: bool) {
    if add {
        map.insert(key, value);
    } else {
        map.remove(&key);
    }
}

fn member<T: Ord>(members: &mut BTreeSet<T>, member: T, add: bool) {
    if add {
        members.insert(member);
    } else {
        members.remove(&member);
    }
}

fn count(counts: &mut BTreeMap<Id, u32>, of: Id, by: u32, add: bool) {
    let before = counts.remove(&of).unwrap_or(0);
    let now = if add {
        before.saturating_add(by)
    } else {
        before.saturating_sub(by)
    };
    if now > 0 {
        counts.insert(of, now);
    }
}
