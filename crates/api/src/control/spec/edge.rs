//! Switches and what joins them to the customer's network.

use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::NodePrefix;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A rack switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchSpec {
    /// Its /64; it never changes.
    #[schema(value_type = String, example = "fd00:1122:3344:1fd::/64")]
    pub prefix: NodePrefix,
    /// The boundary group that it is one of, by its index; none where it is no boundary device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u8>,
    /// Its autonomous system; none where it speaks no BGP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
}

/// A link of a switch to the customer's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UplinkSpec {
    /// The interface.
    #[schema(min_length = 1, max_length = 15)]
    pub interface: String,
    /// The switch's addresses there, each with the length of its prefix; none on an unnumbered link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpNet>,
    /// The 802.1Q tag of its frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 4094)]
    pub vlan: Option<u16>,
    /// The longest packet that it carries; 1500 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
}

/// A BGP session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BgpPeerSpec {
    /// The uplink over which the peer is reached.
    pub uplink: String,
    /// The peer's address; the one neighbour of the link where there is none (unnumbered).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// The peer's autonomous system; any but our own where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Seconds without a word until the peer counts as dead; 90 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_time: Option<u16>,
    /// What the peer may tell; everything where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub import: Vec<IpNet>,
    /// The most prefixes that the peer may tell; a million where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_prefixes: Option<u32>,
}

/// A static route of a switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaticRouteSpec {
    /// Where to.
    #[schema(value_type = String, example = "0.0.0.0/0")]
    pub destination: IpNet,
    /// By whom.
    #[schema(value_type = String)]
    pub next_hop: IpAddr,
}
