//! Firewall rules.

use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{FirewallRuleId, RuleSetId, SubnetId};
use crate::{Direction, Generation, PortRange, Vni};

/// Rules that are in force together for the ports that name the set.
///
/// To name a set is to be a target of its rules: who plans resolves the targets that users gave
/// (instances, tags, subnets) once, and every port concerned names the set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSet {
    /// Its number.
    pub id: RuleSetId,
    /// Tells its changes apart, where the set is handed down by itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: Generation,
    /// Its rules, in any order.
    #[serde(default)]
    pub rules: Vec<FirewallRule>,
}

/// A firewall rule. The first that matches a connection's first packet decides; a connection that
/// was allowed passes in both directions. What no rule matches is denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallRule {
    /// Its number.
    pub id: FirewallRuleId,
    /// Lower goes first; among equals deny and reject go before allow.
    pub priority: u16,
    /// Connections of which way.
    pub direction: Direction,
    /// What is done.
    pub action: FirewallAction,
    /// Which connections; every one where nothing is asked for.
    #[serde(default, skip_serializing_if = "Filters::is_any")]
    pub filters: Filters,
}

/// What a firewall rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirewallAction {
    /// Lets the connection pass.
    Allow,
    /// Drops in silence.
    Deny,
    /// Drops and tells the sender: TCP by a reset, everything else by ICMP.
    Reject,
}

/// Which connections a rule is about: one of each list must match, an empty list asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filters {
    /// The other end: the source of what comes in, the destination of what goes out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostFilter>,
    /// The protocol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub protocols: Vec<ProtocolFilter>,
    /// The destination port of TCP and UDP; without `protocols` it means both of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortRange>,
}

impl Filters {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.hosts.is_empty() && self.protocols.is_empty() && self.ports.is_empty()
    }
}

/// Who the other end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostFilter {
    /// This address: an instance's, or one outside.
    Ip(IpAddr),
    /// An address of this prefix.
    Cidr(IpNet),
    /// A guest in this subnet of the VPC.
    Subnet(SubnetId),
    /// A guest of this VPC: the port's own or a peer.
    Vpc(Vni),
}

/// A protocol, and what of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtocolFilter {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP of IPv4.
    Icmp(IcmpFilter),
    /// ICMP of IPv6.
    Icmpv6(IcmpFilter),
    /// The protocol with this number.
    Number(u8),
}

/// Which ICMP messages; every one where nothing is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct IcmpFilter {
    /// The type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    /// The code.
    #[serde(rename = "code", skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u8>,
}

impl RuleSet {
    /// What a new VPC has: everything out; in from the VPC itself; ICMP and SSH in from anywhere.
    ///
    /// The rules are numbered from 1, and have the last priority, so that every rule of a user
    /// goes before them.
    #[must_use]
    pub fn default_rules(id: RuleSetId, vpc: Vni) -> Self {
        let any_icmp = IcmpFilter::default();
        let icmp = vec![
            ProtocolFilter::Icmp(any_icmp),
            ProtocolFilter::Icmpv6(any_icmp),
        ];
        let rules = vec![
            allow(1, Direction::Out, Filters::default()),
            allow(
                2,
                Direction::In,
                Filters {
                    hosts: vec![HostFilter::Vpc(vpc)],
                    ..Filters::default()
                },
            ),
            allow(
                3,
                Direction::In,
                Filters {
                    protocols: icmp,
                    ..Filters::default()
                },
            ),
            allow(
                4,
                Direction::In,
                Filters {
                    protocols: vec![ProtocolFilter::Tcp],
                    ports: vec![PortRange::single(22)],
                    ..Filters::default()
                },
            ),
        ];
        Self {
            id,
            generation: Generation::ZERO,
            rules,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(generation: &Generation) -> bool {
    *generation == Generation::ZERO
}

fn allow(id: u32, direction: Direction, filters: Filters) -> FirewallRule {
    FirewallRule {
        id: FirewallRuleId::new(id),
        priority: u16::MAX,
        direction,
        action: FirewallAction::Allow,
        filters,
    }
}
