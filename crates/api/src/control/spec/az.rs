//! The AZ, its racks and sleds.

use std::net::IpAddr;
use std::num::NonZeroU16;

use rackweave_types::{AzPrefix, MacAddr, NodePrefix, RackNumber};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What holds in the whole AZ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AzSpec {
    /// The AZ's /48 on the underlay; it never changes.
    #[schema(value_type = String, example = "fd00:1122:3344::/48")]
    pub prefix: AzPrefix,
    /// The availability zone as instances are told it, a region and one letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The longest packet that the underlay carries; 9000 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub underlay_mtu: Option<u16>,
    /// The longest packet that the customer's network carries; 1500 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary_mtu: Option<u16>,
    /// The groups of boundary devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<BoundaryGroupSpec>,
    /// DNS servers to which names outside all zones are forwarded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub resolvers: Vec<IpAddr>,
    /// The domain above all projects; `internal` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The directory of vhost-user sockets on every sled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket_dir: Option<String>,
    /// The TCP port at which controllers serve users from outside; 443 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u16>, minimum = 1)]
    pub api_port: Option<NonZeroU16>,
}

/// A group of boundary devices that serve the same external addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoundaryGroupSpec {
    /// Which one of the service rack's, from 0.
    pub index: u8,
    /// The pools that it serves; all of them where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<String>,
}

/// A rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RackSpec {
    /// Its number in addresses, two hexadecimal digits from 01 to fe; it never changes.
    #[schema(value_type = String, pattern = "^[0-9a-f]{2}$", example = "01")]
    pub number: RackNumber,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
}

/// A sled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SledSpec {
    /// Its /64, as rack setup gave it; it never changes.
    #[schema(value_type = String, example = "fd00:1122:3344:101::/64")]
    pub prefix: NodePrefix,
    /// Whether instances are placed on it.
    #[serde(default, rename = "use")]
    pub in_use: SledUse,
    /// How many NICs of guests it carries; 1024 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Outer Ethernet source of what it sends encapsulated.
    #[schema(value_type = String)]
    pub src_mac: MacAddr,
    /// Outer Ethernet destination.
    #[schema(value_type = String)]
    pub dst_mac: MacAddr,
    /// Whether a controller on it serves users from outside, at external addresses of the system's pools.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub api: bool,
}

/// Whether instances are placed on a sled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SledUse {
    /// They are.
    #[default]
    InService,
    /// No new ones; those that are there stay until they are moved.
    Draining,
    /// It has none, and gets none.
    OutOfService,
}
