//! Large rule sets and the packets that hit their rules.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rackweave_engine::Direction;
use rackweave_engine::addr::Addr;
use rackweave_engine::fields::Fields;
use rackweave_engine::program::{Action, Match, PortRange, Rule, RuleId, TagSet};
use rackweave_types::MacAddr;

use crate::random::Random;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
        }
    }

    const fn ether_type(self) -> u16 {
        match self {
            Self::V4 => 0x0800,
            Self::V6 => 0x86dd,
        }
    }

    const fn icmp(self) -> u8 {
        match self {
            Self::V4 => ICMP,
            Self::V6 => ICMPV6,
        }
    }

    /// A random prefix of a length from `short` to the longest; the lengths of IPv6 are four times those of IPv4.
    fn prefix(self, short: u8, random: &mut Random) -> IpNet {
        match self {
            Self::V4 => {
                let bits = u32::try_from(random.bits() >> 32).unwrap_or(0);
                v4_net(bits, random.octet(short, 32))
            }
            Self::V6 => v6_net(random.wide(), random.octet(short * 4, 128)),
        }
    }

    fn address(self, random: &mut Random) -> Addr {
        within(self.prefix(32, random), random)
    }
}

fn v4_net(bits: u32, len: u8) -> IpNet {
    Ipv4Net::new(Ipv4Addr::from_bits(bits), len)
        .unwrap_or_default()
        .trunc()
        .into()
}

fn v6_net(bits: u128, len: u8) -> IpNet {
    // Global unicast, so that no prefix is that of mapped addresses.
    let bits = bits >> 3 | 1 << 125;
    Ipv6Net::new(Ipv6Addr::from_bits(bits), len)
        .unwrap_or_default()
        .trunc()
        .into()
}

/// A random address of the prefix.
fn within(net: IpNet, random: &mut Random) -> Addr {
    match net {
        IpNet::V4(net) => {
            let host = u32::try_from(random.bits() >> 32).unwrap_or(0) & net.hostmask().to_bits();
            Addr::v4(net.network().to_bits() | host)
        }
        IpNet::V6(net) => {
            let host = random.wide() & net.hostmask().to_bits();
            Addr::from_bits(net.network().to_bits() | host)
        }
    }
}

/// A prefix within the prefix, two bits longer where there is room.
fn narrower(net: IpNet, random: &mut Random) -> IpNet {
    let len = (net.prefix_len() + 2).min(net.max_prefix_len());
    match std::net::IpAddr::from(within(net, random)) {
        std::net::IpAddr::V4(addr) => v4_net(addr.to_bits(), len),
        std::net::IpAddr::V6(addr) => Ipv6Net::new(addr, len).unwrap_or_default().trunc().into(),
    }
}

fn rule(place: usize, priority: u16, matches: Match) -> Rule {
    let id = RuleId(u64::try_from(place).unwrap_or(u64::MAX));
    Rule {
        id,
        priority,
        matches,
        actions: vec![Action::Allow],
    }
}

/// A port or a range of ports.
fn ports(random: &mut Random) -> PortRange {
    let first = random.port(1, u16::MAX);
    let last = first.saturating_add(random.port(1, 2_000));
    let range = if random.one_in(2) {
        None
    } else {
        PortRange::new(first, last).ok()
    };
    range.unwrap_or(PortRange::single(first))
}

/// Protocol, ports and ICMP type of a rule.
fn upper_layer(family: Family, random: &mut Random) -> Match {
    let mut matches = Match::default();
    match random.between(0, 9) {
        0 => matches.protocol = Some(SCTP),
        1 => matches.icmp_type = Some(random.octet(0, 255)),
        2 => {}
        kind => {
            matches.protocol = Some(if kind % 2 == 0 { TCP } else { UDP });
            matches.dst_port = Some(ports(random));
            matches.src_port = random.one_in(8).then(|| ports(random));
        }
    }
    if matches.icmp_type.is_some() {
        matches.protocol = Some(family.icmp());
    }
    matches
}

/// `n` different rules: random prefixes × port ranges × protocols, with random priorities.
///
/// Sources are prefixes of /16 to /32 (IPv6: /64 to /128), destinations likewise or any. Every tenth rule lies within
/// the one before it, which is asked later.
#[must_use]
pub fn random_rules(n: usize, seed: u64, family: Family) -> Vec<Rule> {
    build(n, seed, |random| {
        let both = random.one_in(2);
        Match {
            src: Some(family.prefix(16, random)),
            dst: both.then(|| family.prefix(16, random)),
            ..upper_layer(family, random)
        }
    })
}

/// `n` rules of all kinds at once: some ask for the source only, some for the destination only, some for both, some
/// for neither. Most meet others, for the boxes of different kinds cross each other.
#[must_use]
pub fn crossing_rules(n: usize, seed: u64, family: Family) -> Vec<Rule> {
    build(n, seed, |random| {
        let kind = random.between(0, 15);
        let src = kind < 11;
        let dst = (6..15).contains(&kind);
        let mut matches = upper_layer(family, random);
        if kind == 15 {
            matches = Match {
                protocol: Some(if random.one_in(2) { TCP } else { UDP }),
                dst_port: Some(PortRange::single(random.port(1, u16::MAX))),
                ..Match::default()
            };
        }
        matches.src = src.then(|| family.prefix(12, random));
        matches.dst = dst.then(|| family.prefix(12, random));
        matches
    })
}

