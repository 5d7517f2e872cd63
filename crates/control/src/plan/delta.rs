//! What each node is told of a commit: every change written once, whoever gets it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::sync::Arc;

use rackweave_types::state::{
    DomainName, ObjectChange, ObjectName, StateObject, StateVersion, ZoneDelta, ZoneRecord,
    ZoneState,
};
use rackweave_types::{Generation, NodePrefix, Vni};

use super::object::{ObjectKey, Planned};
use super::{Changed, Plan};
use crate::intent::Intent;
use crate::key::{Id, Key, Kind};

/// A change of one object as JSON ([`ObjectChange`]), shared by all that get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedChange(Arc<[u8]>);

impl EncodedChange {
    #[expect(
        clippy::expect_used,
        reason = "every field is a text, a number or a list, and keys of maps there are none"
    )]
    fn new(change: &ObjectChange) -> Self {
        let json = serde_json::to_vec(change).expect("a change is JSON");
        Self(json.into())
    }

    /// The change as it is written.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What one node is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeDelta {
    /// The generation of the node's state afterwards.
    pub generation: Generation,
    /// What changes.
    pub changes: Vec<EncodedChange>,
}

impl NodeDelta {
    /// The whole as JSON (a [`StateDelta`](rackweave_types::state::StateDelta)).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let version = StateVersion::CURRENT.get();
        let mut json = format!(
            "{{\"version\":{version},\"generation\":{},\"changes\":[",
            self.generation
        )
        .into_bytes();
        for (at, change) in self.changes.iter().enumerate() {
            if at > 0 {
                json.push(b',');
            }
            json.extend_from_slice(change.as_bytes());
        }
        json.extend_from_slice(b"]}");
        json
    }
}

/// What a commit means for nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanDelta {
    /// The commits that the plan now follows from.
    pub generation: Generation,
    /// The nodes whose state changes.
    pub nodes: BTreeMap<NodePrefix, NodeDelta>,
    /// Nodes that came: their whole state is theirs to ask for.
    pub come: Vec<NodePrefix>,
    /// Nodes that are no longer known.
    pub gone: Vec<NodePrefix>,
}

/// Puts together what each node is told.
pub(super) fn assemble(plan: &Plan, intent: &Intent, changed: &Changed) -> PlanDelta {
    let mut writer = Writer {
        plan,
        changed,
        written: BTreeMap::new(),
    };
    let mut concerned: BTreeMap<Id, BTreeSet<ObjectKey>> = BTreeMap::new();
    for sled in changed.needs.keys() {
        concerned.entry(*sled).or_default();
    }
    let tables = changed.tables.keys().map(|vni| ObjectKey::Mapping(*vni));
    for key in changed.objects.iter().copied().chain(tables) {
        for sled in sleds_of(plan, intent, key) {
            concerned.entry(sled).or_default().insert(key);
        }
    }
    let mut delta = PlanDelta {
        generation: plan.head,
        come: prefixes(plan, &changed.come),
        gone: changed.gone.clone(),
        ..PlanDelta::default()
    };
    for (sled, keys) in concerned {
        let Some(node) = plan.nodes.get(&sled) else {
            continue;
        };
        if changed.come.contains(&sled) {
            continue;
        }
        let changes = writer.node(sled, &keys);
        if !changes.is_empty() {
            let node_delta = NodeDelta {
                generation: plan.head,
                changes,
            };
            delta.nodes.insert(node.underlay.sled, node_delta);
        }
    }
    writer.switches(&mut delta);
    delta
}

fn prefixes(plan: &Plan, sleds: &BTreeSet<Id>) -> Vec<NodePrefix> {
    let nodes = sleds.iter().filter_map(|sled| plan.nodes.get(sled));
    nodes.map(|node| node.underlay.sled).collect()
}

