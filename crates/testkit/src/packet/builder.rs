//! Frames with anything in them that an IP packet can have.

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use rackweave_types::{MacAddr, reserved};
use rackweave_wire::checksum;

use super::{flag, pseudo_header};
use crate::number;

/// The guest that frames come from where nothing else is said.
pub(super) const GUEST_MAC: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0x00, 0x00, 0x01]);

/// What an IP packet carries.
#[derive(Clone, Debug)]
enum Upper {
    Tcp {
        ports: (u16, u16),
        sequence: u32,
        acknowledgment: u32,
        flags: u8,
        options: Vec<u8>,
    },
    Udp {
        ports: (u16, u16),
        checksum: bool,
    },
    Echo {
        reply: bool,
        id: u16,
        sequence: u16,
    },
    Icmp {
        kind: u8,
        code: u8,
    },
    Other {
        protocol: u8,
    },
}

/// A frame with an IP packet, valid whatever is set.
///
/// It goes from a guest (02:72:77:00:00:01) to the gateway, with TTL 64 and no payload, where
/// nothing else is said. Addresses are written as texts; one that is none panics.
///
/// ```
/// use rackweave_testkit::packet::{FrameBuilder, Tunnel};
/// use rackweave_testkit::verify::verify;
///
/// let syn = FrameBuilder::tcp("10.0.0.5:40000", "10.0.0.6:80").syn().vlan(7).build();
/// assert_eq!(verify(&syn), Ok(()));
/// let wrapped = Tunnel::new("fd00:1:2:101::1", "fd00:1:2:102::1", 5000).wrap(&syn);
/// assert_eq!(verify(&wrapped), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct FrameBuilder {
    src_mac: MacAddr,
    dst_mac: MacAddr,
    vlan: Option<u16>,
    src: IpAddr,
    dst: IpAddr,
    ttl: u8,
    tos: u8,
    identification: u16,
    dont_fragment: bool,
    /// Options of IPv4, a multiple of four octets.
    ip_options: Vec<u8>,
    /// Octets of IPv6 destination options, type and length left out.
    destination_options: Option<[u8; 6]>,
    upper: Upper,
    payload: Vec<u8>,
}

impl FrameBuilder {
    /// A TCP segment with ACK set, from one address and port to another.
    #[must_use]
    pub fn tcp(src: &str, dst: &str) -> Self {
        let (src, dst): (SocketAddr, SocketAddr) = (read(src), read(dst));
        let (ports, options) = ((src.port(), dst.port()), Vec::new());
        let flags = flag::ACK;
        let upper = Upper::Tcp {
            ports,
            sequence: 1,
            acknowledgment: 1,
            flags,
            options,
        };
        Self::new(src.ip(), dst.ip(), upper)
    }

    /// A UDP datagram, from one address and port to another.
    #[must_use]
    pub fn udp(src: &str, dst: &str) -> Self {
        let (src, dst): (SocketAddr, SocketAddr) = (read(src), read(dst));
        let upper = Upper::Udp {
            ports: (src.port(), dst.port()),
            checksum: true,
        };
        Self::new(src.ip(), dst.ip(), upper)
    }

    /// An ICMP echo request of the addresses' family, first of its sequence.
    #[must_use]
    pub fn echo(src: &str, dst: &str, id: u16) -> Self {
        Self::new(
            read(src),
            read(dst),
            Upper::Echo {
                reply: false,
                id,
                sequence: 1,
            },
        )
    }

    /// A packet of any protocol; its payload is all that follows the IP header.
    #[must_use]
    pub fn other(src: &str, dst: &str, protocol: u8) -> Self {
        Self::new(read(src), read(dst), Upper::Other { protocol })
    }

    /// An ICMP message of the addresses' family; its payload is all that follows type, code and
    /// checksum.
    #[must_use]
    pub fn icmp(src: IpAddr, dst: IpAddr, kind: u8, code: u8) -> Self {
        Self::new(src, dst, Upper::Icmp { kind, code })
    }

