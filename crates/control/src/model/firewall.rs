//! Firewall rules of a VPC.

use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::state::{FirewallAction, ProtocolFilter};
use rackweave_types::{Direction, PortRange};
use serde::{Deserialize, Serialize};

use crate::name::Name;

/// A firewall rule: the first that matches a connection's first packet decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallRuleSpec {
    /// Whether it is in force.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Lower goes first; among equals deny and reject go before allow.
    pub priority: u16,
    /// Connections of which way.
    pub direction: Direction,
    /// What is done.
    pub action: FirewallAction,
    /// The NICs it is in force for; all of the VPC where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<RuleTarget>,
    /// Which connections; all of them where nothing is asked for.
    #[serde(default)]
    pub filters: RuleFilters,
}

/// NICs that a rule is in force for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleTarget {
    /// Those of this instance.
    Instance(Name),
    /// Those in this subnet.
    Subnet(Name),
    /// Those of instances with this tag.
    Tag(Name),
    /// The one with this address.
    Ip(IpAddr),
    /// Those with an address of this prefix.
    Cidr(IpNet),
}

/// Which connections: one of each list must match, an empty list asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleFilters {
    /// The other end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<RuleHost>,
    /// The protocol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub protocols: Vec<ProtocolFilter>,
    /// The destination port of TCP and UDP.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortRange>,
}

impl RuleFilters {
    /// Whether they change with the NICs of the VPC: they name instances or tags.
    pub(crate) fn names_members(&self) -> bool {
        let mut hosts = self.hosts.iter();
        hosts.any(|host| matches!(host, RuleHost::Instance(_) | RuleHost::Tag(_)))
    }
}

/// Who the other end is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleHost {
    /// A NIC of this instance in the VPC.
    Instance(Name),
    /// A guest in this subnet of the VPC.
    Subnet(Name),
    /// A guest of an instance with this tag, in the VPC.
    Tag(Name),
    /// A guest of this VPC: the rule's own, by its name.
    Vpc(Name),
    /// A guest of the peer of this peering.
    Peering(Name),
    /// This address.
    Ip(IpAddr),
    /// An address of this prefix.
    Cidr(IpNet),
}

/// What a rule was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallRuleGiven {
    /// Its number in the VPC.
    #[serde(default)]
    pub number: u32,
    /// The number of its rule set: rules with the same targets stand in one.
    #[serde(default)]
    pub set: u32,
}

const fn enabled() -> bool {
    true
}
