//! One direction of a connection, and what is said in it.

use std::net::{IpAddr, Ipv6Addr};

use rackweave_engine::frame::{Checksum, Offload, Segment, SegmentKind};
use rackweave_engine::program::Encapsulate;
use rackweave_engine::{Direction, Frame};
use rackweave_types::{MacAddr, Vni};

use super::{options, shape};
use crate::number::{DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ICMP, ICMPV6, TCP, UDP};
use crate::packet::{self, Ends, Header, flag};
use crate::program::world::{
    GATEWAY_MAC, GUEST_MAC, LOCALS, OTHER_PROTOCOLS, OUTSIDES, POOLS, PORTS, REMOTES, SLEDS, VNIS,
    home, same_family, vni,
};
use crate::source::Source;

/// Who talks to whom, and from where on the underlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talk {
    /// The way of its packets.
    pub direction: Direction,
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// Upper-layer protocol; ICMP is that of the family.
    pub protocol: u8,
    /// Ports; the identifier of ICMP is the first where this end asks, the second where it answers.
    pub ports: (u16, u16),
    /// Whether this end answers the other's questions.
    pub answers: bool,
    /// The host of the other end.
    pub sled: Ipv6Addr,
    /// The network of the tunnel.
    pub vni: Vni,
    /// Whether the tunnel says EXTERNAL.
    pub external: bool,
}

impl Talk {
    /// A connection that begins.
    pub(super) fn draw(source: &mut Source<'_>) -> Self {
        let direction = source.pick(&[Direction::Out, Direction::Out, Direction::In]);
        let local = source.pick(&LOCALS);
        let remotes = same_family(local, &REMOTES);
        let remote = source.pick_of(&remotes).copied().unwrap_or(local);
        let (src, dst) = match direction {
            Direction::Out if source.one_in(16) => (local, group(local)),
            Direction::Out => (local, remote),
            Direction::In if source.one_in(2) => {
                let outside = same_family(local, &[OUTSIDES, POOLS].concat());
                (remote, source.pick_of(&outside).copied().unwrap_or(local))
            }
            Direction::In => (remote, local),
        };
        let first = source.pick(&PORTS);
        // No port of a pool: which of them are taken differs between engines.
        let second = source.pick(&PORTS);
        Self {
            direction,
            src,
            dst,
            protocol: source.pick(&[TCP, UDP, ICMP, TCP, UDP, OTHER_PROTOCOLS[0], 2]),
            ports: (first, second),
            answers: false,
            sled: match source.maybe(4, |source| source.pick(&SLEDS)) {
                Some(sled) => sled,
                None => home(remote),
            },
            vni: vni(source.pick(&VNIS)),
            external: source.one_in(3),
        }
        .sensible()
    }

    /// With the ICMP of its family.
    pub(super) const fn sensible(mut self) -> Self {
        if self.protocol == ICMP && self.src.is_ipv6() {
            self.protocol = ICMPV6;
        }
        self
    }

