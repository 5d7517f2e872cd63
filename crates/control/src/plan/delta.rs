//! What each node is told of a commit: every change written once, whoever gets it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rackweave_types::state::{ObjectChange, ObjectName, StateObject, StateVersion};
use rackweave_types::{Generation, NodePrefix, Vni};

use super::object::ObjectKey;
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
        for key in &node.needs {
            let new = !before.contains(key);
            if *key == ObjectKey::System {
                let system = node.system.as_ref().filter(|_| new);
                let put = system.map(|system| ObjectChange::Put((*system.object).clone()));
                changes.extend(put.as_ref().map(EncodedChange::new));
            } else if new || keys.contains(key) {
                changes.extend(self.change(*key, new));
            }
        }
        for key in before.difference(&node.needs) {
            changes.extend(self.removal(*key));
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
                key => ObjectChange::Put((*plan.objects.get(&key)?.object).clone()),
            };
            Some(EncodedChange::new(&change))
        };
        // Only a table is written otherwise for who has it already.
        let whole = new || !matches!(key, ObjectKey::Mapping(_));
        let written = self.written.entry((key, whole));
        written.or_insert_with(write).clone()
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
