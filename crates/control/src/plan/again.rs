//! Planning again what is dirty.

use std::collections::BTreeSet;

use rackweave_types::Vni;
use rackweave_types::state::{MappingEntry, NatEntry, PortConfig, RuleSetId, StateObject};

use super::dirty::{Dirty, Parts};
use super::needs::Needs;
use super::object::{ObjectKey, Planned};
use super::port::{Context, PortRecord};
use super::switch::Switch;
use super::table::TableChange;
use super::vpc::VpcRecord;
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
        for (id, parts) in vpcs {
            let (ports, sleds) = (&mut ports, &mut sleds);
            self.replan_vpc((intent, az), (id, parts), ports, sleds, &mut changed);
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
        (intent, az): (&Intent, &Entry<AzSpec, AzGiven>),
        (id, parts): (Id, Parts),
        ports: &mut BTreeSet<Id>,
        sleds: &mut BTreeSet<Id>,
        changed: &mut Changed,
    ) {
        let old = self.vpcs.remove(&id);
        let new = vpc::plan(intent, az, id, parts, old.as_ref());
        let Some(vni) = old
            .as_ref()
            .map(|old| old.vni)
            .or(new.as_ref().map(|new| new.record.vni))
        else {
            return;
        };
        let new_sets: BTreeSet<_> = new
            .iter()
            .flat_map(|new| new.record.sets.iter().map(|(set, _)| *set))
            .collect();
        for (set, _) in old.iter().flat_map(|old| &old.sets) {
            if !new_sets.contains(set) {
                self.put(changed, ObjectKey::RuleSet(vni, *set), None);
            }
        }
        let record = new.as_ref().map(|new| new.record.clone());
        let same_ground = match (&old, &record) {
            (Some(old), Some(new)) => old.stands_like(new),
            _ => false,
        };
        if !same_ground {
            ports.extend(intent.nics_of_vpc(id).map(|nic| nic.meta.id));
            let peers = [&old, &record];
            let peers = peers.into_iter().flatten().flat_map(|record| &record.peers);
            for vpc in peers.copied().chain([id]) {
                let nics = intent.nics_of_vpc(vpc);
                sleds.extend(nics.filter_map(|nic| intent.sled_of(nic)));
            }
        }
        let Some(new) = new else {
            self.tables.remove(&vni);
            self.put(changed, ObjectKey::Vpc(vni), None);
            self.put(changed, ObjectKey::Zone(vni), None);
            return;
        };
        for (set, planned) in new.sets {
            self.put(changed, ObjectKey::RuleSet(vni, set), Some(planned));
        }
        self.tables.entry(vni).or_default();
        if let Some(frame) = new.frame {
            self.put(changed, ObjectKey::Vpc(vni), Some(frame));
        }
        if new.parts.zone {
            self.put(changed, ObjectKey::Zone(vni), new.zone);
        }
        if same_ground && old.is_some_and(|old| old.sets != new.record.sets) {
            self.distribute(intent, id, &new.record, changed);
        }
        self.vpcs.insert(id, new.record);
    }

    /// Gives the ports of a VPC the rule sets that are for them, where these alone may have changed: the rest of a port
    /// and of its sled stays as it was planned.
    fn distribute(&mut self, intent: &Intent, vpc: Id, record: &VpcRecord, changed: &mut Changed) {
        for nic in intent.nics_of_vpc(vpc) {
            let (Some(port), Some(instance)) =
                (self.ports.get_mut(&nic.meta.id), intent.instance_of(nic))
            else {
                continue;
            };
            let sets = port::rule_sets(record, nic, instance);
            if port.vpc != vpc || port.rule_sets == sets {
                continue;
            }
            let sled = port.sled;
            let before = std::mem::replace(&mut port.rule_sets, sets.clone());
            let key = ObjectKey::Port(port::port_id(nic.meta.id));
            let planned = self.objects.get(&key).map(|planned| &*planned.object);
            if let Some(StateObject::Port(config)) = planned {
                let config = PortConfig {
                    rule_sets: sets.clone(),
                    ..config.clone()
                };
                let planned = Planned::new(StateObject::Port(config));
                self.put(changed, key, Some(planned));
            }
            let gone = before.into_iter().filter(|set| !sets.contains(set));
            let gone: Vec<_> = gone.filter(|set| !self.is_used(sled, vpc, *set)).collect();
            if let Some(node) = self.nodes.get_mut(&sled) {
                let needs = &mut node.needs;
                let first = changed.needs.entry(sled);
                first.or_insert_with(|| needs.clone());
                let key = |set| ObjectKey::RuleSet(record.vni, set);
                for set in sets {
                    needs.insert(key(set));
                }
                for set in gone {
                    needs.remove(key(set));
                }
            }
        }
    }

    /// Whether a port of a VPC on a sled has a rule set.
    fn is_used(&self, sled: Id, vpc: Id, set: RuleSetId) -> bool {
        let mut ports = self.ports_on(sled);
        ports.any(|(_, port)| port.vpc == vpc && port.rule_sets.contains(&set))
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
        self.retable(changed, vni, old, new);
    }

    fn retable(
        &mut self,
        changed: &mut Changed,
        vni: Vni,
        old: &[MappingEntry],
        new: &[MappingEntry],
    ) {
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
                self.retable(changed, Vni::BOUNDARY, &old.external, &[]);
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
        let external = system::outside(sled.spec.prefix, port.as_ref());
        let before = old.as_ref().map_or(&[][..], |old| &old.external);
        self.retable(changed, Vni::BOUNDARY, before, &external);
        let has_system = system.is_some();
        let key = ObjectKey::Port(system::port_id(sled.spec.prefix));
        self.put(changed, key, port);
        let node = Node {
            underlay: system::underlay(&sled.spec, context.az.spec.underlay_mtu),
            system,
            needs: Needs::of(self, context.intent, id, has_system.then_some(key)),
            blocks,
            external,
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
                changed.needs.entry(id).or_insert(old.needs);
            }
        }
        self.sleds.insert(sled.spec.prefix, id);
        self.nodes.insert(id, node);
    }
}
