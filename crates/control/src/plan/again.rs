//! Planning again what is dirty.

use std::collections::BTreeSet;

use rackweave_types::Vni;
use rackweave_types::state::{MappingEntry, NatEntry, StateObject};

use super::dirty::Dirty;
use super::needs::Needs;
use super::object::{ObjectKey, Planned};
use super::port::{Context, PortRecord};
use super::switch::Switch;
use super::table::TableChange;
use super::{Changed, Node, Plan, instance, port, switch, system, vpc};
use crate::intent::Intent;
use crate::key::Id;
use crate::model::{AzGiven, AzSpec, Entry};

impl Plan {
    /// Plans what is dirty again.
    pub(super) fn replan(&mut self, intent: &Intent, dirty: Dirty) -> Changed {
        let mut changed = Changed::default();
        self.head = intent.head();
        let Some(az) = intent.az() else {
            let switches = self.switches.values().map(Switch::prefix);
            changed.gone = self.sleds.keys().copied().chain(switches).collect();
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
            switches,
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
        for switch in switches {
            self.replan_switch(context, switch, &mut changed);
        }
        changed
    }

    /// An object becomes this, or goes.
    fn put(&mut self, changed: &mut Changed, key: ObjectKey, planned: Option<Planned>) {
        if self.objects.get(&key) == planned.as_ref() {
            return;
        }
        changed.objects.insert(key);
        let old = match planned {
            Some(planned) => self.objects.insert(key, planned),
            None => self.objects.remove(&key),
        };
        if let (ObjectKey::Zone(vni), Some(old)) = (key, old) {
            changed.zones.insert(vni, old);
        }
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
            self.remap(changed, vni, old.as_ref(), record.as_ref(), |record| {
                &record.inside
            });
        }
        self.remap(
            changed,
            Vni::BOUNDARY,
            old.as_ref(),
            record.as_ref(),
            |record| &record.outside,
        );
        let [before, now] =
            [&old, &record].map(|record| record.as_ref().map_or(&[][..], |record| &record.blocks));
        self.renat(changed, before, now);
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
        if let Some(record) = &old {
            self.sled_ports.remove(&(record.sled, nic));
        }
        if let Some(record) = &record {
            self.sled_ports.insert((record.sled, nic));
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
        old: Option<&PortRecord>,
        new: Option<&PortRecord>,
        held: impl Fn(&PortRecord) -> &Vec<MappingEntry>,
    ) {
        let old = old.map(&held).map_or(&[][..], Vec::as_slice);
        let new = new.map(&held).map_or(&[][..], Vec::as_slice);
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

    fn renat(&mut self, changed: &mut Changed, old: &[NatEntry], new: &[NatEntry]) {
        if old != new {
            let change = changed
                .nat
                .get_or_insert_with(|| TableChange::new(&self.nat));
            change.replace(&mut self.nat, old, new);
        }
    }

    fn replan_switch(&mut self, context: Context<'_>, id: Id, changed: &mut Changed) {
        let old = self.switches.remove(&id);
        let Some(new) = switch::plan(context, id) else {
            changed.gone.extend(old.as_ref().map(Switch::prefix));
            return;
        };
        if old.as_ref() != Some(&new) {
            changed.switches.insert(id, old);
        }
        self.switches.insert(id, new);
    }

    fn replan_sled(&mut self, context: Context<'_>, id: Id, changed: &mut Changed) {
        let old = self.nodes.remove(&id);
        self.outside.remove(&id);
        let Some(sled) = context.intent.sled(id) else {
            if let Some(old) = old {
                let port = ObjectKey::Port(system::port_id(old.underlay.sled));
                self.put(changed, port, None);
                self.renat(changed, &old.blocks, &[]);
                self.sleds.remove(&old.underlay.sled);
                changed.gone.push(old.underlay.sled);
            }
            return;
        };
        let (port, system) = match system::port(context.az, context.boundary, sled) {
            Some([port, system]) => (Some(port), Some(system)),
            None => (None, None),
        };
        let blocks = system::blocks(sled.spec.prefix, port.as_ref());
        let before = old.as_ref().map_or(&[][..], |old| &old.blocks);
        self.renat(changed, before, &blocks);
        let has_system = system.is_some();
        let key = ObjectKey::Port(system::port_id(sled.spec.prefix));
        self.put(changed, key, port);
        let node = Node {
            underlay: system::underlay(&sled.spec, context.az.spec.underlay_mtu),
            system,
            needs: Needs::of(self, context.intent, id, has_system.then_some(key)),
            blocks,
        };
        if node.needs.contains(ObjectKey::Mapping(Vni::BOUNDARY)) {
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
