//! From what was asked for to the state of every node.
//!
//! Each object of a node's state is a pure function of the intent. A commit names the objects that
//! changed; `dirty` says which planned ones stand on these, before and after; they are planned
//! again, compared, and what differs goes to the nodes that have it. So the plan after a commit is
//! the one that a new plan of the whole would be, whatever happened before.
//!
//! ```text
//! commit ─ dirty ─► vpc ─► port ─► needs of sleds ─► differences ─ encode ─► a delta for each node
//!                  (frame, rule    (and its mapping
//!                   sets, zone)     entries)
//! ```

mod delta;
mod dirty;
mod instance;
mod needs;
mod object;
mod port;
mod system;
mod table;
mod vpc;

use std::collections::{BTreeMap, BTreeSet};

use rackweave_types::state::{
    HostState, ObjectName, RuleSet, SledUnderlay, StateDigest, StateObject, StateVersion,
};
use rackweave_types::{Generation, NodePrefix, Vni};

pub use delta::{EncodedChange, NodeDelta, PlanDelta};
use dirty::Dirty;
use object::{ObjectKey, Planned};
use port::{Context, PortRecord};
pub(crate) use system::IPV4 as SYSTEM_IPV4;
use table::{Table, TableChange};
use vpc::VpcRecord;

use crate::change::Commit;
use crate::intent::Intent;
use crate::key::Id;
use crate::model::{AzGiven, AzSpec, Entry};

/// The state of every node that follows from an intent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    head: Generation,
    objects: BTreeMap<ObjectKey, Planned>,
    tables: BTreeMap<Vni, Table>,
    vpcs: BTreeMap<Id, VpcRecord>,
    ports: BTreeMap<Id, PortRecord>,
    nodes: BTreeMap<Id, Node>,
    sleds: BTreeMap<NodePrefix, Id>,
    /// The sleds whose guests can reach the world outside.
    outside: BTreeSet<Id>,
}

/// What a sled has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    underlay: SledUnderlay,
    system: Option<Planned>,
    needs: BTreeSet<ObjectKey>,
}

/// What became different while a commit was planned.
#[derive(Debug, Default)]
struct Changed {
    objects: BTreeSet<ObjectKey>,
    tables: BTreeMap<Vni, TableChange>,
    /// Sleds of which something but shared objects became different, and what they needed before.
    needs: BTreeMap<Id, BTreeSet<ObjectKey>>,
    /// Sleds whose own objects became different.
    own: BTreeMap<Id, Vec<StateObject>>,
    come: BTreeSet<Id>,
    gone: Vec<NodePrefix>,
}

impl Plan {
    /// Plans everything.
    #[must_use]
    pub fn new(intent: &Intent) -> Self {
        let mut plan = Self::default();
        let dirty = Dirty::all(intent);
        plan.replan(intent, dirty);
        plan
    }

    /// Applies a commit to the intent that this plan is of, and plans what it concerns.
    pub fn commit(&mut self, intent: &mut Intent, commit: &Commit) -> PlanDelta {
        let mut dirty = Dirty::default();
        let keys = || commit.changes.iter().map(|change| change.key);
        keys().for_each(|key| dirty.mark(intent, key));
        intent.apply(commit);
        keys().for_each(|key| dirty.mark(intent, key));
        if dirty.everything || self.boundary_differs(intent) {
            let mut all = Dirty::all(intent);
            all.vpcs.extend(self.vpcs.keys());
            all.ports.extend(self.ports.keys());
            all.instances
                .extend(self.ports.values().map(|port| port.instance));
            all.sleds.extend(self.nodes.keys());
            dirty = all;
        }
        let changed = self.replan(intent, dirty);
        delta::assemble(self, intent, &changed)
    }

    /// The commits that the plan follows from.
    #[must_use]
    pub const fn head(&self) -> Generation {
        self.head
    }

