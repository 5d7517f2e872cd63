//! Random predicates.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};
use rackweave_engine::Direction;
use rackweave_engine::program::{Match, PortRange, Tag, TagSet};

use super::Scope;
use super::world::{LOCALS, MACS, OUTSIDES, PORTS, REMOTES, SLEDS, VNIS, same_family, vni};
use crate::source::Source;

/// Predicates that some packet of the world may meet.
pub(super) fn draw(source: &mut Source<'_>, scope: Scope, direction: Direction) -> Match {
    let mut matches = Match::default();
    for _ in 0..source.below(4) {
        one_more(source, direction, &mut matches);
    }
    if !scope.forgotten {
        (matches.src_mac, matches.dst_mac) = (None, None);
    }
    sensible(&mut matches);
    matches
}

fn one_more(source: &mut Source<'_>, direction: Direction, matches: &mut Match) {
    let inbound = direction == Direction::In;
    match source.below(17) {
        0 => matches.protocol = Some(source.pick(&[6, 17, 1, 58, 132])),
        1 => matches.dst_port = Some(range(source)),
        2 => matches.src_port = Some(range(source)),
        3 => matches.src = Some(net(source)),
        4 => matches.dst = Some(net(source)),
        5 => matches.icmp_type = Some(source.pick(&[8, 0, 128, 129, 3, 135])),
        6 => matches.icmp_code = Some(source.pick(&[0, 1, 3])),
        7 => matches.ether_type = Some(source.pick(&[0x0800, 0x86dd, 0x0806, 0x88cc])),
        8 => matches.src_mac = Some(source.pick(&MACS)),
        9 => matches.dst_mac = Some(source.pick(&MACS)),
        10 => matches.link_layer = Some(source.pick(&MACS)),
        11 => matches.nd_target = v6_net(source),
        12 => matches.tagged = Some(source.one_in(4)),
        13 if inbound => matches.vni = Some(vni(source.pick(&VNIS))),
        14 if inbound => matches.outer_src = Some(Ipv6Net::from(source.pick(&SLEDS))),
        15 if inbound => matches.external = Some(source.one_in(2)),
        _ => matches.tags = TagSet::EMPTY.with(tag(source)),
    }
}

/// Leaves out what no packet has together with the rest.
fn sensible(matches: &mut Match) {
    let v4 = |net: Option<IpNet>| net.map(|net| net.addr().is_ipv4());
    if let (Some(src), Some(dst)) = (v4(matches.src), v4(matches.dst))
        && src != dst
    {
        matches.dst = None;
    }
    match v4(matches.src.or(matches.dst)) {
        Some(true) if matches.ether_type != Some(0x0806) => matches.ether_type = None,
        Some(false) => matches.ether_type = None,
        _ => {}
    }
    if matches.src_port.is_some() || matches.dst_port.is_some() {
        (matches.icmp_type, matches.icmp_code) = (None, None);
        if !matches!(matches.protocol, Some(6 | 17)) {
            matches.protocol = None;
        }
    }
    if (matches.icmp_type.is_some() || matches.icmp_code.is_some())
        && !matches!(matches.protocol, Some(1 | 58))
    {
        matches.protocol = None;
    }
}

/// One of few tags.
pub(super) fn tag(source: &mut Source<'_>) -> Tag {
    source.pick(&[
        Tag::fixed::<0>(),
        Tag::fixed::<1>(),
        Tag::fixed::<{ Tag::MAX }>(),
    ])
}

fn range(source: &mut Source<'_>) -> PortRange {
    let first = source.pick(&PORTS);
    let last = source.pick(&[first, first.saturating_add(1), u16::MAX]);
    PortRange::new(first, last).unwrap_or(PortRange::ALL)
}

/// An address of the world.
pub(super) fn address(source: &mut Source<'_>) -> IpAddr {
    let all = [&LOCALS[..], &REMOTES, &OUTSIDES].concat();
    source.pick_of(&all).copied().unwrap_or(LOCALS[0])
}

/// An address of the world of the same family as another.
pub(super) fn address_like(source: &mut Source<'_>, like: IpAddr) -> IpAddr {
    let all = same_family(like, &[&LOCALS[..], &REMOTES, &OUTSIDES].concat());
    source.pick_of(&all).copied().unwrap_or(like)
}

fn net(source: &mut Source<'_>) -> IpNet {
    let addr = address(source);
    let whole = if addr.is_ipv4() { 32 } else { 128 };
    let len = source.pick(&[whole, whole - 8, whole / 2, 0]);
    IpNet::new(addr, len).map_or(IpNet::from(addr), |net| net.trunc())
}

fn v6_net(source: &mut Source<'_>) -> Option<Ipv6Net> {
    match net(source) {
        IpNet::V6(net) => Some(net),
        IpNet::V4(_) => None,
    }
}