    fn new(src: IpAddr, dst: IpAddr, upper: Upper) -> Self {
        Self {
            src_mac: GUEST_MAC,
            dst_mac: reserved::GATEWAY_MAC,
            vlan: None,
            src,
            dst,
            ttl: 64,
            tos: 0,
            identification: 0,
            dont_fragment: true,
            ip_options: Vec::new(),
            destination_options: None,
            upper,
            payload: Vec::new(),
        }
    }

    /// Sets the Ethernet addresses.
    #[must_use]
    pub fn macs(mut self, src: MacAddr, dst: MacAddr) -> Self {
        (self.src_mac, self.dst_mac) = (src, dst);
        self
    }

    /// Tags the frame with a VLAN (IEEE 802.1Q).
    #[must_use]
    pub fn vlan(mut self, id: u16) -> Self {
        self.vlan = Some(id & 0x0fff);
        self
    }

    /// Sets TTL or hop limit.
    #[must_use]
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets DSCP and ECN.
    #[must_use]
    pub fn tos(mut self, tos: u8) -> Self {
        self.tos = tos;
        self
    }

    /// Sets the identification (IPv4, and fragments of IPv6) and lets routers fragment (IPv4).
    #[must_use]
    pub fn identification(mut self, identification: u16) -> Self {
        (self.identification, self.dont_fragment) = (identification, false);
        self
    }

    /// Adds options to the IPv4 header, filled up to a multiple of four octets.
    #[must_use]
    pub fn ip_options(mut self, options: &[u8]) -> Self {
        self.ip_options = options.to_vec();
        self.ip_options.resize(options.len().next_multiple_of(4), 0);
        self
    }

    /// Adds an IPv6 destination options header with these six octets of options.
    #[must_use]
    pub fn destination_options(mut self, options: [u8; 6]) -> Self {
        self.destination_options = Some(options);
        self
    }

    /// Makes a TCP segment a SYN.
    #[must_use]
    pub fn syn(self) -> Self {
        self.flags(flag::SYN)
    }

    /// Sets the flags of a TCP segment.
    #[must_use]
    pub fn flags(mut self, new: u8) -> Self {
        if let Upper::Tcp { flags, .. } = &mut self.upper {
            *flags = new;
        }
        self
    }

    /// Sets sequence and acknowledgement number of a TCP segment.
    #[must_use]
    pub fn numbers(mut self, new_sequence: u32, new_acknowledgment: u32) -> Self {
        if let Upper::Tcp {
            sequence,
            acknowledgment,
            ..
        } = &mut self.upper
        {
            (*sequence, *acknowledgment) = (new_sequence, new_acknowledgment);
        }
        self
    }

    /// Adds options to a TCP segment, filled up to a multiple of four octets.
    #[must_use]
    pub fn tcp_options(mut self, new: &[u8]) -> Self {
        if let Upper::Tcp { options, .. } = &mut self.upper {
            *options = new.to_vec();
            options.resize(new.len().next_multiple_of(4), 0);
        }
        self
    }

    /// Leaves the checksum of a UDP datagram out (RFC 768; RFC 6935 over IPv6).
    #[must_use]
    pub fn no_udp_checksum(mut self) -> Self {
        if let Upper::Udp { checksum, .. } = &mut self.upper {
            *checksum = false;
        }
        self
    }

    /// Makes an echo request a reply.
    #[must_use]
    pub fn reply(mut self) -> Self {
        if let Upper::Echo { reply, .. } = &mut self.upper {
            *reply = true;
        }
        self
    }

    /// Sets the sequence number of an echo.
    #[must_use]
    pub fn echo_sequence(mut self, new: u16) -> Self {
        if let Upper::Echo { sequence, .. } = &mut self.upper {
            *sequence = new;
        }
        self
    }

