//! The AZ, its racks and sleds.

use std::net::IpAddr;

use ipnet::Ipv6Net;
use rackweave_types::state::DomainName;
use rackweave_types::{AzPrefix, MacAddr, Mtu, NodePrefix, RackNumber, reserved};
use serde::{Deserialize, Serialize};

use super::GivenNat;
use crate::key::Id;
use crate::name::Name;

/// What holds in the whole AZ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AzSpec {
    /// The AZ's /48 on the underlay; it never changes.
    pub prefix: AzPrefix,
    /// The availability zone as instances are told it, a region and one letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The longest packet that the underlay carries.
    #[serde(default = "underlay_mtu")]
    pub underlay_mtu: Mtu,
    /// The longest packet that the customer's network carries.
    #[serde(default = "guest_mtu")]
    pub boundary_mtu: Mtu,
    /// The groups of boundary devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<BoundaryGroupSpec>,
    /// DNS servers to which names outside all zones are forwarded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolvers: Vec<IpAddr>,
    /// The domain above all projects; it never changes.
    #[serde(default = "domain")]
    pub domain: DomainName,
    /// The directory of vhost-user sockets on every sled.
    #[serde(default = "socket_dir")]
    pub socket_dir: String,
    /// The TCP port at which controllers serve users from outside.
    #[serde(default = "api_port", skip_serializing_if = "is_api_port")]
    pub api_port: u16,
}

/// A group of boundary devices that serve the same external addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundaryGroupSpec {
    /// Which one of the service rack's, from 0.
    pub index: u8,
    /// The pools that it serves; all of them where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<Name>,
}

/// What the AZ was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AzGiven {
    /// The block of the system VPC, through which sleds reach the world outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_ipv6: Option<Ipv6Net>,
}

/// A rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RackSpec {
    /// Its number in addresses; it never changes.
    pub number: RackNumber,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
}

/// A sled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SledSpec {
    /// Its /64, as rack setup gave it; it never changes.
    pub prefix: NodePrefix,
    /// Whether instances are placed on it.
    #[serde(default, rename = "use")]
    pub in_use: SledUse,
    /// How many NICs of guests it carries.
    #[serde(default = "capacity")]
    pub capacity: u32,
    /// Outer Ethernet source of what it sends encapsulated.
    pub src_mac: MacAddr,
    /// Outer Ethernet destination.
    pub dst_mac: MacAddr,
    /// Whether a controller on it serves users from outside, at external addresses of the system's pools.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub api: bool,
}

/// Whether instances are placed on a sled.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
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

/// What a sled was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SledGiven {
    /// Its share of the system pool's addresses, one for each family.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nat: Vec<GivenNat>,
    /// The external addresses at which its controller serves users, with their pools: one for each family.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub api: Vec<(Id, IpAddr)>,
}

const fn underlay_mtu() -> Mtu {
    reserved::UNDERLAY_MTU
}

const fn guest_mtu() -> Mtu {
    reserved::GUEST_MTU
}

const fn capacity() -> u32 {
    1024
}

#[expect(clippy::expect_used, reason = "a literal that is a name")]
fn domain() -> DomainName {
    "internal".parse().expect("a domain name")
}

const fn api_port() -> u16 {
    443
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_api_port(port: &u16) -> bool {
    *port == api_port()
}

fn socket_dir() -> String {
    "/run/rackweave/guests".to_owned()
}
