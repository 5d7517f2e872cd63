//! Projects.

use rackweave_types::state::PortLimits;
use serde::{Deserialize, Serialize};

/// Users' objects that belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSpec {
    /// How much it may have.
    #[serde(default)]
    pub quota: Quota,
}

/// How much a project may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quota {
    /// VPCs.
    pub vpcs: u32,
    /// Subnets of one VPC.
    pub subnets: u32,
    /// Routers of one VPC.
    pub routers: u32,
    /// Routes of one router.
    pub routes: u32,
    /// Firewall rules of one VPC.
    pub firewall_rules: u32,
    /// Peerings of one VPC.
    pub peerings: u32,
    /// DNS records of one VPC.
    pub dns_records: u32,
    /// Instances.
    pub instances: u32,
    /// NICs, of all instances together.
    pub nics: u32,
    /// Floating addresses.
    pub floating_ips: u32,
    /// How much state one port may hold.
    #[serde(skip_serializing_if = "PortLimits::is_default")]
    pub port: PortLimits,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            vpcs: 16,
            subnets: 64,
            routers: 32,
            routes: 128,
            firewall_rules: 256,
            peerings: 16,
            dns_records: 1024,
            instances: 1024,
            nics: 4096,
            floating_ips: 64,
            port: PortLimits::default(),
        }
    }
}
