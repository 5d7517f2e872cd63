//! What is kept of each object: what a user wrote, and what was given to it.
//!
//! | file | objects |
//! |---|---|
//! | `az` | AZ, rack, sled |
//! | `edge` | switch, uplink, BGP peer, static route |
//! | `pool` | pool of external addresses, its link to a project, floating address |
//! | `project` | project and its quota |
//! | `vpc` | VPC, subnet, internet gateway, peering, DNS record |
//! | `route` | router, route |
//! | `firewall` | firewall rule |
//! | `instance` | instance, NIC |
//!
//! A *spec* is written by people, whole; references in it are by name, and names never change. What
//! is *given* is decided once, when the object comes, and where a new spec asks for it.

mod az;
mod edge;
mod firewall;
mod instance;
mod object;
mod pool;
mod project;
mod route;
mod vpc;

pub use az::{AzGiven, AzSpec, BoundaryGroupSpec, RackSpec, SledGiven, SledSpec, SledUse};
pub use edge::{BgpPeerSpec, StaticRouteSpec, SwitchSpec, UplinkSpec};
pub use firewall::{FirewallRuleGiven, FirewallRuleSpec, RuleFilters, RuleHost, RuleTarget};
pub use instance::{
    DeviceSpec, EphemeralSpec, GivenEphemeral, InstanceGiven, InstanceSpec, NicGiven, NicSpec,
};
pub use object::{DecodeError, Entry, Meta, Object, Spec};
pub use pool::{
    FloatingIpGiven, FloatingIpSpec, FloatingTarget, GivenNat, GivenTarget, IpPoolSpec,
    PoolLinkGiven, PoolLinkSpec,
};
pub use project::{ProjectSpec, Quota};
pub use route::{RouteGiven, RouteSpec, RouteTargetSpec, RouterGiven, RouterSpec};
pub use vpc::{
    DnsRecordSpec, InternetGatewaySpec, PeeringGiven, PeeringSpec, SubnetGiven, SubnetSpec,
    VpcGiven, VpcSpec,
};

/// What is given to objects that are given nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Nothing {}