/// The sleds that may have an object; that they do is asked afterwards.
fn sleds_of(plan: &Plan, intent: &Intent, key: ObjectKey) -> BTreeSet<Id> {
    let of_vpc = |vpc: Id| {
        let nics = intent.nics_of_vpc(vpc);
        nics.filter_map(|nic| intent.sled_of(nic))
    };
    match key {
        ObjectKey::Boundary => plan.nodes.keys().copied().collect(),
        ObjectKey::Mapping(Vni::BOUNDARY) => plan.outside.clone(),
        ObjectKey::Mapping(vni) => {
            let Some(vpc) = intent.vpc_of(vni) else {
                return BTreeSet::new();
            };
            let peers = plan.vpcs.get(&vpc).into_iter();
            let peers = peers.flat_map(|record| record.peers.iter().copied());
            peers.chain([vpc]).flat_map(of_vpc).collect()
        }
        ObjectKey::Vpc(vni) | ObjectKey::RuleSet(vni, _) | ObjectKey::Zone(vni) => {
            match intent.vpc_of(vni) {
                Some(vpc) => of_vpc(vpc).collect(),
                None if vni == super::system::vni() => plan.nodes.keys().copied().collect(),
                None => BTreeSet::new(),
            }
        }
        ObjectKey::Port(port) | ObjectKey::Attachment(port) => {
            let nic = Id::new(port.get());
            let guest = plan.ports.get(&nic).map(|record| record.sled);
            guest.or_else(|| system_of(plan, key)).into_iter().collect()
        }
        ObjectKey::Instance(instance) => {
            let key = Key::new(Kind::Instance, Id::new(instance.get()));
            let instance = intent.instance(key.id);
            let sled = instance.and_then(|instance| instance.given.sled);
            sled.into_iter().collect()
        }
        ObjectKey::System => BTreeSet::new(),
    }
}

/// The sled whose own port this is.
fn system_of(plan: &Plan, key: ObjectKey) -> Option<Id> {
    let ObjectKey::Port(port) = key else {
        return None;
    };
    let mut sleds = plan.sleds.iter();
    sleds
        .find(|(prefix, _)| super::system::port_id(**prefix) == port)
        .map(|(_, id)| *id)
}

/// Writes changes, each once.
struct Writer<'a> {
    plan: &'a Plan,
    changed: &'a Changed,
    written: BTreeMap<(ObjectKey, bool), Option<EncodedChange>>,
}

