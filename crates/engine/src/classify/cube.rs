//! Rules and packets as shapes in one space: a packet is a point, a rule a box, and both are made of 32-bit words.

use ipnet::IpNet;

use super::matches::NEIGHBOR_TYPES;
use crate::fields::Fields;
use crate::parse::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, protocol};
use crate::program::Match;

/// Words of a point: four of the source, four of the destination (least significant first; IPv4 uses the first of
/// each), source port, destination port, protocol.
pub(super) const DIMS: usize = 11;
/// The first word of the source.
pub(super) const SRC: usize = 0;
/// The first word of the destination.
pub(super) const DST: usize = 4;

/// Which packets share one search structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// IPv4 and ARP.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of packets with this Ethernet type.
    #[inline]
    pub(super) const fn of(ether_type: u16) -> Option<Self> {
        match ether_type {
            ETHERTYPE_IPV4 | ETHERTYPE_ARP => Some(Self::V4),
            ETHERTYPE_IPV6 => Some(Self::V6),
            _ => None,
        }
    }

    /// The family's ICMP.
    const fn icmp(self) -> u8 {
        match self {
            Self::V4 => protocol::ICMP,
            Self::V6 => protocol::ICMPV6,
        }
    }

    /// Bits of an address.
    const fn address_bits(self) -> u32 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// What stands for an ARP operation in the word of the protocol: the numbers above those of IP.
const ARP_OPERATIONS: u16 = 256;

/// The number that stands for a protocol: 6 and 16 are exchanged, so that "TCP or UDP" is the range 16–17. Without a
/// branch, for which of the two a packet is cannot be foretold.
#[inline]
fn protocol_code(protocol: u8) -> u16 {
    let exchange = u16::from(protocol == protocol::TCP) | u16::from(protocol == 16);
    u16::from(protocol) ^ (exchange * u16::from(protocol::TCP ^ 16))
}

/// The least significant word of an address is the first.
#[inline]
pub(super) fn words(bits: u128) -> [u32; 4] {
    let word = |number: u32| u32::try_from(bits >> (32 * number) & 0xffff_ffff).unwrap_or(0);
    [word(0), word(1), word(2), word(3)]
}

/// A packet as a point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// Two words each, the even one in the lower half; the lanes past [`DIMS`] make the length a power of two.
    lanes: [u64; 8],
    pub(super) src: u128,
    pub(super) dst: u128,
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    pub(super) protocol: u16,
}

impl Point {
    /// The packet's point. An ICMP packet's type and code stand in place of ports.
    #[inline]
    pub(super) fn new(fields: &Fields, family: Family) -> Self {
        let (src, dst) = (fields.src.bits(), fields.dst.bits());
        let icmp = fields.protocol == family.icmp();
        let src_port = if icmp {
            u16::from(fields.icmp_type)
        } else {
            fields.src_port
        };
        let dst_port = if icmp {
            u16::from(fields.icmp_code)
        } else {
            fields.dst_port
        };
        let protocol = if fields.ether_type == ETHERTYPE_ARP {
            ARP_OPERATIONS + u16::from(fields.protocol)
        } else {
            protocol_code(fields.protocol)
        };
        let ports = u64::from(src_port) | u64::from(dst_port) << 32;
        let [s0, s1] = lanes(src);
        let [d0, d1] = lanes(dst);
        let lanes = [s0, s1, d0, d1, ports, u64::from(protocol), 0, 0];
        Self {
            lanes,
            src,
            dst,
            src_port,
            dst_port,
            protocol,
        }
    }

    /// The two words of this lane, modulo 8.
    #[inline]
    pub(super) const fn lane(&self, lane: usize) -> u64 {
        self.lanes[lane & 7]
    }
}

/// The lower half of an address is the first.
#[inline]
fn lanes(bits: u128) -> [u64; 2] {
    let half = |number: u32| u64::try_from(bits >> (64 * number) & u128::from(u64::MAX));
    [half(0).unwrap_or(0), half(1).unwrap_or(0)]
}

/// Numbers from `lo` to `hi`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) lo: u32,
    pub(super) hi: u32,
}

impl Span {
    pub(super) const fn new(lo: u32, hi: u32) -> Self {
        Self { lo, hi }
    }

    const fn single(number: u32) -> Self {
        Self {
            lo: number,
            hi: number,
        }
    }

    /// What both hold, if anything.
    pub(super) fn intersection(self, other: Self) -> Option<Self> {
        let both = Self {
            lo: self.lo.max(other.lo),
            hi: self.hi.min(other.hi),
        };
        (both.lo <= both.hi).then_some(both)
    }

    pub(super) const fn contains(self, other: Self) -> bool {
        self.lo <= other.lo && other.hi <= self.hi
    }
}

/// An address prefix: the bits that count, and which those are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) bits: u128,
    pub(super) len: u8,
}

