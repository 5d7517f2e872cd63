//! Switches and what joins them to the customer's network.

use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::state::InterfaceName;
use rackweave_types::{Asn, Mtu, NodePrefix, Vlan, reserved};
use serde::{Deserialize, Serialize};

use crate::name::Name;

/// A rack switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchSpec {
    /// Its /64; it never changes.
    pub prefix: NodePrefix,
    /// The boundary group that it is one of, by its index; none where it is no boundary device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u8>,
    /// Its autonomous system; none where it speaks no BGP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<Asn>,
}

/// A link of a switch to the customer's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UplinkSpec {
    /// The interface.
    pub interface: InterfaceName,
    /// The switch's addresses there, each with the length of its prefix; none on an unnumbered link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpNet>,
    /// The 802.1Q tag of its frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Vlan>,
    /// The longest packet that it carries.
    #[serde(default = "mtu")]
    pub mtu: Mtu,
}

/// A BGP session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpPeerSpec {
    /// The uplink over which the peer is reached.
    pub uplink: Name,
    /// The peer's address; the one neighbour of the link where there is none (unnumbered).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The peer's autonomous system; any but our own where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<Asn>,
    /// Seconds without a word until the peer counts as dead.
    #[serde(default = "hold_time")]
    pub hold_time: u16,
    /// What the peer may tell; everything where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub import: Vec<IpNet>,
    /// The most prefixes that the peer may tell.
    #[serde(default = "max_prefixes")]
    pub max_prefixes: u32,
}

/// A static route of a switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticRouteSpec {
    /// Where to.
    pub destination: IpNet,
    /// By whom.
    pub next_hop: IpAddr,
}

const fn mtu() -> Mtu {
    reserved::GUEST_MTU
}

const fn hold_time() -> u16 {
    90
}

const fn max_prefixes() -> u32 {
    1_000_000
}
