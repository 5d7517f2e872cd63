//! The state of a rack switch.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{InterfaceName, MappingState, NatBlock, StateVersion};
use crate::{Asn, Generation, MacAddr, Mtu, NodePrefix, Vlan};

/// The state of a switch: the set of objects that it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchState {
    /// Version of the format.
    pub version: StateVersion,
    /// Counts the changes of the set.
    pub generation: Generation,
    /// What is the switch's own.
    pub config: SwitchConfig,
    /// Who holds an external address alone; only where the switch is a boundary device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<MappingState>,
    /// Who holds blocks of shared ones; only where the switch is a boundary device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat: Option<NatState>,
}

/// What is one switch's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchConfig {
    /// Version of the format.
    pub version: StateVersion,
    /// Counts the changes of this object.
    pub generation: Generation,
    /// The switch's /64.
    pub switch: NodePrefix,
    /// What it is as a boundary device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<BoundaryDevice>,
    /// Its autonomous system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<Asn>,
    /// Its links to the customer's network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uplinks: Vec<UplinkConfig>,
    /// Its BGP sessions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<BgpPeerConfig>,
    /// Its static routes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<StaticRouteConfig>,
}

/// A switch as one of a group of boundary devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundaryDevice {
    /// The group's anycast address of the service rack.
    pub group: Ipv6Addr,
    /// The group's inner Ethernet address.
    pub mac: MacAddr,
    /// The longest packet that the customer's network carries.
    pub mtu: Mtu,
    /// The longest packet that the underlay carries.
    pub underlay_mtu: Mtu,
    /// The external addresses that the group serves.
    pub pools: Vec<IpNet>,
}

/// A link to the customer's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UplinkConfig {
    /// What operators call it.
    pub name: String,
    /// The interface.
    pub interface: InterfaceName,
    /// The switch's addresses there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpNet>,
    /// The 802.1Q tag of its frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Vlan>,
    /// The longest packet that it carries.
    pub mtu: Mtu,
}

/// A BGP session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpPeerConfig {
    /// What operators call it.
    pub name: String,
    /// The uplink, by name.
    pub uplink: String,
    /// The peer's address; the one neighbour of the link where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The peer's autonomous system; any but our own where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<Asn>,
    /// Seconds without a word until the peer counts as dead.
    pub hold_time: u16,
    /// What the peer may tell; everything where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub import: Vec<IpNet>,
    /// The most prefixes that the peer may tell.
    pub max_prefixes: u32,
}

/// A static route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticRouteConfig {
    /// Where to.
    pub destination: IpNet,
    /// By whom.
    pub next_hop: IpAddr,
}

/// Who holds blocks of ports of shared external addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatState {
    /// Version of the format.
    pub version: StateVersion,
    /// Counts the changes of this object.
    pub generation: Generation,
    /// The holders, by address and port.
    #[serde(default)]
    pub entries: Vec<NatEntry>,
}

/// Who holds a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatEntry {
    /// The block.
    pub block: NatBlock,
    /// The holder's sled.
    pub sled: NodePrefix,
    /// The holder's Ethernet address.
    pub mac: MacAddr,
}

impl NatEntry {
    /// By what entries are told apart and sorted: the address, and the first port.
    #[must_use]
    pub const fn key(&self) -> (IpAddr, u16) {
        (self.block.address, self.block.ports.first())
    }
}
