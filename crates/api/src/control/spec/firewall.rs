//! Firewall rules of a VPC.

use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::state::{FirewallAction, ProtocolFilter};
use rackweave_types::{Direction, PortRange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A firewall rule: the first that matches a connection's first packet decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallRuleSpec {
    /// Whether it is in force; it is where nothing is said.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Lower goes first; among equals deny and reject go before allow.
    pub priority: u16,
    /// Connections of which way: `in` or `out`.
    #[schema(value_type = String, pattern = "^(in|out)$")]
    pub direction: Direction,
    /// What is done: `allow`, `deny` or `reject`.
    #[schema(value_type = String, pattern = "^(allow|deny|reject)$")]
    pub action: FirewallAction,
    /// The NICs it is in force for; all of the VPC where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<RuleTarget>,
    /// Which connections; all of them where nothing is asked for.
    #[serde(default)]
    pub filters: RuleFilters,
}

/// NICs that a rule is in force for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleTarget {
    /// Those of this instance.
    Instance(String),
    /// Those in this subnet.
    Subnet(String),
    /// Those of instances with this tag.
    Tag(String),
    /// The one with this address.
    #[schema(value_type = String)]
    Ip(IpAddr),
    /// Those with an address of this prefix.
    #[schema(value_type = String)]
    Cidr(IpNet),
}

/// Which connections: one of each list must match, an empty list asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RuleFilters {
    /// The other end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<RuleHost>,
    /// The protocol: `tcp`, `udp`, `{"icmp": {"type": 8}}`, `{"icmpv6": {}}`, `{"number": 132}`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<serde_json::Value>)]
    pub protocols: Vec<ProtocolFilter>,
    /// The destination port of TCP and UDP: pairs of the first and the last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Vec<u16>>)]
    pub ports: Vec<PortRange>,
}

/// Who the other end is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleHost {
    /// A NIC of this instance in the VPC.
    Instance(String),
    /// A guest in this subnet of the VPC.
    Subnet(String),
    /// A guest of an instance with this tag, in the VPC.
    Tag(String),
    /// A guest of this VPC: the rule's own, by its name.
    Vpc(String),
    /// A guest of the peer of this peering.
    Peering(String),
    /// This address.
    #[schema(value_type = String)]
    Ip(IpAddr),
    /// An address of this prefix.
    #[schema(value_type = String)]
    Cidr(IpNet),
}

const fn enabled() -> bool {
    true
}