impl Writer<'_> {
    /// What a node is told: what it did not have, what became different, and what it needs no longer.
    fn node(&mut self, sled: Id, keys: &BTreeSet<ObjectKey>) -> Vec<EncodedChange> {
        let Some(node) = self.plan.nodes.get(&sled) else {
            return Vec::new();
        };
        let before = self.changed.needs.get(&sled).unwrap_or(&node.needs);
        let own = self.changed.own.get(&sled).into_iter().flatten();
        let mut changes: Vec<_> = own
            .map(|object| EncodedChange::new(&ObjectChange::Put(object.clone())))
            .collect();
        let new: BTreeSet<_> = node.needs.without(before).collect();
        let kept = keys.iter().filter(|key| node.needs.contains(**key));
        // In the order of names: what others name comes first.
        let told: BTreeSet<_> = new.iter().chain(kept).copied().collect();
        for key in told {
            let is_new = new.contains(&key);
            if key == ObjectKey::System {
                let system = node.system.as_ref();
                let put = system.map(|system| ObjectChange::Put((*system.object).clone()));
                changes.extend(put.as_ref().map(EncodedChange::new));
            } else {
                changes.extend(self.change(key, is_new));
            }
        }
        for key in before.without(&node.needs) {
            changes.extend(self.removal(key));
        }
        changes
    }

    fn change(&mut self, key: ObjectKey, new: bool) -> Option<EncodedChange> {
        let (plan, changed) = (self.plan, self.changed);
        let write = || {
            let change = match key {
                ObjectKey::Mapping(vni) => {
                    let table = plan.tables.get(&vni)?;
                    if new {
                        ObjectChange::Put(StateObject::Mapping(table.state(vni)))
                    } else {
                        ObjectChange::Mapping(changed.tables.get(&vni)?.delta(vni, table)?)
                    }
                }
                key => {
                    let planned = plan.objects.get(&key)?;
                    let changed = zone_change(key, changed, planned).filter(|_| !new);
                    changed.unwrap_or_else(|| ObjectChange::Put((*planned.object).clone()))
                }
            };
            Some(EncodedChange::new(&change))
        };
        // Only tables and zones are written otherwise for who has them already.
        let whole = new || !matches!(key, ObjectKey::Mapping(_) | ObjectKey::Zone(_));
        let written = self.written.entry((key, whole));
        written.or_insert_with(write).clone()
    }

    /// What switches are told.
    fn switches(&mut self, delta: &mut PlanDelta) {
        let outside = ObjectKey::Mapping(Vni::BOUNDARY);
        let (plan, changed) = (self.plan, self.changed);
        let nat = changed
            .nat
            .as_ref()
            .and_then(|change| change.delta(&plan.nat));
        let nat = nat.map(|nat| EncodedChange::new(&ObjectChange::Nat(nat)));
        for (id, switch) in &plan.switches {
            let before = match changed.switches.get(id) {
                Some(None) => {
                    delta.come.push(switch.prefix());
                    continue;
                }
                Some(Some(before)) => before,
                None => switch,
            };
            let mut changes = Vec::new();
            if before != switch {
                let config = StateObject::Switch(switch.config().clone());
                changes.push(EncodedChange::new(&ObjectChange::Put(config)));
            }
            match (before.is_boundary(), switch.is_boundary()) {
                (true, true) => {
                    if changed.tables.contains_key(&Vni::BOUNDARY) {
                        changes.extend(self.change(outside, false));
                    }
                    changes.extend(nat.clone());
                }
                (false, true) => {
                    changes.extend(self.change(outside, true));
                    let nat = ObjectChange::Put(StateObject::Nat(plan.nat.state()));
                    changes.push(EncodedChange::new(&nat));
                }
                (true, false) => {
                    changes.extend(self.removal(outside));
                    let nat = ObjectChange::Remove(ObjectName::Nat);
                    changes.push(EncodedChange::new(&nat));
                }
                (false, false) => {}
            }
            if !changes.is_empty() {
                let node = NodeDelta {
                    generation: plan.head,
                    changes,
                };
                delta.nodes.insert(switch.prefix(), node);
            }
        }
    }

    fn removal(&self, key: ObjectKey) -> Option<EncodedChange> {
        let name = match key {
            ObjectKey::Boundary => return None,
            ObjectKey::Vpc(vni) => ObjectName::Vpc(vni),
            ObjectKey::RuleSet(vpc, id) => ObjectName::RuleSet { vpc, id },
            ObjectKey::Mapping(vni) => ObjectName::Mapping(vni),
            ObjectKey::Port(port) => ObjectName::Port(port),
            ObjectKey::System => ObjectName::System,
            ObjectKey::Attachment(port) => ObjectName::Attachment(port),
            ObjectKey::Zone(_) => self.plan.objects.get(&key)?.name(),
            ObjectKey::Instance(instance) => ObjectName::Instance(instance),
        };
        Some(EncodedChange::new(&ObjectChange::Remove(name)))
    }
}

/// What a zone that was there before comes to: names of which something else is said now. None where the
/// whole is no longer than that.
fn zone_change(key: ObjectKey, changed: &Changed, planned: &Planned) -> Option<ObjectChange> {
    let ObjectKey::Zone(vni) = key else {
        return None;
    };
    let old = changed.zones.get(&vni)?;
    let (StateObject::Zone(before), StateObject::Zone(now)) = (&*old.object, &*planned.object)
    else {
        return None;
    };
    let (mut remove, mut put) = (Vec::new(), Vec::new());
    let (mut old_names, mut new_names) = (by_name(before), by_name(now));
    loop {
        let order = match (old_names.peek(), new_names.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => name_of(old).cmp(&name_of(new)),
        };
        let old = old_names.next_if(|_| order.is_le());
        let new = new_names.next_if(|_| order.is_ge());
        if old != new {
            remove.extend(old.map(|said| name_of(said).cloned()));
            put.extend(new.into_iter().flatten().cloned());
        }
    }
    let shorter = remove.len() + put.len() < now.records.len();
    let same = before.origin == now.origin && before.ttl == now.ttl;
    (shorter && same).then(|| {
        ObjectChange::Zone(ZoneDelta {
            vpc: vni,
            origin: now.origin.clone(),
            from: before.generation,
            generation: now.generation,
            remove,
            put,
        })
    })
}

/// The records of a zone, which are in the order of names, name by name.
fn by_name(zone: &ZoneState) -> Peekable<impl Iterator<Item = &[ZoneRecord]>> {
    let records = zone.records.chunk_by(|one, other| one.name == other.name);
    records.peekable()
}

/// The name that records of one name are of; none for the zone itself.
fn name_of(said: &[ZoneRecord]) -> Option<&DomainName> {
    said.first()?.name.as_ref()
}
