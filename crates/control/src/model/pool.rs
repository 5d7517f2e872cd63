//! External addresses.

use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::state::NatBlock;
use serde::{Deserialize, Serialize};

use crate::key::Id;
use crate::name::Name;

/// External addresses that an operator got from the customer's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpPoolSpec {
    /// The addresses, as prefixes; every one of them can be given out.
    pub blocks: Vec<IpNet>,
    /// Those of them that many ports share, each with a block of transport ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nat: Vec<IpNet>,
    /// How many transport ports a port gets of a shared address, a power of two.
    #[serde(default = "nat_ports")]
    pub nat_ports: u16,
    /// Whether it is for the sleds' own way out.
    #[serde(default)]
    pub system: bool,
}

/// A pool that a project may take addresses from; it has the pool's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolLinkSpec {
    /// Whether addresses come from it where no pool is named; one for each family.
    #[serde(default)]
    pub default: bool,
}

/// What a link was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolLinkGiven {
    /// The pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Id>,
}

/// An external address that outlives instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloatingIpSpec {
    /// The pool that it is from; the project's default for IPv4 where neither it nor an address is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Name>,
    /// The address; any free one where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<FloatingTarget>,
}

/// What a floating address leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloatingTarget {
    /// An instance of the project.
    pub instance: Name,
    /// Its NIC; the one in the lowest slot where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nic: Option<Name>,
    /// The NIC's address; the first of its family where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<IpAddr>,
}

/// What a floating address was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloatingIpGiven {
    /// The pool and the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<(Id, IpAddr)>,
    /// What it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<GivenTarget>,
}

/// What a floating address leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenTarget {
    /// The NIC.
    pub nic: Id,
    /// Its address.
    pub inside: IpAddr,
}

/// A block of transport ports of a shared address.
///
/// Which block a number stands for is arithmetic ([`crate::allocate::nat`]): so is who had an
/// address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenNat {
    /// The pool.
    pub pool: Id,
    /// The number of the block in the pool, from 0.
    pub number: u32,
    /// The block.
    pub block: NatBlock,
}

const fn nat_ports() -> u16 {
    1024
}