impl Prefix {
    /// The prefix in this family; `None` where it is of the other.
    fn new(net: Option<IpNet>, family: Family) -> Option<Self> {
        match (net, family) {
            (None, _) => Some(Self { bits: 0, len: 0 }),
            (Some(IpNet::V4(net)), Family::V4) => Some(Self {
                bits: u128::from(net.network().to_bits()),
                len: net.prefix_len(),
            }),
            (Some(IpNet::V6(net)), Family::V6) => Some(Self {
                bits: net.network().to_bits(),
                len: net.prefix_len(),
            }),
            _ => None,
        }
    }

    /// The addresses as spans of their words. A prefix ends within one word; those above it are fixed, those below
    /// it free, so the product of the spans is the prefix.
    fn spans(self, family: Family) -> [Span; 4] {
        let free = family.address_bits() - u32::from(self.len);
        let last = self.bits | u128::MAX.checked_shr(128 - free).unwrap_or(0);
        let (lo, hi) = (words(self.bits), words(last));
        core::array::from_fn(|word| Span::new(lo[word], hi[word]))
    }
}

/// The packets of one family for which the five-tuple part of a rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cube {
    pub(super) spans: [Span; DIMS],
    pub(super) src: Prefix,
    pub(super) dst: Prefix,
}

impl Cube {
    /// The rule's box among the packets of a family, or `None` where it holds none of them.
    pub(super) fn new(matches: &Match, family: Family) -> Option<Self> {
        let src = Prefix::new(matches.src, family)?;
        let dst = Prefix::new(matches.dst, family)?;
        let protocol = protocol_span(matches, family)?;
        // Ports and ICMP imply different protocols, so at most one of each pair is asked for.
        let [src_port, dst_port] = match neighbor_types(matches) {
            Some(types) => {
                let wanted = icmp_span(matches.icmp_type).intersection(types)?;
                [wanted, icmp_span(matches.icmp_code)]
            }
            None if matches.icmp_type.is_some() || matches.icmp_code.is_some() => {
                [icmp_span(matches.icmp_type), icmp_span(matches.icmp_code)]
            }
            None => [matches.src_port, matches.dst_port].map(|range| {
                range.map_or(ANY_PORT, |r| {
                    Span::new(u32::from(r.first()), u32::from(r.last()))
                })
            }),
        };
        let [s0, s1, s2, s3] = src.spans(family);
        let [d0, d1, d2, d3] = dst.spans(family);
        let spans = [s0, s1, s2, s3, d0, d1, d2, d3, src_port, dst_port, protocol];
        Some(Self { spans, src, dst })
    }

    /// Whether the box says all that the rule asks of packets of its family.
    pub(super) fn is_exact(matches: &Match) -> bool {
        let Match {
            src_mac,
            dst_mac,
            link_layer,
            nd_target,
            tagged,
            vni,
            ..
        } = matches;
        src_mac.is_none()
            && dst_mac.is_none()
            && link_layer.is_none()
            && nd_target.is_none()
            && tagged.is_none()
            && vni.is_none()
            && matches.outer_src.is_none()
            && matches.external.is_none()
            && matches.tags.is_empty()
    }
}

const ANY_PORT: Span = Span::new(0, 0xffff);

fn icmp_span(wanted: Option<u8>) -> Span {
    wanted.map_or(ANY_PORT, |number| Span::single(u32::from(number)))
}

fn neighbor_types(matches: &Match) -> Option<Span> {
    let (first, last) = NEIGHBOR_TYPES;
    matches
        .nd_target
        .map(|_| Span::new(u32::from(first), u32::from(last)))
}

/// The protocols that all predicates of the rule leave.
fn protocol_span(matches: &Match, family: Family) -> Option<Span> {
    let ip = Span::new(0, 255);
    let arp = Span::new(256, 511);
    let mut span = match (family, matches.ether_type) {
        (Family::V4, None) => Span::new(ip.lo, arp.hi),
        (Family::V4, Some(ETHERTYPE_IPV4)) => ip,
        (Family::V4, Some(ETHERTYPE_ARP)) => arp,
        (Family::V6, None | Some(ETHERTYPE_IPV6)) => ip,
        _ => return None,
    };
    if let Some(protocol) = matches.protocol {
        let code = match matches.ether_type {
            Some(ETHERTYPE_ARP) => ARP_OPERATIONS + u16::from(protocol),
            _ => protocol_code(protocol),
        };
        span = span.intersection(Span::single(u32::from(code)))?;
    }
    if matches.src_port.is_some() || matches.dst_port.is_some() {
        let [tcp, udp] = [protocol::TCP, protocol::UDP].map(|p| u32::from(protocol_code(p)));
        span = span.intersection(Span::new(tcp, udp))?;
    }
    if matches.icmp_type.is_some() || matches.icmp_code.is_some() {
        span = span.intersection(Span::single(u32::from(protocol_code(family.icmp()))))?;
    }
    if matches.nd_target.is_some() {
        let neighbors = Span::single(u32::from(protocol_code(protocol::ICMPV6)));
        span = match family {
            Family::V4 => return None,
            Family::V6 => span.intersection(neighbors)?,
        };
    }
    Some(span)
}
