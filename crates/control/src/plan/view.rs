//! What a plan says of one node.

use rackweave_types::state::{
    HostState, ObjectName, RuleSet, StateDigest, StateObject, StateVersion, SwitchState,
};
use rackweave_types::{NodePrefix, Vni};

use super::object::ObjectKey;
use super::switch::Switch;
use super::{Node, Plan};

impl Plan {
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
        for key in node.needs.iter() {
            match self.object(node, key) {
                Some(StateObject::System(system)) => state.system = Some(system),
                Some(StateObject::Vpc(vpc)) => state.vpcs.push(vpc),
                Some(StateObject::RuleSet { vpc, set }) => {
                    if let Some(sets) = rule_sets(&mut state, vpc) {
                        sets.push(set.clone());
                    }
                }
                Some(StateObject::Mapping(table)) => state.mappings.push(table),
                Some(StateObject::Port(port)) => state.ports.push(port),
                Some(StateObject::Attachment(attachment)) => state.attachments.push(attachment),
                Some(StateObject::Zone(zone)) => state.zones.push(zone),
                Some(StateObject::Instance(instance)) => state.instances.push(instance),
                Some(
                    StateObject::Boundary(_)
                    | StateObject::Underlay(_)
                    | StateObject::Switch(_)
                    | StateObject::Nat(_),
                )
                | None => {}
            }
        }
        Some(state)
    }

    /// The state of a switch; none where it is not known.
    #[must_use]
    pub fn switch(&self, switch: NodePrefix) -> Option<SwitchState> {
        let mut switches = self.switches.values();
        let found = switches.find(|one| one.prefix() == switch)?;
        let table = self.tables.get(&Vni::BOUNDARY);
        Some(SwitchState {
            version: StateVersion::CURRENT,
            generation: self.head,
            config: found.config().clone(),
            external: table
                .filter(|_| found.is_boundary())
                .map(|table| table.state(Vni::BOUNDARY)),
            nat: found.is_boundary().then(|| self.nat.state()),
        })
    }

    /// The switches that are planned.
    pub fn switches(&self) -> impl Iterator<Item = NodePrefix> {
        self.switches.values().map(Switch::prefix)
    }

    /// The digest of a node's state, as the node computes it of its own.
    #[must_use]
    pub fn digest(&self, node: NodePrefix) -> Option<StateDigest> {
        let Some(id) = self.sleds.get(&node) else {
            let mut switches = self.switches.values();
            let switch = switches.find(|one| one.prefix() == node)?;
            return Some(switch.digest(self.tables.get(&Vni::BOUNDARY), &self.nat));
        };
        let node = self.nodes.get(id)?;
        let named = |key: ObjectKey| match key {
            ObjectKey::Mapping(vni) => {
                let table = self.tables.get(&vni)?;
                Some((ObjectName::Mapping(vni), table.generation()))
            }
            ObjectKey::System => {
                let system = node.system.as_ref()?;
                Some((ObjectName::System, system.generation))
            }
            key => {
                let planned = self.objects.get(&key)?;
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
}

/// The rule sets of a VPC in a state that is being assembled.
fn rule_sets(state: &mut HostState, vni: Vni) -> Option<&mut Vec<RuleSet>> {
    let vpc = state.vpcs.iter_mut().find(|vpc| vpc.vni == vni)?;
    Some(&mut vpc.rule_sets)
}
