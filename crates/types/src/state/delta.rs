//! What changes a node's state: the same few objects for every node concerned.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{
    DomainName, HostState, MappingEntry, MappingState, NatEntry, NatState, ObjectName, StateObject,
    StateVersion, SwitchState, ZoneRecord, ZoneState,
};
use crate::{Generation, Vni};

/// A change of a node's state.
///
/// A delta fits on the state it was made for. A node that finds it does not (a table is not of the
/// generation that the change begins at) asks for its whole state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateDelta {
    /// Version of the format.
    pub version: StateVersion,
    /// The generation of the state after it.
    pub generation: Generation,
    /// What changes, no object twice.
    #[serde(default)]
    pub changes: Vec<ObjectChange>,
}

/// A change of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "handed over one by one, never kept in bulk"
)]
pub enum ObjectChange {
    /// The object is there, or is now this one.
    Put(StateObject),
    /// The object is not there any longer.
    Remove(ObjectName),
    /// A mapping table that is there has other entries.
    Mapping(MappingDelta),
    /// A zone that is there has other records.
    Zone(ZoneDelta),
    /// The table of blocks of ports has other entries.
    Nat(NatDelta),
}

/// A change of a mapping table: as long as what changes, not as the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingDelta {
    /// The network.
    pub vni: Vni,
    /// The table's generation before.
    pub from: Generation,
    /// The table's generation afterwards.
    pub generation: Generation,
    /// New entries, and new holders of what was held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub put: Vec<MappingEntry>,
    /// What nobody holds any longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<IpNet>,
}

/// A change of a zone: as long as what changes, not as the zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneDelta {
    /// The VPC.
    pub vpc: Vni,
    /// The zone's name.
    pub origin: DomainName,
    /// The zone's generation before.
    pub from: Generation,
    /// The zone's generation afterwards.
    pub generation: Generation,
    /// What is said no longer: every record of these names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Option<DomainName>>,
    /// What is said instead, or for the first time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub put: Vec<ZoneRecord>,
}

/// A change of who holds blocks of ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatDelta {
    /// The table's generation before.
    pub from: Generation,
    /// The table's generation afterwards.
    pub generation: Generation,
    /// New entries, and new holders of what was held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub put: Vec<NatEntry>,
    /// What nobody holds any longer, by address and first port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<(IpAddr, u16)>,
}

/// Why a delta does not fit on a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeltaError {
    /// The object that changes is not there.
    NotThere(ObjectName),
    /// The object is of another generation than the change begins at.
    Generation {
        /// The object.
        name: ObjectName,
        /// The generation that it has.
        found: Generation,
        /// The generation that the change begins at.
        expected: Generation,
    },
    /// No node of this kind has such an object.
    Foreign(ObjectName),
    /// Every node has this object for good.
    Needed(ObjectName),
}

impl fmt::Display for DeltaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere(name) => write!(f, "the state has no {name:?} to change"),
            Self::Generation {
                name,
                found,
                expected,
            } => write!(
                f,
                "{name:?} is of generation {found}, and the change begins at {expected}"
            ),
            Self::Foreign(name) => write!(f, "a node of this kind has no {name:?}"),
            Self::Needed(name) => write!(f, "the state cannot be without {name:?}"),
        }
    }
}

impl core::error::Error for DeltaError {}

impl HostState {
    /// Applies a change; lists stay in the order of names.
    ///
    /// # Errors
    /// Where the change does not fit. The state is then half changed and of no use.
    pub fn apply(&mut self, delta: StateDelta) -> Result<(), DeltaError> {
        for change in delta.changes {
            match change {
                ObjectChange::Put(object) => self.put(object)?,
                ObjectChange::Remove(name) => self.remove(name)?,
                ObjectChange::Mapping(change) => {
                    let mut tables = self.mappings.iter_mut();
                    let table = tables.find(|table| table.vni == change.vni);
                    let name = ObjectName::Mapping(change.vni);
                    table.ok_or(DeltaError::NotThere(name))?.change(change)?;
                }
                ObjectChange::Zone(change) => {
                    let mut zones = self.zones.iter_mut();
                    let zone =
                        zones.find(|one| one.vni == change.vpc && one.origin == change.origin);
                    let missing = || DeltaError::NotThere(change.name());
                    zone.ok_or_else(missing)?.change(change)?;
                }
                ObjectChange::Nat(_) => return Err(DeltaError::Foreign(ObjectName::Nat)),
            }
        }
        self.generation = delta.generation;
        Ok(())
    }

    fn put(&mut self, object: StateObject) -> Result<(), DeltaError> {
        match object {
            StateObject::Underlay(underlay) => self.underlay = underlay,
            StateObject::Boundary(boundary) => self.boundary = boundary,
            StateObject::System(system) => self.system = Some(system),
            StateObject::Vpc(mut vpc) => {
                let old = self.vpcs.iter_mut().find(|old| old.vni == vpc.vni);
                vpc.rule_sets =
                    old.map_or_else(Vec::new, |old| core::mem::take(&mut old.rule_sets));
                put(&mut self.vpcs, vpc, |vpc| vpc.vni);
            }
            StateObject::RuleSet { vpc, set } => {
                let name = ObjectName::Vpc(vpc);
                let vpc = self.vpcs.iter_mut().find(|one| one.vni == vpc);
                let vpc = vpc.ok_or(DeltaError::NotThere(name))?;
                put(&mut vpc.rule_sets, set, |set| set.id);
            }
            StateObject::Mapping(table) => put(&mut self.mappings, table, |table| table.vni),
            StateObject::Port(port) => put(&mut self.ports, port, |port| port.id),
            StateObject::Attachment(attachment) => {
                put(&mut self.attachments, attachment, |at| at.port);
            }
            StateObject::Zone(zone) => {
                put(&mut self.zones, zone, |zone| {
                    (zone.vni, zone.origin.clone())
                });
            }
            StateObject::Instance(instance) => {
                put(&mut self.instances, instance, |instance| instance.id);
            }
            StateObject::Switch(_) | StateObject::Nat(_) => {
                return Err(DeltaError::Foreign(object.name()));
            }
        }
        Ok(())
    }

