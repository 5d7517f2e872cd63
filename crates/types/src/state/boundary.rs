//! The way out to the customer's network.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::StateVersion;
use crate::{Generation, MacAddr, Mtu, Vni};

/// Boundary services as sleds see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundaryState {
    /// Version of the format.
    pub version: StateVersion,
    /// Counts the changes of this object.
    pub generation: Generation,
    /// The network identifier of what goes out and comes in; [`Vni::BOUNDARY`] in every AZ so far.
    pub vni: Vni,
    /// The longest IP packet that the customer's network carries.
    pub mtu: Mtu,
    /// The groups of boundary devices.
    #[serde(default)]
    pub groups: Vec<BoundaryGroup>,
}

/// A group of boundary devices that serve the same external addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundaryGroup {
    /// The group's anycast address of the service rack: the source of all that the group sends to
    /// sleds and the target of all that they send to it.
    pub address: Ipv6Addr,
    /// The inner Ethernet address of what is sent to the group.
    pub mac: MacAddr,
    /// The external addresses that the group serves; every one where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<IpNet>,
}