    /// The other direction of the connection of a frame that left an engine; `None` where the frame is none of a
    /// connection.
    pub(super) fn answer(direction: Direction, left: &[u8]) -> Option<Self> {
        let at = inner_at(direction, left);
        let frame = left.get(at..)?;
        let (src, dst, protocol, l4) = match frame.get(12..14)? {
            [0x08, 0x00] => {
                let header: &[u8; 20] = frame.get(14..)?.first_chunk()?;
                let src: [u8; 4] = *header[12..].first_chunk()?;
                let dst: [u8; 4] = *header[16..].first_chunk()?;
                let later = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
                let l4 = 14 + 4 * usize::from(header[0] & 0xf);
                let l4 = if later { usize::MAX / 2 } else { l4 };
                (IpAddr::from(src), IpAddr::from(dst), header[9], l4)
            }
            [0x86, 0xdd] => {
                let header: &[u8; 40] = frame.get(14..)?.first_chunk()?;
                let src: [u8; 16] = *header[8..].first_chunk()?;
                let dst: [u8; 16] = *header[24..].first_chunk()?;
                (IpAddr::from(src), IpAddr::from(dst), header[6], 54)
            }
            _ => return None,
        };
        let word = |at: usize| Some(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?));
        let (ports, answers) = match (protocol, src) {
            (TCP | UDP, _) => ((word(l4 + 2)?, word(l4)?), false),
            (ICMP, IpAddr::V4(_)) | (ICMPV6, IpAddr::V6(_)) => match frame.get(l4)? {
                8 | 13 | 128 => ((0, word(l4 + 4)?), true),
                0 | 14 | 129 => ((word(l4 + 4)?, 0), false),
                _ => return None,
            },
            // Behind these, it says what it is.
            (HOP_BY_HOP | FRAGMENT | DESTINATION_OPTIONS, _) => return None,
            _ => ((0, 0), false),
        };
        let outbound = direction == Direction::Out;
        // A pool's address is no guest's.
        if !outbound && POOLS.contains(&dst) {
            return None;
        }
        let sled: [u8; 16] = if outbound {
            *left.get(38..)?.first_chunk()?
        } else {
            SLEDS[1].octets()
        };
        let network = match left.get(66..69) {
            Some([a, b, c]) if outbound => u32::from_be_bytes([0, *a, *b, *c]),
            _ => VNIS[0],
        };
        Some(Self {
            direction: match direction {
                Direction::Out => Direction::In,
                Direction::In => Direction::Out,
            },
            src: dst,
            dst: src,
            protocol,
            ports,
            answers,
            sled: sled.into(),
            vni: vni(network),
            external: false,
        })
    }

    fn ends(&self) -> Ends {
        let dst_mac = match self.direction {
            Direction::Out if self.dst.is_multicast() => MacAddr::new([0x01, 0, 0x5e, 0, 0, 0xfb]),
            Direction::Out => GATEWAY_MAC,
            Direction::In => GUEST_MAC,
        };
        let src_mac = match self.direction {
            Direction::Out => GUEST_MAC,
            Direction::In => GATEWAY_MAC,
        };
        Ends {
            src_mac,
            dst_mac,
            src: self.src,
            dst: self.dst,
        }
    }

    /// A packet of the connection, with what is left to offload.
    pub(super) fn packet(&self, source: &mut Source<'_>) -> (Vec<u8>, Offload) {
        let ported = matches!(self.protocol, TCP | UDP);
        match source.below(12) {
            0 if ported => self.unfinished(source),
            1 if self.protocol == UDP && self.src.is_ipv4() => {
                let mut frame = self.plain(source, 20);
                frame[40..42].fill(0);
                (frame, Offload::default())
            }
            _ => {
                let len = source.pick(&[20, 0, 1, 600, 1400, 1460]);
                (self.plain(source, len), Offload::default())
            }
        }
    }

    /// A complete packet with this much payload.
    pub(super) fn plain(&self, source: &mut Source<'_>, len: usize) -> Vec<u8> {
        let ends = self.ends();
        let payload: Vec<u8> = (0..=250).cycle().take(len).collect();
        match self.protocol {
            TCP => packet::tcp(&ends, self.ports, flags(source), &payload),
            UDP => packet::udp(&ends, self.ports, &payload),
            ICMP | ICMPV6 => {
                let id = if self.answers {
                    self.ports.1
                } else {
                    self.ports.0
                };
                let [high, low] = id.to_be_bytes();
                let (kind, code) = self.query(source);
                let [first, second] = source.octets();
                packet::icmp(&ends, kind, code, [high, low, first, second], &payload)
            }
            protocol => packet::ip(&ends, Header::new(protocol), &payload),
        }
    }

    /// Type and code of an ICMP query or its reply: mostly an echo's.
    fn query(&self, source: &mut Source<'_>) -> (u8, u8) {
        let kinds = match (self.protocol, self.answers) {
            (ICMP, false) => [8, 8, 8, 13],
            (ICMP, true) => [0, 0, 0, 14],
            (_, false) => [128; 4],
            (_, true) => [129; 4],
        };
        (source.pick(&kinds), u8::from(source.one_in(8)))
    }

    /// A packet whose checksum, and perhaps its cutting, is left to others.
    fn unfinished(&self, source: &mut Source<'_>) -> (Vec<u8>, Offload) {
        let len = source.pick(&[100, 1460, 3000, 20_000, 60_000]);
        let mut frame = self.plain(source, len);
        let start = if self.src.is_ipv4() { 34 } else { 54 };
        let (offset, kind) = match self.protocol {
            TCP => (16, SegmentKind::Tcp),
            _ => (6, SegmentKind::Udp),
        };
        let l4 = usize::from(start);
        let sum = packet::pseudo_header(self.src, self.dst, self.protocol, frame.len() - l4);
        let at = l4 + usize::from(offset);
        frame[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        let cut = len > 1500 || (self.direction == Direction::Out && source.one_in(8));
        let offload = Offload {
            checksum: Checksum::Partial { start, offset },
            segment: cut.then_some(Segment { kind, size: 1400 }),
        };
        (frame, offload)
    }

    /// The frame as it comes to the engine: as it is, or inside of a tunnel.
    pub(super) fn carry(&self, source: &mut Source<'_>, frame: &[u8], offload: Offload) -> Frame {
        if self.direction == Direction::Out {
            let mut frame = Frame::new(frame);
            frame.offload = offload;
            return frame;
        }
        let mut options = options(&Encapsulate {
            vni: self.vni,
            external: self.external,
            source: source.maybe(8, |_| 7),
        });
        if let Some(segment) = offload.segment {
            let [high, low] = segment.size.to_be_bytes();
            let mss = [0xff, 0x52, 0x02, 1, high, low, 0, 0];
            options.splice(..0, mss);
        }
        shape::odd_option(&mut options, source);
        let mut outer = packet::geneve(self.sled, SLEDS[0], self.vni, &options, frame);
        if source.one_in(8) {
            shape::set_tos(&mut outer, source.octet());
        }
        let mut outer = Frame::new(&outer);
        if offload.segment.is_none()
            && let Checksum::Partial { start, offset } = offload.checksum
        {
            let added = 70 + u16::try_from(options.len()).unwrap_or(0);
            let start = start + added;
            outer.offload.checksum = Checksum::Partial { start, offset };
        }
        outer
    }
}

/// Where the guest's frame begins in one that left an engine.
pub(crate) fn inner_at(direction: Direction, frame: &[u8]) -> usize {
    match (direction, frame.get(62)) {
        (Direction::Out, Some(octet)) => 70 + 4 * usize::from(octet & 0x3f),
        _ => 0,
    }
}

/// A group of the same family.
fn group(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => [224, 0, 0, 251].into(),
        IpAddr::V6(_) => [0xff02, 0, 0, 0, 0, 0, 0, 0xfb].into(),
    }
}

fn flags(source: &mut Source<'_>) -> u8 {
    source.pick(&[
        flag::ACK,
        flag::SYN,
        flag::SYN | flag::ACK,
        flag::ACK | flag::PSH,
        flag::ACK,
        flag::ACK | flag::FIN,
        flag::RST,
        flag::RST | flag::ACK,
    ])
}
