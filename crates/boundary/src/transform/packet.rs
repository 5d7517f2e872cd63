//! What is read of an IP packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::be16;

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
/// Extension headers that are walked over; RFC 8200 knows no more kinds.
const EXTENSIONS: usize = 4;

/// Whether a packet is part of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fragment {
    Whole,
    First,
    Later,
}

/// An IP packet; places count from the frame's first octet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    /// Octets of the packet.
    pub(super) total: usize,
    /// Where the upper layer begins.
    pub(super) l4: usize,
    pub(super) protocol: u8,
    pub(super) tos: u8,
    pub(super) hops: u8,
    pub(super) fragment: Fragment,
    /// Whether the upper layer was found.
    pub(super) upper: bool,
}

impl Packet {
    /// Reads an IPv4 header at `at`; none where it is no such header.
    pub(super) fn v4(frame: &[u8], at: usize) -> Option<Self> {
        let ip: &[u8; 20] = frame.get(at..)?.first_chunk()?;
        let header = usize::from(ip[0] & 0xf) * 4;
        let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        if ip[0] >> 4 != 4 || header < 20 || total < header {
            return None;
        }
        let place = u16::from_be_bytes([ip[6], ip[7]]);
        let fragment = match (place & 0x1fff, place & 0x2000) {
            (0, 0) => Fragment::Whole,
            (0, _) => Fragment::First,
            _ => Fragment::Later,
        };
        Some(Self {
            src: Ipv4Addr::new(ip[12], ip[13], ip[14], ip[15]).into(),
            dst: Ipv4Addr::new(ip[16], ip[17], ip[18], ip[19]).into(),
            total,
            l4: at + header,
            protocol: ip[9],
            tos: ip[1],
            hops: ip[8],
            fragment,
            upper: true,
        })
    }

    /// Reads an IPv6 header at `at`; none where it is no such header.
    pub(super) fn v6(frame: &[u8], at: usize) -> Option<Self> {
        let ip: &[u8; 40] = frame.get(at..)?.first_chunk()?;
        if ip[0] >> 4 != 6 {
            return None;
        }
        let address = |from: usize| {
            let octets: [u8; 16] = ip.get(from..from + 16)?.try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        };
        Some(Self {
            src: address(8)?,
            dst: address(24)?,
            total: 40 + usize::from(u16::from_be_bytes([ip[4], ip[5]])),
            l4: at + 40,
            protocol: ip[6],
            tos: ip[0] << 4 | ip[1] >> 4,
            hops: ip[7],
            fragment: Fragment::Whole,
            upper: true,
        })
    }

    /// Walks over IPv6 extension headers (RFC 8200, section 4).
    pub(super) fn extensions(&mut self, frame: &[u8]) {
        for count in 0..=EXTENSIONS {
            let next = self.protocol;
            if !matches!(
                next,
                HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION_OPTIONS
            ) {
                return;
            }
            let header = frame.get(self.l4..self.l4 + 8);
            let Some(header) = header.filter(|_| count < EXTENSIONS) else {
                break;
            };
            let length = usize::from(header[1]);
            self.l4 += match next {
                FRAGMENT => 8,
                AUTHENTICATION => (length + 2) * 4,
                _ => (length + 1) * 8,
            };
            if next == FRAGMENT {
                let place = u16::from_be_bytes([header[2], header[3]]);
                if place & 0xfff8 != 0 {
                    self.fragment = Fragment::Later;
                } else if place & 1 != 0 {
                    self.fragment = Fragment::First;
                }
            }
            self.protocol = header[0];
            if self.fragment == Fragment::Later {
                return;
            }
        }
        self.upper = false;
    }

    /// Whether its ports are where those of TCP and UDP are.
    pub(super) const fn has_ports(&self) -> bool {
        matches!(self.protocol, TCP | UDP)
    }