/// Rules from `draw`, each tenth within the one before it.
fn build(n: usize, seed: u64, mut draw: impl FnMut(&mut Random) -> Match) -> Vec<Rule> {
    let mut random = Random::new(seed);
    let mut rules: Vec<Rule> = Vec::with_capacity(n);
    for place in 0..n {
        let priority = random.port(1, 60_000);
        let mut drawn = draw(&mut random);
        while place % 10 == 8 && !has_room(&drawn) {
            drawn = draw(&mut random);
        }
        let next = match rules.last() {
            Some(last) if place % 10 == 9 => {
                let matches = nested(&last.matches, &mut random);
                rule(place, last.priority.saturating_sub(1), matches)
            }
            _ => rule(place, priority, drawn),
        };
        rules.push(next);
    }
    rules
}

/// Whether a smaller match fits in.
fn has_room(matches: &Match) -> bool {
    let nets = [matches.src, matches.dst];
    nets.into_iter()
        .flatten()
        .any(|net| net.prefix_len() + 2 <= net.max_prefix_len())
}

/// A match within this one, smaller in each of its prefixes and ranges.
fn nested(matches: &Match, random: &mut Random) -> Match {
    let half = |range: PortRange| {
        let middle = range.first().midpoint(range.last());
        PortRange::new(range.first(), middle).unwrap_or(range)
    };
    Match {
        src: matches.src.map(|net| narrower(net, random)),
        dst: matches.dst.map(|net| narrower(net, random)),
        dst_port: matches.dst_port.map(half),
        ..matches.clone()
    }
}

/// `n` routes: destination prefixes, the longest first. Half as a full table has them (mostly /24), half of any
/// length; the first is the default route.
#[must_use]
pub fn random_routes(n: usize, seed: u64, family: Family) -> Vec<Rule> {
    let mut random = Random::new(seed);
    let routes = (0..n).map(|place| {
        let len = match (place, random.one_in(2)) {
            (0, _) => 0,
            (_, true) => 24,
            (_, false) => random.octet(10, 32),
        };
        let dst = match family {
            Family::V4 => v4_net(u32::try_from(random.bits() >> 32).unwrap_or(0), len),
            Family::V6 => v6_net(random.wide(), len * 2),
        };
        let priority = 128 - u16::from(dst.prefix_len());
        rule(
            place,
            priority,
            Match {
                dst: Some(dst),
                ..Match::default()
            },
        )
    });
    routes.collect()
}

/// A TCP packet of the family between two addresses.
#[must_use]
pub fn packet(family: Family, src: Addr, dst: Addr) -> Fields {
    Fields {
        direction: Direction::Out,
        src_mac: MacAddr::ZERO,
        dst_mac: MacAddr::ZERO,
        ether_type: family.ether_type(),
        tagged: false,
        src,
        dst,
        protocol: TCP,
        src_port: 1024,
        dst_port: 0,
        icmp_type: 0,
        icmp_code: 0,
        tcp_flags: 0,
        ttl: 64,
        ip_len: 40,
        segment_len: 40,
        link_layer: None,
        nd_target: Addr::NONE,
        vni: None,
        outer_src: Addr::NONE,
        external: false,
        tags: TagSet::EMPTY,
        next_hop: Addr::NONE,
    }
}

/// A random packet that the predicate lets through; predicates about MACs, tunnels and tags are not looked at.
fn packet_for(matches: &Match, family: Family, random: &mut Random) -> Fields {
    let [src, dst] = [matches.src, matches.dst].map(|net| match net {
        Some(net) => within(net, random),
        None => family.address(random),
    });
    let mut packet = packet(family, src, dst);
    packet.protocol = matches
        .protocol
        .unwrap_or(if random.one_in(2) { TCP } else { UDP });
    if matches!(packet.protocol, TCP | UDP) {
        let src_port = matches.src_port.unwrap_or(PortRange::ALL);
        let dst_port = matches.dst_port.unwrap_or(PortRange::ALL);
        packet.src_port = random.port(src_port.first(), src_port.last());
        packet.dst_port = random.port(dst_port.first(), dst_port.last());
    }
    if packet.protocol == family.icmp() {
        packet.icmp_type = matches.icmp_type.unwrap_or(8);
        packet.icmp_code = matches.icmp_code.unwrap_or(0);
    }
    packet
}

/// Packets in random order: for each rule one that it lets through and its neighbours in the list do not where that
/// can be had, and for every sixteen rules one between random addresses, which the default is for.
#[must_use]
pub fn matching_fields(rules: &[Rule], seed: u64) -> Vec<Fields> {
    let mut random = Random::new(seed);
    let mut packets = Vec::with_capacity(rules.len() + rules.len() / 16 + 1);
    for (place, rule) in rules.iter().enumerate() {
        let family = match rule.matches.src.or(rule.matches.dst) {
            Some(IpNet::V6(_)) => Family::V6,
            Some(IpNet::V4(_)) => Family::V4,
            None if rule.matches.protocol == Some(ICMPV6) => Family::V6,
            None => Family::V4,
        };
        let mut packet = packet_for(&rule.matches, family, &mut random);
        for _ in 0..16 {
            let inner = rules
                .get(place + 1)
                .filter(|inner| inner.priority < rule.priority);
            if !inner.is_some_and(|inner| inner.matches.matches(&packet)) {
                break;
            }
            packet = packet_for(&rule.matches, family, &mut random);
        }
        packets.push(packet);
        if place.is_multiple_of(16) {
            let (src, dst) = (family.address(&mut random), family.address(&mut random));
            packets.push(Fields {
                src_port: 0,
                ..crate::rules::packet(family, src, dst)
            });
        }
    }
    random.shuffle(&mut packets);
    packets
}