    /// Sets the payload.
    #[must_use]
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    /// Sets the payload to `len` octets that differ from their neighbours.
    #[must_use]
    pub fn payload_len(mut self, len: usize) -> Self {
        self.payload = (0..=250).cycle().take(len).collect();
        self
    }

    /// The frame.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let upper = self.upper_packet();
        self.frame(&upper, None)
    }

    /// The frames of the packet's fragments, of at most `mtu` octets of IP packet each.
    #[must_use]
    pub fn fragments(&self, mtu: usize) -> Vec<Vec<u8>> {
        let upper = self.upper_packet();
        let header_len = match self.src {
            IpAddr::V4(_) => 20 + self.ip_options.len(),
            IpAddr::V6(_) => 48,
        };
        // Offsets count units of eight octets, one unit at least.
        let part_len = mtu.saturating_sub(header_len) / 8 * 8;
        let part_len = part_len.max(8);
        let count = upper.len().div_ceil(part_len);
        let parts = upper.chunks(part_len).enumerate();
        parts
            .map(|(place, part)| {
                let offset = len16(place * part_len);
                self.frame(part, Some((offset, place + 1 < count)))
            })
            .collect()
    }

    /// The frame around `upper`, which is the fragment at this offset, with more to follow or not.
    fn frame(&self, upper: &[u8], fragment: Option<(u16, bool)>) -> Vec<u8> {
        let (ether_type, packet) = match (self.src, self.dst) {
            (IpAddr::V4(_), IpAddr::V4(_)) => (number::ETHERTYPE_IPV4, self.ipv4(upper, fragment)),
            (IpAddr::V6(_), IpAddr::V6(_)) => (number::ETHERTYPE_IPV6, self.ipv6(upper, fragment)),
            _ => families_differ(),
        };
        let Some(vlan) = self.vlan else {
            return ethernet(self.dst_mac, self.src_mac, ether_type, &packet);
        };
        let tagged = [&vlan.to_be_bytes()[..], &ether_type.to_be_bytes(), &packet].concat();
        ethernet(self.dst_mac, self.src_mac, number::ETHERTYPE_VLAN, &tagged)
    }

    fn ipv4(&self, upper: &[u8], fragment: Option<(u16, bool)>) -> Vec<u8> {
        let header_len = 20 + self.ip_options.len();
        let words = u8::try_from(header_len / 4).unwrap_or(u8::MAX).min(15);
        let fragment = match fragment {
            Some((offset, more)) => u16::from(more) << 13 | offset >> 3,
            None => u16::from(self.dont_fragment) << 14,
        };
        let mut packet = vec![0x40 | words, self.tos];
        packet.extend(len16(header_len + upper.len()).to_be_bytes());
        packet.extend(self.identification.to_be_bytes());
        packet.extend(fragment.to_be_bytes());
        packet.extend([self.ttl, self.protocol(), 0, 0]);
        packet.extend(octets(self.src));
        packet.extend(octets(self.dst));
        packet.extend(&self.ip_options);
        let field = checksum::finish(checksum::sum(&packet));
        packet[10..12].copy_from_slice(&field.to_be_bytes());
        packet.extend(upper);
        packet
    }

    fn ipv6(&self, upper: &[u8], fragment: Option<(u16, bool)>) -> Vec<u8> {
        let mut next = self.protocol();
        let mut body = upper.to_vec();
        if let Some((offset, more)) = fragment {
            let mut header = vec![next, 0];
            header.extend((offset | u16::from(more)).to_be_bytes());
            header.extend(u32::from(self.identification).to_be_bytes());
            body.splice(..0, header);
            next = number::FRAGMENT;
        }
        if let Some(options) = self.destination_options {
            body.splice(..0, [&[next, 0], &options[..]].concat());
            next = number::DESTINATION_OPTIONS;
        }
        let [high, low] = (0x6000 | u16::from(self.tos) << 4).to_be_bytes();
        let mut packet = vec![high, low, 0, 0];
        packet.extend(len16(body.len()).to_be_bytes());
        packet.extend([next, self.ttl]);
        packet.extend(octets(self.src));
        packet.extend(octets(self.dst));
        packet.extend(body);
        packet
    }

    fn protocol(&self) -> u8 {
        match self.upper {
            Upper::Tcp { .. } => number::TCP,
            Upper::Udp { .. } => number::UDP,
            Upper::Echo { .. } | Upper::Icmp { .. } if self.src.is_ipv4() => number::ICMP,
            Upper::Echo { .. } | Upper::Icmp { .. } => number::ICMPV6,
            Upper::Other { protocol } => protocol,
        }
    }

    /// Everything behind the IP header.
    fn upper_packet(&self) -> Vec<u8> {
        let finish: fn(u16) -> u16 = match self.upper {
            Upper::Udp { .. } => checksum::finish_udp,
            _ => checksum::finish,
        };
        let (mut packet, checksum_at) = match &self.upper {
            Upper::Tcp {
                ports,
                sequence,
                acknowledgment,
                flags,
                options,
            } => {
                let words = u8::try_from(5 + options.len() / 4)
                    .unwrap_or(u8::MAX)
                    .min(15);
                let mut header = ports_of(*ports);
                header.extend(sequence.to_be_bytes());
                header.extend(acknowledgment.to_be_bytes());
                header.extend([words << 4, *flags, 0xff, 0xff, 0, 0, 0, 0]);
                header.extend(options);
                (header, Some(16))
            }
            Upper::Udp { ports, checksum } => {
                let mut header = ports_of(*ports);
                header.extend(len16(8 + self.payload.len()).to_be_bytes());
                header.extend([0, 0]);
                (header, checksum.then_some(6))
            }
            Upper::Echo {
                reply,
                id,
                sequence,
            } => {
                let kind = match (self.src, reply) {
                    (IpAddr::V4(_), false) => 8,
                    (IpAddr::V4(_), true) => 0,
                    (IpAddr::V6(_), false) => 128,
                    (IpAddr::V6(_), true) => 129,
                };
                let mut header = vec![kind, 0, 0, 0];
                header.extend(id.to_be_bytes());
                header.extend(sequence.to_be_bytes());
                (header, Some(2))
            }
            Upper::Icmp { kind, code } => (vec![*kind, *code, 0, 0], Some(2)),
            Upper::Other { .. } => (Vec::new(), None),
        };
        packet.extend(&self.payload);
        if let Some(at) = checksum_at {
            self.fill(&mut packet, at, finish);
        }
        packet
    }

    /// Fills the checksum field at `at` of `upper` in.
    fn fill(&self, upper: &mut [u8], at: usize, finish: fn(u16) -> u16) {
        let pseudo = match self.protocol() {
            number::ICMP => 0,
            protocol => pseudo_header(self.src, self.dst, protocol, upper.len()),
        };
        let field = finish(checksum::combine(pseudo, checksum::sum(upper)));
        upper[at..at + 2].copy_from_slice(&field.to_be_bytes());
    }
}

/// An Ethernet frame.
fn ethernet(dst: MacAddr, src: MacAddr, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [
        &dst.octets()[..],
        &src.octets(),
        &ether_type.to_be_bytes(),
        payload,
    ]
    .concat()
}

fn ports_of(ports: (u16, u16)) -> Vec<u8> {
    [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat()
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    }
}

/// A length that a 16-bit field holds.
#[expect(
    clippy::panic,
    reason = "a test that asks for a longer packet is wrong itself"
)]
fn len16(len: usize) -> u16 {
    u16::try_from(len).unwrap_or_else(|_| panic!("{len} octets do not fit a packet"))
}

#[expect(
    clippy::panic,
    reason = "a test that mixes address families is wrong itself"
)]
fn families_differ() -> ! {
    panic!("source and destination are of different families")
}

/// The value that `text` is.
#[expect(
    clippy::panic,
    reason = "a test that writes no address is wrong itself"
)]
fn read<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error:?}"))
}
