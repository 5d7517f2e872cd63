//! The objects of a node's state, each by its name.

use serde::{Deserialize, Serialize};

use super::{
    Attachment, BoundaryState, DomainName, InstanceId, InstanceState, MappingState, NatState,
    PortConfig, RuleSet, RuleSetId, SledUnderlay, SwitchConfig, SystemState, VpcState, ZoneState,
};
use crate::{Generation, PortId, Vni};

/// Names an object within the state of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectName {
    /// The [`SledUnderlay`].
    Underlay,
    /// The [`BoundaryState`].
    Boundary,
    /// The [`SystemState`].
    System,
    /// A [`VpcState`], without its rule sets.
    Vpc(Vni),
    /// A [`RuleSet`] of a VPC.
    RuleSet {
        /// The VPC.
        vpc: Vni,
        /// Its number there.
        id: RuleSetId,
    },
    /// A [`MappingState`].
    Mapping(Vni),
    /// A [`PortConfig`].
    Port(PortId),
    /// An [`Attachment`].
    Attachment(PortId),
    /// A [`ZoneState`].
    Zone {
        /// The VPC.
        vpc: Vni,
        /// The zone's name.
        origin: DomainName,
    },
    /// An [`InstanceState`].
    Instance(InstanceId),
    /// The [`SwitchConfig`].
    Switch,
    /// The [`NatState`].
    Nat,
}

/// An object of a node's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "handed over one by one, never kept in bulk"
)]
pub enum StateObject {
    /// The node's place on the underlay.
    Underlay(SledUnderlay),
    /// The way out.
    Boundary(BoundaryState),
    /// What the sled itself needs from outside.
    System(SystemState),
    /// A VPC. Its rule sets are objects of their own: those that stand here say nothing.
    Vpc(VpcState),
    /// Rules of a VPC.
    RuleSet {
        /// The VPC.
        vpc: Vni,
        /// The rules.
        set: RuleSet,
    },
    /// Who holds which address.
    Mapping(MappingState),
    /// A guest NIC.
    Port(PortConfig),
    /// Where a guest NIC meets the sled.
    Attachment(Attachment),
    /// A DNS zone.
    Zone(ZoneState),
    /// An instance.
    Instance(InstanceState),
    /// What is a switch's own.
    Switch(SwitchConfig),
    /// Who holds blocks of ports of shared external addresses.
    Nat(NatState),
}

impl StateObject {
    /// The object's name.
    #[must_use]
    pub fn name(&self) -> ObjectName {
        match self {
            Self::Underlay(_) => ObjectName::Underlay,
            Self::Boundary(_) => ObjectName::Boundary,
            Self::System(_) => ObjectName::System,
            Self::Vpc(vpc) => ObjectName::Vpc(vpc.vni),
            Self::RuleSet { vpc, set } => ObjectName::RuleSet {
                vpc: *vpc,
                id: set.id,
            },
            Self::Mapping(table) => ObjectName::Mapping(table.vni),
            Self::Port(port) => ObjectName::Port(port.id),
            Self::Attachment(attachment) => ObjectName::Attachment(attachment.port),
            Self::Zone(zone) => ObjectName::Zone {
                vpc: zone.vni,
                origin: zone.origin.clone(),
            },
            Self::Instance(instance) => ObjectName::Instance(instance.id),
            Self::Switch(_) => ObjectName::Switch,
            Self::Nat(_) => ObjectName::Nat,
        }
    }

    /// The object's generation. The underlay has none: it is the same while the sled runs.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        match self {
            Self::Underlay(_) => Generation::ZERO,
            Self::Boundary(boundary) => boundary.generation,
            Self::System(system) => system.generation,
            Self::Vpc(vpc) => vpc.generation,
            Self::RuleSet { set, .. } => set.generation,
            Self::Mapping(table) => table.generation,
            Self::Port(port) => port.generation,
            Self::Attachment(attachment) => attachment.generation,
            Self::Zone(zone) => zone.generation,
            Self::Instance(instance) => instance.generation,
            Self::Switch(config) => config.generation,
            Self::Nat(nat) => nat.generation,
        }
    }

    /// Gives the object a generation; the underlay has none.
    pub const fn set_generation(&mut self, generation: Generation) {
        let place = match self {
            Self::Underlay(_) => return,
            Self::Boundary(boundary) => &mut boundary.generation,
            Self::System(system) => &mut system.generation,
            Self::Vpc(vpc) => &mut vpc.generation,
            Self::RuleSet { set, .. } => &mut set.generation,
            Self::Mapping(table) => &mut table.generation,
            Self::Port(port) => &mut port.generation,
            Self::Attachment(attachment) => &mut attachment.generation,
            Self::Zone(zone) => &mut zone.generation,
            Self::Instance(instance) => &mut instance.generation,
            Self::Switch(config) => &mut config.generation,
            Self::Nat(nat) => &mut nat.generation,
        };
        *place = generation;
    }
}
