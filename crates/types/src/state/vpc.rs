//! A VPC as its ports see it.

use alloc::vec::Vec;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::{Router, RuleSet, StateVersion, SubnetId};
use crate::{Generation, NodePrefix, Vni};

/// What the ports of a VPC have in common, but for who holds which address
/// ([`MappingState`](super::MappingState)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcState {
    /// Version of the format.
    pub version: StateVersion,
    /// Counts the changes of this object.
    pub generation: Generation,
    /// The VPC's network identifier.
    pub vni: Vni,
    /// Its blocks of IPv4 addresses.
    #[serde(default)]
    pub ipv4: Vec<Ipv4Net>,
    /// Its block of IPv6 addresses, a /48 of unique local ones (RFC 4193).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Net>,
    /// Its subnets.
    #[serde(default)]
    pub subnets: Vec<Subnet>,
    /// Its routers.
    #[serde(default)]
    pub routers: Vec<Router>,
    /// Its firewall rules.
    #[serde(default)]
    pub rule_sets: Vec<RuleSet>,
    /// What becomes of connections that a change of its rules forbids.
    #[serde(default, skip_serializing_if = "ExistingConnections::is_keep")]
    pub existing_connections: ExistingConnections,
    /// Who may send with foreign sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transit: Vec<TransitHolder>,
    /// The VPCs it is peered with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Peer>,
}

/// What becomes of connections that a change of rules forbids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExistingConnections {
    /// They go on; only new ones are refused.
    #[default]
    Keep,
    /// They are cut with their next packet.
    Cut,
}

impl ExistingConnections {
    /// Whether they go on.
    #[must_use]
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

/// A subnet, with a prefix of one family or of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subnet {
    /// Its number.
    pub id: SubnetId,
    /// Its IPv4 prefix, of at most 29 bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<Ipv4Net>,
    /// Its IPv6 prefix, of 64 bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Net>,
}

/// A sled on which a guest may send packets whose source is not its own: an appliance that
/// forwards. Every other packet must come from the sled that holds its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TransitHolder {
    /// The sources.
    pub prefix: IpNet,
    /// The sled.
    pub sled: NodePrefix,
}

/// Another VPC whose guests may be reached, and may reach this one's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The peer's network identifier.
    pub vni: Vni,
    /// The peer's blocks of IPv4 addresses.
    #[serde(default)]
    pub ipv4: Vec<Ipv4Net>,
    /// The peer's block of IPv6 addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Net>,
    /// Who of the peer may send with foreign sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transit: Vec<TransitHolder>,
}