    /// Whether packets of another network come from its source.
    pub(super) const fn is_foreign(&self) -> bool {
        match self.src {
            IpAddr::V4(src) => {
                let [first, ..] = src.octets();
                first != 0 && first != 127 && first < 224
            }
            IpAddr::V6(src) => {
                let [first, second, third, fourth, ..] = src.segments();
                let high = first | second | third | fourth;
                first < 0xff00 && first & 0xffc0 != 0xfe80 && high != 0
            }
        }
    }

    /// The port by which the holder of a part of a shared address is found: that of TCP and UDP, the identifier of an
    /// answer, and of an ICMP error that of the packet it is about.
    pub(super) fn port(&self, frame: &[u8]) -> Option<u16> {
        let l4 = frame.get(self.l4..self.l4 + 8).filter(|_| self.upper)?;
        if self.has_ports() {
            return be16(l4, 2);
        }
        let (icmp, answers, is_error): (_, &[u8], _) = match self.dst {
            IpAddr::V4(_) => (ICMP, &[0, 14, 16, 18], matches!(l4[0], 3 | 4 | 5 | 11 | 12)),
            IpAddr::V6(_) => (ICMPV6, &[129], l4[0] < 128),
        };
        if self.protocol != icmp {
            None
        } else if is_error {
            self.embedded_port(frame)
        } else {
            be16(l4, 4).filter(|_| answers.contains(&l4[0]))
        }
    }

    /// The port of a message about a packet that one of ours sent (RFC 792; RFC 4443, section 3).
    fn embedded_port(&self, frame: &[u8]) -> Option<u16> {
        let at = self.l4 + 8;
        let (sent, requests, icmp): (_, &[u8], _) = match self.dst {
            IpAddr::V4(_) => (Self::v4(frame, at)?, &[8, 13, 15, 17], ICMP),
            IpAddr::V6(_) => {
                let mut sent = Self::v6(frame, at)?;
                if sent.protocol == FRAGMENT {
                    let header = frame.get(sent.l4..sent.l4 + 8)?;
                    if be16(header, 2)? & 0xfff8 != 0 {
                        return None;
                    }
                    sent.protocol = header[0];
                    sent.l4 += 8;
                }
                (sent, &[128], ICMPV6)
            }
        };
        if sent.fragment == Fragment::Later || sent.src != self.dst {
            return None;
        }
        let l4 = frame.get(sent.l4..sent.l4 + 6)?;
        if sent.has_ports() {
            be16(l4, 0)
        } else {
            let asks = sent.protocol == icmp && requests.contains(&l4[0]);
            be16(l4, 4).filter(|_| asks)
        }
    }

    /// The source port of the tunnel: the same for both directions of a flow, and for all fragments of a packet.
    pub(super) fn entropy(&self, frame: &[u8]) -> u16 {
        let whole = self.fragment == Fragment::Whole && self.upper && self.has_ports();
        let ports = frame.get(self.l4..self.l4 + 4).filter(|_| whole);
        let ports = ports.map_or(0, |ports| {
            u16::from_be_bytes([ports[0], ports[1]]) ^ u16::from_be_bytes([ports[2], ports[3]])
        });
        let [src, dst] = [self.src, self.dst].map(halves);
        let mut hash = (src[0] ^ dst[0])
            .wrapping_add(0xa076_1d64_78bd_642f)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= src[1] ^ dst[1];
        let rest = u64::from(ports) << 8 | u64::from(self.protocol);
        hash = hash.wrapping_add(rest.wrapping_mul(0xd6e8_feb8_6659_fd93));
        hash ^= hash >> 32;
        let [high, low, ..] = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        u16::from_be_bytes([high, low]) | 0xc000
    }
}

/// An address as two words, an IPv4 one mapped into IPv6.
fn halves(address: IpAddr) -> [u64; 2] {
    let octets = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    let (words, _) = octets.as_chunks::<8>();
    [words[0], words[1]].map(u64::from_be_bytes)
}
