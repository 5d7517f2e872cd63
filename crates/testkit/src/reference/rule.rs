//! Rules, one after the other.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use rackweave_engine::addr::Addr;
use rackweave_engine::fields::Fields;
use rackweave_engine::program::{Action, Match, PortRange, Rule, RuleSet};

use crate::number::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ICMP, ICMPV6, TCP, UDP};

/// The actions of the first rule that matches, by priority and then by place, or the default.
pub(super) fn actions<'a>(set: &'a RuleSet, fields: &Fields) -> &'a [Action] {
    let mut best: Option<&Rule> = None;
    for rule in &set.rules {
        let better = best.is_none_or(|best| rule.priority < best.priority);
        if better && matches(&rule.matches, fields) {
            best = Some(rule);
        }
    }
    best.map_or(&set.default, |rule| &rule.actions)
}

fn matches(asked: &Match, fields: &Fields) -> bool {
    let (v4, v6) = (
        fields.ether_type == ETHERTYPE_IPV4,
        fields.ether_type == ETHERTYPE_IPV6,
    );
    let arp = fields.ether_type == ETHERTYPE_ARP;
    let ported = (v4 || v6) && matches!(fields.protocol, TCP | UDP);
    let icmp = v4 && fields.protocol == ICMP || v6 && fields.protocol == ICMPV6;
    let neighbor = icmp && v6 && matches!(fields.icmp_type, 135 | 136);
    let numbered = v4 || v6 || asked.ether_type == Some(ETHERTYPE_ARP);
    let within = |net: IpNet, addr: Addr| match net {
        IpNet::V4(net) => (v4 || arp) && net.contains(&last_four(addr)),
        IpNet::V6(net) => v6 && net.contains(&address(addr)),
    };
    let within_v6 = |net: Ipv6Net, addr: Addr| net.contains(&address(addr));
    fields.tags.contains_all(asked.tags)
        && is(asked.ether_type, fields.ether_type)
        && asked.src.is_none_or(|net| within(net, fields.src))
        && asked.dst.is_none_or(|net| within(net, fields.dst))
        && (asked.protocol.is_none() || numbered)
        && is(asked.protocol, fields.protocol)
        && asked
            .src_port
            .is_none_or(|range| ported && has(range, fields.src_port))
        && asked
            .dst_port
            .is_none_or(|range| ported && has(range, fields.dst_port))
        && asked
            .icmp_type
            .is_none_or(|kind| icmp && kind == fields.icmp_type)
        && asked
            .icmp_code
            .is_none_or(|code| icmp && code == fields.icmp_code)
        && is(asked.src_mac, fields.src_mac)
        && is(asked.dst_mac, fields.dst_mac)
        && asked
            .link_layer
            .is_none_or(|mac| Some(mac) == fields.link_layer)
        && asked
            .nd_target
            .is_none_or(|net| neighbor && within_v6(net, fields.nd_target))
        && is(asked.tagged, fields.tagged)
        && asked.vni.is_none_or(|vni| Some(vni) == fields.vni)
        && asked
            .outer_src
            .is_none_or(|net| fields.vni.is_some() && within_v6(net, fields.outer_src))
        && is(asked.external, fields.external)
}

fn is<T: Copy + PartialEq>(asked: Option<T>, found: T) -> bool {
    asked.is_none_or(|asked| asked == found)
}

const fn has(range: PortRange, port: u16) -> bool {
    range.first() <= port && port <= range.last()
}

fn address(addr: Addr) -> Ipv6Addr {
    addr.octets().into()
}

fn last_four(addr: Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = addr.octets();
    [a, b, c, d].into()
}