    /// The sleds that are planned.
    pub fn sleds(&self) -> impl Iterator<Item = NodePrefix> {
        self.sleds.keys().copied()
    }

    /// The state of a sled; none where it is not known.
    #[must_use]
    pub fn host(&self, sled: NodePrefix) -> Option<HostState> {
        let node = self.nodes.get(self.sleds.get(&sled)?)?;
        let StateObject::Boundary(boundary) = &*self.objects.get(&ObjectKey::Boundary)?.object
        else {
            return None;
        };
        let mut state = HostState {
            version: StateVersion::CURRENT,
            generation: self.head,
            underlay: node.underlay,
            boundary: boundary.clone(),
            system: None,
            vpcs: Vec::new(),
            mappings: Vec::new(),
            ports: Vec::new(),
            attachments: Vec::new(),
            zones: Vec::new(),
            instances: Vec::new(),
        };
        for key in &node.needs {
            match self.object(node, *key) {
                Some(StateObject::System(system)) => state.system = Some(system),
                Some(StateObject::Vpc(vpc)) => state.vpcs.push(vpc),
                Some(StateObject::RuleSet { vpc, set }) => {
                    rule_sets(&mut state, vpc)
                        .into_iter()
                        .for_each(|sets| sets.push(set.clone()));
                }
                Some(StateObject::Mapping(table)) => state.mappings.push(table),
                Some(StateObject::Port(port)) => state.ports.push(port),
                Some(StateObject::Attachment(attachment)) => state.attachments.push(attachment),
                Some(StateObject::Zone(zone)) => state.zones.push(zone),
                Some(StateObject::Instance(instance)) => state.instances.push(instance),
                Some(StateObject::Boundary(_) | StateObject::Underlay(_)) | None => {}
            }
        }
        Some(state)
    }

    /// The digest of a sled's state, as the sled computes it of its own.
    #[must_use]
    pub fn digest(&self, sled: NodePrefix) -> Option<StateDigest> {
        let node = self.nodes.get(self.sleds.get(&sled)?)?;
        let named = |key: &ObjectKey| match key {
            ObjectKey::Mapping(vni) => {
                let table = self.tables.get(vni)?;
                Some((ObjectName::Mapping(*vni), table.generation()))
            }
            ObjectKey::System => {
                let system = node.system.as_ref()?;
                Some((ObjectName::System, system.generation))
            }
            key => {
                let planned = self.objects.get(key)?;
                Some((planned.name(), planned.generation))
            }
        };
        let objects = node.needs.iter().filter_map(named);
        Some(
            objects.fold(StateDigest::EMPTY, |digest, (name, generation)| {
                digest.with(&name, generation)
            }),
        )
    }

    /// An object of a node.
    fn object(&self, node: &Node, key: ObjectKey) -> Option<StateObject> {
        match key {
            ObjectKey::Mapping(vni) => {
                let table = self.tables.get(&vni)?;
                Some(StateObject::Mapping(table.state(vni)))
            }
            ObjectKey::System => node.system.as_ref().map(|system| (*system.object).clone()),
            key => Some((*self.objects.get(&key)?.object).clone()),
        }
    }

    fn boundary_differs(&self, intent: &Intent) -> bool {
        let boundary = intent.az().map(|az| {
            let boundary = system::boundary(intent, az);
            Planned::new(StateObject::Boundary(boundary))
        });
        boundary.as_ref() != self.objects.get(&ObjectKey::Boundary)
    }

