//! Routers of a VPC.

use alloc::vec::Vec;
use core::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{RouteId, RouterId, SubnetId};
use crate::Vni;

/// A routing table that subnets name as theirs.
///
/// Every router also has a route to each subnet of its VPC; a route of the table with the very
/// same destination goes before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Router {
    /// Its number.
    pub id: RouterId,
    /// Its routes; the longest prefix wins.
    #[serde(default)]
    pub routes: Vec<Route>,
}

/// Where packets for a destination go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    /// Its number.
    pub id: RouteId,
    /// Which packets.
    pub destination: IpNet,
    /// Where they go.
    pub target: RouteTarget,
}

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteTarget {
    /// To the instance with this address of the VPC, whatever the destination: an appliance.
    Instance(IpAddr),
    /// To whoever has the destination in this subnet.
    Subnet(SubnetId),
    /// To whoever has the destination in this peer.
    Peer(Vni),
    /// Nowhere.
    Drop,
    /// To the world outside, by an external address of the port.
    InternetGateway,
}
