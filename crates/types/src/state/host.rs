//! All that a sled runs.

use alloc::vec::Vec;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    Attachment, BoundaryState, InstanceState, MappingState, PortConfig, SledUnderlay, StateVersion,
    VpcState, ZoneState,
};
use crate::{Generation, PortId};

/// The state of a sled: the set of objects that it needs, the same as a file and as what a controller sends.
///
/// No object stands in it twice (by its name; see the table in [`state`](super)), and what a port names (its VPC, its
/// router, its rule sets) is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostState {
    /// Version of the format.
    pub version: StateVersion,
    /// Counts the changes of the set.
    pub generation: Generation,
    /// The sled's place on the underlay.
    pub underlay: SledUnderlay,
    /// The way out.
    pub boundary: BoundaryState,
    /// What the sled itself needs from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemState>,
    /// VPCs.
    #[serde(default)]
    pub vpcs: Vec<VpcState>,
    /// Who holds which address.
    #[serde(default)]
    pub mappings: Vec<MappingState>,
    /// Guest NICs, and the system's.
    #[serde(default)]
    pub ports: Vec<PortConfig>,
    /// Where guest NICs meet the sled; a port without one is there and has no guest.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// DNS zones.
    #[serde(default)]
    pub zones: Vec<ZoneState>,
    /// Instances.
    #[serde(default)]
    pub instances: Vec<InstanceState>,
}

/// What a sled itself needs from outside. The underlay knows no way out, so it leaves through a port of the system VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemState {
    /// Version of the format.
    pub version: StateVersion,
    /// Counts the changes of this object.
    pub generation: Generation,
    /// The port, one of [`HostState::ports`]; the sled itself is its guest.
    pub port: PortId,
    /// DNS servers to which names outside all zones are forwarded, in order.
    #[serde(default)]
    pub resolvers: Vec<IpAddr>,
}
