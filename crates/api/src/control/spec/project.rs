//! Projects.

use rackweave_types::state::PortLimits;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Users' objects that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectSpec {
    /// How much it may have.
    #[serde(default)]
    pub quota: Quota,
}

/// How much a project may have; what is not said is as the controller has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// VPCs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpcs: Option<u32>,
    /// Subnets of one VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnets: Option<u32>,
    /// Routers of one VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routers: Option<u32>,
    /// Routes of one router.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<u32>,
    /// Firewall rules of one VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firewall_rules: Option<u32>,
    /// Peerings of one VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peerings: Option<u32>,
    /// DNS records of one VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_records: Option<u32>,
    /// Instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<u32>,
    /// NICs, of all instances together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nics: Option<u32>,
    /// Floating addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floating_ips: Option<u32>,
    /// How much state one port may hold.
    #[serde(skip_serializing_if = "PortLimits::is_default")]
    #[schema(value_type = Object)]
    pub port: PortLimits,
}
