//! What is asked for, kind by kind, as people write it: fields that are not known are errors.
//!
//! | module | objects |
//! |---|---|
//! | `az` | AZ, rack, sled |
//! | `edge` | switch, uplink, BGP peer, static route |
//! | `firewall` | firewall rule |
//! | `instance` | instance, NIC |
//! | `pool` | pool of external addresses, its link to a project, floating address |
//! | `project` | project and its quota |
//! | `vpc` | VPC, subnet, router, route, internet gateway, peering, DNS record |
//!
//! Objects name each other by name, and names never change.

mod az;
mod edge;
mod firewall;
mod instance;
mod pool;
mod project;
mod vpc;

pub use az::{AzSpec, BoundaryGroupSpec, RackSpec, SledSpec, SledUse};
pub use edge::{BgpPeerSpec, StaticRouteSpec, SwitchSpec, UplinkSpec};
pub use firewall::{FirewallRuleSpec, RuleFilters, RuleHost, RuleTarget};
pub use instance::{DeviceSpec, EphemeralSpec, InstanceSpec, NicSpec};
pub use pool::{FloatingIpSpec, FloatingTarget, IpPoolSpec, PoolLinkSpec};
pub use project::{ProjectSpec, Quota};
pub use vpc::{
    DnsRecordSpec, InternetGatewaySpec, PeeringSpec, RouteSpec, RouteTargetSpec, RouterSpec,
    SubnetSpec, VpcSpec,
};
