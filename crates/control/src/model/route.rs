//! Routers and routes of a VPC.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::name::Name;

/// A routing table that subnets name as theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterSpec {}

/// What a router was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterGiven {
    /// Its number in the VPC.
    #[serde(default)]
    pub number: u32,
    /// Whether it came with the VPC, and goes with it.
    #[serde(default)]
    pub system: bool,
}

/// Where packets for a destination go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSpec {
    /// Which packets.
    pub destination: IpNet,
    /// Where they go.
    pub target: RouteTargetSpec,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteTargetSpec {
    /// To this instance, by its first address of the family in the VPC: an appliance.
    Instance(Name),
    /// To who holds this address of the VPC.
    Ip(IpAddr),
    /// To who holds the destination in this subnet.
    Subnet(Name),
    /// To who holds the destination in the peer of this peering.
    Peering(Name),
    /// To the world outside, by this gateway.
    InternetGateway(Name),
    /// Nowhere.
    Drop,
}

/// What a route was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteGiven {
    /// Its number in the VPC.
    #[serde(default)]
    pub number: u32,
}
