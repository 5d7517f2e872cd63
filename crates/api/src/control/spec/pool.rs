//! External addresses.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// External addresses that an operator got from the customer's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IpPoolSpec {
    /// The addresses, as prefixes; every one of them can be given out.
    #[schema(value_type = Vec<String>)]
    pub blocks: Vec<IpNet>,
    /// Those of them that many ports share, each with a block of transport ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub nat: Vec<IpNet>,
    /// How many transport ports a port gets of a shared address, a power of two; 1024 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat_ports: Option<u16>,
    /// Whether it is for the sleds' own way out.
    #[serde(default)]
    pub system: bool,
}

/// A pool that a project may take addresses from; it has the pool's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolLinkSpec {
    /// Whether addresses come from it where no pool is named; one for each family.
    #[serde(default)]
    pub default: bool,
}

/// An external address that outlives instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FloatingIpSpec {
    /// The pool that it is from; the project's default for IPv4 where neither it nor an address is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The address; any free one where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// What it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<FloatingTarget>,
}

/// What a floating address leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FloatingTarget {
    /// An instance of the project.
    pub instance: String,
    /// Its NIC; the one in the lowest slot where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nic: Option<String>,
    /// The NIC's address; the first of its family where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub inside: Option<IpAddr>,
}