    /// Plans what is dirty again.
    fn replan(&mut self, intent: &Intent, dirty: Dirty) -> Changed {
        let mut changed = Changed::default();
        self.head = intent.head();
        let Some(az) = intent.az() else {
            changed.gone = self.sleds.keys().copied().collect();
            *self = Self {
                head: self.head,
                ..Self::default()
            };
            return changed;
        };
        let boundary = system::boundary(intent, az);
        self.put(
            &mut changed,
            ObjectKey::Boundary,
            Some(Planned::new(StateObject::Boundary(boundary.clone()))),
        );
        self.tables.entry(Vni::BOUNDARY).or_default();
        for planned in system::vpc(az) {
            let key = match &*planned.object {
                StateObject::RuleSet { vpc, set } => ObjectKey::RuleSet(*vpc, set.id),
                _ => ObjectKey::Vpc(system::vni()),
            };
            self.put(&mut changed, key, Some(planned));
        }
        let Dirty {
            vpcs,
            mut ports,
            instances,
            mut sleds,
            ..
        } = dirty;
        for id in vpcs {
            self.replan_vpc(intent, az, id, &mut ports, &mut sleds, &mut changed);
        }
        let context = Context {
            intent,
            az,
            boundary: &boundary,
        };
        for nic in ports {
            self.replan_port(context, nic, &mut sleds, &mut changed);
        }
        for id in instances {
            let key = ObjectKey::Instance(instance::instance_id(id));
            let planned = instance::plan(intent, az, id);
            self.put(&mut changed, key, planned);
            sleds.extend(intent.instance(id).and_then(|instance| instance.given.sled));
        }
        for sled in sleds {
            self.replan_sled(context, sled, &mut changed);
        }
        changed
    }

    /// An object becomes this, or goes.
    fn put(&mut self, changed: &mut Changed, key: ObjectKey, planned: Option<Planned>) {
        if self.objects.get(&key) == planned.as_ref() {
            return;
        }
        changed.objects.insert(key);
        match planned {
            Some(planned) => self.objects.insert(key, planned),
            None => self.objects.remove(&key),
        };
    }

    fn replan_vpc(
        &mut self,
        intent: &Intent,
        az: &Entry<AzSpec, AzGiven>,
        id: Id,
        ports: &mut BTreeSet<Id>,
        sleds: &mut BTreeSet<Id>,
        changed: &mut Changed,
    ) {
        let old = self.vpcs.remove(&id);
        let new = vpc::plan(intent, az, id);
        let Some(vni) = old
            .as_ref()
            .map(|old| old.vni)
            .or(new.as_ref().map(|new| new.record.vni))
        else {
            return;
        };
        let new_sets: BTreeSet<_> = new
            .iter()
            .flat_map(|new| new.sets.iter().map(|(set, _)| *set))
            .collect();
        for (set, _) in old.iter().flat_map(|old| &old.sets) {
            if !new_sets.contains(set) {
                self.put(changed, ObjectKey::RuleSet(vni, *set), None);
            }
        }
        let record = new.as_ref().map(|new| new.record.clone());
        if old != record {
            ports.extend(intent.nics_of_vpc(id).map(|nic| nic.meta.id));
            let peers = [&old, &record];
            let peers = peers.into_iter().flatten().flat_map(|record| &record.peers);
            for vpc in peers.copied().chain([id]) {
                let nics = intent.nics_of_vpc(vpc);
                sleds.extend(nics.filter_map(|nic| intent.sled_of(nic)));
            }
        }
        let (frame, zone) = match new {
            Some(new) => {
                for (set, planned) in new.sets {
                    self.put(changed, ObjectKey::RuleSet(vni, set), Some(planned));
                }
                self.tables.entry(vni).or_default();
                self.vpcs.insert(id, new.record);
                (Some(new.frame), new.zone)
            }
            None => (None, None),
        };
        if frame.is_none() {
            self.tables.remove(&vni);
        }
        self.put(changed, ObjectKey::Vpc(vni), frame);
        self.put(changed, ObjectKey::Zone(vni), zone);
    }