    fn remove(&mut self, name: ObjectName) -> Result<(), DeltaError> {
        match &name {
            ObjectName::Underlay | ObjectName::Boundary => return Err(DeltaError::Needed(name)),
            ObjectName::Switch | ObjectName::Nat => return Err(DeltaError::Foreign(name)),
            ObjectName::System => self.system = None,
            ObjectName::Vpc(vni) => self.vpcs.retain(|vpc| vpc.vni != *vni),
            ObjectName::RuleSet { vpc, id } => {
                for vpc in self.vpcs.iter_mut().filter(|one| one.vni == *vpc) {
                    vpc.rule_sets.retain(|set| set.id != *id);
                }
            }
            ObjectName::Mapping(vni) => self.mappings.retain(|table| table.vni != *vni),
            ObjectName::Port(port) => self.ports.retain(|one| one.id != *port),
            ObjectName::Attachment(port) => self.attachments.retain(|at| at.port != *port),
            ObjectName::Zone { vpc, origin } => {
                self.zones
                    .retain(|zone| zone.vni != *vpc || zone.origin != *origin);
            }
            ObjectName::Instance(id) => self.instances.retain(|instance| instance.id != *id),
        }
        Ok(())
    }
}

impl SwitchState {
    /// Applies a change.
    ///
    /// # Errors
    /// Where the change does not fit. The state is then half changed and of no use.
    pub fn apply(&mut self, delta: StateDelta) -> Result<(), DeltaError> {
        for change in delta.changes {
            match change {
                ObjectChange::Put(StateObject::Switch(config)) => self.config = config,
                ObjectChange::Put(StateObject::Mapping(table)) => self.external = Some(table),
                ObjectChange::Put(StateObject::Nat(nat)) => self.nat = Some(nat),
                ObjectChange::Put(object) => return Err(DeltaError::Foreign(object.name())),
                ObjectChange::Remove(ObjectName::Mapping(_)) => self.external = None,
                ObjectChange::Remove(ObjectName::Nat) => self.nat = None,
                ObjectChange::Remove(name) => return Err(DeltaError::Foreign(name)),
                ObjectChange::Mapping(change) => {
                    let missing = DeltaError::NotThere(ObjectName::Mapping(change.vni));
                    self.external.as_mut().ok_or(missing)?.change(change)?;
                }
                ObjectChange::Nat(change) => {
                    let missing = DeltaError::NotThere(ObjectName::Nat);
                    self.nat.as_mut().ok_or(missing)?.change(change)?;
                }
                ObjectChange::Zone(change) => return Err(DeltaError::Foreign(change.name())),
            }
        }
        self.generation = delta.generation;
        Ok(())
    }
}

/// Whether a change begins at the generation that an object has.
fn begins(name: ObjectName, found: Generation, expected: Generation) -> Result<(), DeltaError> {
    if found == expected {
        Ok(())
    } else {
        Err(DeltaError::Generation {
            name,
            found,
            expected,
        })
    }
}

impl ZoneDelta {
    /// The zone that changes.
    #[must_use]
    pub fn name(&self) -> ObjectName {
        ObjectName::Zone {
            vpc: self.vpc,
            origin: self.origin.clone(),
        }
    }
}

impl ZoneState {
    /// Applies a change; records stay in the order of names.
    ///
    /// # Errors
    /// Where the zone is not of the generation that the change begins at.
    pub fn change(&mut self, change: ZoneDelta) -> Result<(), DeltaError> {
        begins(change.name(), self.generation, change.from)?;
        self.records
            .retain(|record| change.remove.binary_search(&record.name).is_err());
        self.records.extend(change.put);
        // Stable: what is said of one name stays in its order.
        self.records.sort_by(|one, other| one.name.cmp(&other.name));
        self.generation = change.generation;
        Ok(())
    }
}

impl NatState {
    /// Applies a change.
    ///
    /// # Errors
    /// Where the table is not of the generation that the change begins at.
    pub fn change(&mut self, change: NatDelta) -> Result<(), DeltaError> {
        begins(ObjectName::Nat, self.generation, change.from)?;
        for key in change.remove {
            if let Ok(at) = self.entries.binary_search_by_key(&key, NatEntry::key) {
                self.entries.remove(at);
            }
        }
        for entry in change.put {
            put(&mut self.entries, entry, NatEntry::key);
        }
        self.generation = change.generation;
        Ok(())
    }
}

impl MappingState {
    /// Applies a change.
    ///
    /// # Errors
    /// Where the table is not of the generation that the change begins at.
    pub fn change(&mut self, change: MappingDelta) -> Result<(), DeltaError> {
        begins(ObjectName::Mapping(self.vni), self.generation, change.from)?;
        for prefix in change.remove {
            if let Ok(at) = self.entries.binary_search_by_key(&prefix, |one| one.prefix) {
                self.entries.remove(at);
            }
        }
        for entry in change.put {
            put(&mut self.entries, entry, |entry| entry.prefix);
        }
        self.generation = change.generation;
        Ok(())
    }
}

/// Puts an element in its place among those sorted by key, or in the place of the one that has its key.
fn put<T, K: Ord>(list: &mut Vec<T>, element: T, key: impl Fn(&T) -> K) {
    let own = key(&element);
    match list.binary_search_by(|one| key(one).cmp(&own)) {
        Ok(at) => list[at] = element,
        Err(at) => list.insert(at, element),
    }
}
