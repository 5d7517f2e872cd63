//! The users' firewall rules.
//!
//! A rule whose filters list several hosts, protocols and ports becomes one rule of the engine for
//! each combination, all with the user's number. What a rule says of a subnet or VPC is asked of
//! inbound packets by the identifier they came in: addresses alone would do for a packet from
//! outside, too.

use alloc::vec;
use alloc::vec::Vec;

use ipnet::IpNet;
use rackweave_engine::program::{Action, Layer, Match, PortRange, RuleSet};
use rackweave_types::state::{
    Filters, FirewallAction, FirewallRule, HostFilter, IcmpFilter, ProtocolFilter, VpcState,
};
use rackweave_types::{Direction, Vni};

use super::layer;
use crate::network::{Network, deny, nets};
use crate::numbers::{PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP, host};
use crate::rule::{LayerName, RuleKind, Rules};

/// The layer of a port.
pub(crate) fn firewall(network: Network<'_>) -> Layer {
    let out = rules(network, Direction::Out);
    let inbound = rules(network, Direction::In);
    layer(LayerName::Firewall, out, inbound)
}

fn rules(network: Network<'_>, direction: Direction) -> RuleSet {
    let all = network.rule_sets().flat_map(|(_, set)| &set.rules);
    let mut chosen: Vec<&FirewallRule> = all.filter(|rule| rule.direction == direction).collect();
    // Among equal priorities what forbids goes first; then the older number, so that the order
    // does not hang on that of the sets.
    let allows = |rule: &FirewallRule| rule.action == FirewallAction::Allow;
    chosen.sort_by_key(|rule| (rule.priority, allows(rule), rule.id));
    let mut rules = Rules::default();
    for rule in chosen {
        let actions = match rule.action {
            FirewallAction::Allow => vec![Action::AllowStateful],
            FirewallAction::Deny => deny(),
            FirewallAction::Reject if direction == Direction::Out => network.reject_out(),
            FirewallAction::Reject => network.reject_in(),
        };
        for matches in combinations(network.vpc, &rule.filters, direction) {
            let item = rule.id.get();
            rules.add_item(
                RuleKind::Firewall,
                item,
                rule.priority,
                matches,
                actions.clone(),
            );
        }
    }
    rules.or(deny())
}

/// Who the other end may be: its addresses and the network it comes from.
#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    net: Option<IpNet>,
    vni: Option<Vni>,
}

/// Every combination of a rule's filters that a packet can match.
pub(crate) fn combinations(vpc: &VpcState, filters: &Filters, direction: Direction) -> Vec<Match> {
    let mut matches = Vec::new();
    for peer in peers(vpc, filters, direction) {
        for (protocol, icmp) in protocols(filters) {
            let v4_only = protocol == Some(PROTOCOL_ICMP);
            let v6_only = protocol == Some(PROTOCOL_ICMPV6);
            let is_v4 = peer.net.map(|net| net.addr().is_ipv4());
            if (v4_only && is_v4 == Some(false)) || (v6_only && is_v4 == Some(true)) {
                continue;
            }
            for dst_port in ports(filters) {
                matches.push(combination(direction, peer, protocol, icmp, dst_port));
            }
        }
    }
    matches
}

/// How many combinations a rule's filters have at most.
pub(crate) fn count(vpc: &VpcState, filters: &Filters, direction: Direction) -> usize {
    let of = |count: usize| count.max(1);
    let peers = peers(vpc, filters, direction).len();
    let protocols = of(filters.protocols.len()).max(protocols(filters).len());
    peers
        .saturating_mul(protocols)
        .saturating_mul(of(filters.ports.len()))
}

fn combination(
    direction: Direction,
    peer: Peer,
    protocol: Option<u8>,
    icmp: IcmpFilter,
    dst_port: Option<PortRange>,
) -> Match {
    let (src, dst) = match direction {
        Direction::Out => (None, peer.net),
        Direction::In => (peer.net, None),
    };
    Match {
        src,
        dst,
        vni: peer.vni,
        protocol,
        icmp_type: icmp.icmp_type,
        icmp_code: icmp.icmp_code,
        dst_port,
        ..Match::default()
    }
}

fn peers(vpc: &VpcState, filters: &Filters, direction: Direction) -> Vec<Peer> {
    if filters.hosts.is_empty() {
        return vec![Peer::default()];
    }
    let mut peers = Vec::new();
    for filter in &filters.hosts {
        match filter {
            HostFilter::Ip(addr) => peers.push(Peer {
                net: Some(host(*addr)),
                vni: None,
            }),
            HostFilter::Cidr(net) => peers.push(Peer {
                net: Some(*net),
                vni: None,
            }),
            HostFilter::Subnet(id) => {
                let vni = (direction == Direction::In).then_some(vpc.vni);
                let subnet = vpc.subnets.iter().find(|subnet| subnet.id == *id);
                let v4 = subnet.and_then(|subnet| subnet.ipv4).map(IpNet::V4);
                let v6 = subnet.and_then(|subnet| subnet.ipv6).map(IpNet::V6);
                let prefixes = v4.into_iter().chain(v6);
                peers.extend(prefixes.map(|net| Peer {
                    net: Some(net),
                    vni,
                }));
            }
            HostFilter::Vpc(vni) if direction == Direction::In => {
                peers.push(Peer {
                    net: None,
                    vni: Some(*vni),
                });
            }
            HostFilter::Vpc(vni) => {
                let blocks = blocks_of(vpc, *vni);
                peers.extend(blocks.into_iter().map(|net| Peer {
                    net: Some(net),
                    vni: None,
                }));
            }
        }
    }
    peers
}

/// The blocks of the VPC or of a peer.
fn blocks_of(vpc: &VpcState, vni: Vni) -> Vec<IpNet> {
    if vni == vpc.vni {
        return nets(&vpc.ipv4, vpc.ipv6.as_ref()).collect();
    }
    let peer = vpc.peers.iter().find(|peer| peer.vni == vni);
    peer.map(|peer| nets(&peer.ipv4, peer.ipv6.as_ref()).collect())
        .unwrap_or_default()
}

fn protocols(filters: &Filters) -> Vec<(Option<u8>, IcmpFilter)> {
    let any = IcmpFilter::default();
    if !filters.protocols.is_empty() {
        return filters
            .protocols
            .iter()
            .map(|protocol| match protocol {
                ProtocolFilter::Tcp => (Some(PROTOCOL_TCP), any),
                ProtocolFilter::Udp => (Some(PROTOCOL_UDP), any),
                ProtocolFilter::Icmp(icmp) => (Some(PROTOCOL_ICMP), *icmp),
                ProtocolFilter::Icmpv6(icmp) => (Some(PROTOCOL_ICMPV6), *icmp),
                ProtocolFilter::Number(number) => (Some(*number), any),
            })
            .collect();
    }
    if filters.ports.is_empty() {
        vec![(None, any)]
    } else {
        vec![(Some(PROTOCOL_TCP), any), (Some(PROTOCOL_UDP), any)]
    }
}

fn ports(filters: &Filters) -> Vec<Option<PortRange>> {
    if filters.ports.is_empty() {
        vec![None]
    } else {
        filters.ports.iter().copied().map(Some).collect()
    }
}