    fn replan_port(
        &mut self,
        context: Context<'_>,
        nic: Id,
        sleds: &mut BTreeSet<Id>,
        changed: &mut Changed,
    ) {
        let old = self.ports.remove(&nic);
        let new = context.intent.nic(nic).and_then(|nic| {
            let record = self.vpcs.get(&nic.given.vpc?)?;
            port::plan(context, record, nic)
        });
        let (record, config, attachment) = match new {
            Some((record, config, attachment)) => (Some(record), Some(config), Some(attachment)),
            None => (None, None, None),
        };
        let records = [&old, &record];
        for vni in records.into_iter().flatten().map(|record| record.vni) {
            self.remap(changed, vni, &old, &record, |record| &record.inside);
        }
        self.remap(changed, Vni::BOUNDARY, &old, &record, |record| {
            &record.outside
        });
        let placed = |record: &Option<PortRecord>| {
            let record = record.as_ref()?;
            Some((
                record.sled,
                record.rule_sets.clone(),
                record.goes_out,
                record.instance,
            ))
        };
        if placed(&old) != placed(&record) {
            sleds.extend(
                [&old, &record]
                    .into_iter()
                    .flatten()
                    .map(|record| record.sled),
            );
        }
        let id = port::port_id(nic);
        self.put(changed, ObjectKey::Port(id), config);
        self.put(changed, ObjectKey::Attachment(id), attachment);
        if let Some(record) = record {
            self.ports.insert(nic, record);
        }
    }

    fn remap(
        &mut self,
        changed: &mut Changed,
        vni: Vni,
        old: &Option<PortRecord>,
        new: &Option<PortRecord>,
        held: impl Fn(&PortRecord) -> &Vec<rackweave_types::state::MappingEntry>,
    ) {
        let old = old.as_ref().map(&held).map_or(&[][..], Vec::as_slice);
        let new = new.as_ref().map(&held).map_or(&[][..], Vec::as_slice);
        if old == new {
            return;
        }
        if let Some(table) = self.tables.get_mut(&vni) {
            let change = changed
                .tables
                .entry(vni)
                .or_insert_with(|| TableChange::new(table));
            change.replace(table, old, new);
        }
    }

    fn replan_sled(&mut self, context: Context<'_>, id: Id, changed: &mut Changed) {
        let old = self.nodes.remove(&id);
        self.outside.remove(&id);
        let Some(sled) = context.intent.sled(id) else {
            if let Some(old) = old {
                let port = ObjectKey::Port(system::port_id(old.underlay.sled));
                self.put(changed, port, None);
                self.sleds.remove(&old.underlay.sled);
                changed.gone.push(old.underlay.sled);
            }
            return;
        };
        let (port, system) = match system::port(context.az, context.boundary, sled) {
            Some([port, system]) => (Some(port), Some(system)),
            None => (None, None),
        };
        let has_system = system.is_some();
        let key = ObjectKey::Port(system::port_id(sled.spec.prefix));
        self.put(changed, key, port);
        let node = Node {
            underlay: system::underlay(&sled.spec, context.az.spec.underlay_mtu),
            system,
            needs: needs::of(self, context.intent, id, has_system.then_some(key)),
        };
        if node.needs.contains(&ObjectKey::Mapping(Vni::BOUNDARY)) {
            self.outside.insert(id);
        }
        match old {
            None => {
                changed.come.insert(id);
            }
            Some(old) => {
                let own = changed.own.entry(id).or_default();
                if old.underlay != node.underlay {
                    own.push(StateObject::Underlay(node.underlay));
                }
                if let Some(system) = &node.system
                    && old.system.is_some()
                    && old.system != node.system
                {
                    own.push((*system.object).clone());
                }
                changed.needs.insert(id, old.needs);
            }
        }
        self.sleds.insert(sled.spec.prefix, id);
        self.nodes.insert(id, node);
    }
}

/// The rule sets of a VPC in a state that is being assembled.
fn rule_sets(state: &mut HostState, vni: Vni) -> Option<&mut Vec<RuleSet>> {
    let vpc = state.vpcs.iter_mut().find(|vpc| vpc.vni == vni)?;
    Some(&mut vpc.rule_sets)
}
