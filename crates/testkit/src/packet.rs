//! Frames for tests and benchmarks: complete, valid, with every length and checksum right.
//!
//! The functions make plain frames; [`FrameBuilder`] and [`Tunnel`] make those with anything else
//! in them.

mod builder;
mod control;
mod icmp_error;
mod tunnel;

pub use builder::FrameBuilder;
pub use control::{arp_reply, dhcpv4_request, dhcpv6_request, neighbor_advertisement};
pub use icmp_error::{IcmpError, icmp_error};
pub use tunnel::Tunnel;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rackweave_types::{MacAddr, Vni};
use rackweave_wire::checksum::{
    combine, finish, finish_udp, pseudo_header_v4, pseudo_header_v6, sum,
};

/// Who talks to whom, on both layers. Both addresses are of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Ethernet source.
    pub src_mac: MacAddr,
    /// Ethernet destination.
    pub dst_mac: MacAddr,
    /// IP source.
    pub src: IpAddr,
    /// IP destination.
    pub dst: IpAddr,
}

impl Ends {
    /// The other way round.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            src_mac: self.dst_mac,
            dst_mac: self.src_mac,
            src: self.dst,
            dst: self.src,
        }
    }
}

/// TCP flags.
pub mod flag {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// The data is to be delivered now.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
}

/// What the IP header of a frame says besides addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// TTL or hop limit.
    pub ttl: u8,
    /// DSCP and ECN.
    pub tos: u8,
    /// Upper-layer protocol.
    pub protocol: u8,
    /// IPv4: identification, and flags and fragment offset as they stand in the header.
    pub fragment: (u16, u16),
}

impl Header {
    /// TTL 64, not a fragment, "don't fragment" set.
    #[must_use]
    pub const fn new(protocol: u8) -> Self {
        Self {
            ttl: 64,
            tos: 0,
            protocol,
            fragment: (0, 0x4000),
        }
    }
}

fn len16(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// The pseudo header's sum for an upper-layer packet of `len` octets.
#[must_use]
pub fn pseudo_header(src: IpAddr, dst: IpAddr, protocol: u8, len: usize) -> u16 {
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            pseudo_header_v4(src.octets(), dst.octets(), protocol, len16(len))
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            pseudo_header_v6(src.octets(), dst.octets(), protocol, len)
        }
        _ => 0,
    }
}

/// An Ethernet frame with an IP packet that carries these octets.
#[must_use]
pub fn ip(ends: &Ends, header: Header, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(54 + payload.len());
    frame.extend(ends.dst_mac.octets());
    frame.extend(ends.src_mac.octets());
    match (ends.src, ends.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            frame.extend(0x0800_u16.to_be_bytes());
            frame.extend(ipv4(src, dst, header, payload.len()));
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            frame.extend(0x86dd_u16.to_be_bytes());
            frame.extend(ipv6(src, dst, header, payload.len()));
        }
        _ => return Vec::new(),
    }
    frame.extend(payload);
    frame
}

fn ipv4(src: Ipv4Addr, dst: Ipv4Addr, header: Header, payload_len: usize) -> [u8; 20] {
    let mut octets = [0; 20];
    octets[0] = 0x45;
    octets[1] = header.tos;
    octets[2..4].copy_from_slice(&len16(20 + payload_len).to_be_bytes());
    octets[4..6].copy_from_slice(&header.fragment.0.to_be_bytes());
    octets[6..8].copy_from_slice(&header.fragment.1.to_be_bytes());
    octets[8] = header.ttl;
    octets[9] = header.protocol;
    octets[12..16].copy_from_slice(&src.octets());
    octets[16..20].copy_from_slice(&dst.octets());
    let check = finish(sum(&octets));
    octets[10..12].copy_from_slice(&check.to_be_bytes());
    octets
}

fn ipv6(src: Ipv6Addr, dst: Ipv6Addr, header: Header, payload_len: usize) -> [u8; 40] {
    let mut octets = [0; 40];
    octets[0] = 0x60 | header.tos >> 4;
    octets[1] = header.tos << 4;
    octets[4..6].copy_from_slice(&len16(payload_len).to_be_bytes());
    octets[6] = header.protocol;
    octets[7] = header.ttl;
    octets[8..24].copy_from_slice(&src.octets());
    octets[24..40].copy_from_slice(&dst.octets());
    octets
}

/// A TCP segment.
#[must_use]
pub fn tcp(ends: &Ends, ports: (u16, u16), flags: u8, payload: &[u8]) -> Vec<u8> {
    let segment = tcp_segment(ends, ports, flags, payload);
    ip(ends, Header::new(6), &segment)
}

/// A TCP segment without headers in front of it.
#[must_use]
pub fn tcp_segment(ends: &Ends, ports: (u16, u16), flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(20 + payload.len());
    segment.extend(ports.0.to_be_bytes());
    segment.extend(ports.1.to_be_bytes());
    segment.extend(1_000_u32.to_be_bytes());
    segment.extend(2_000_u32.to_be_bytes());
    segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    let check = finish(combine(
        pseudo_header(ends.src, ends.dst, 6, segment.len()),
        sum(&segment),
    ));
    segment[16..18].copy_from_slice(&check.to_be_bytes());
    segment
}

/// A UDP datagram.
#[must_use]
pub fn udp(ends: &Ends, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    ip(ends, Header::new(17), &udp_datagram(ends, ports, payload))
}

/// A UDP datagram without headers in front of it.
#[must_use]
pub fn udp_datagram(ends: &Ends, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(8 + payload.len());
    datagram.extend(ports.0.to_be_bytes());
    datagram.extend(ports.1.to_be_bytes());
    datagram.extend(len16(8 + payload.len()).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    let check = finish_udp(combine(
        pseudo_header(ends.src, ends.dst, 17, datagram.len()),
        sum(&datagram),
    ));
    datagram[6..8].copy_from_slice(&check.to_be_bytes());
    datagram
}

/// An ICMP or ICMPv6 message: type, code, the four octets of the rest of the header, body.
#[must_use]
pub fn icmp(ends: &Ends, kind: u8, code: u8, rest: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(rest);
    message.extend(body);
    let (protocol, pseudo) = match ends.src {
        IpAddr::V4(_) => (1, 0),
        IpAddr::V6(_) => (58, pseudo_header(ends.src, ends.dst, 58, message.len())),
    };
    let check = finish(combine(pseudo, sum(&message)));
    message[2..4].copy_from_slice(&check.to_be_bytes());
    let mut header = Header::new(protocol);
    if protocol == 58 && (133..=137).contains(&kind) {
        header.ttl = 255;
    }
    ip(ends, header, &message)
}

/// An echo request or reply.
#[must_use]
pub fn echo(ends: &Ends, request: bool, id: u16, sequence: u16, body: &[u8]) -> Vec<u8> {
    let kind = match (ends.src, request) {
        (IpAddr::V4(_), true) => 8,
        (IpAddr::V4(_), false) => 0,
        (IpAddr::V6(_), true) => 128,
        (IpAddr::V6(_), false) => 129,
    };
    let [i0, i1] = id.to_be_bytes();
    let [s0, s1] = sequence.to_be_bytes();
    icmp(ends, kind, 0, [i0, i1, s0, s1], body)
}

/// An ARP request of `sender` for `target`.
#[must_use]
pub fn arp_request(mac: MacAddr, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(42);
    frame.extend(MacAddr::BROADCAST.octets());
    frame.extend(mac.octets());
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac.octets());
    frame.extend(sender.octets());
    frame.extend([0; 6]);
    frame.extend(target.octets());
    frame
}

/// A neighbour solicitation of `src` for `target`, to the target's solicited-node group.
#[must_use]
pub fn neighbor_solicitation(mac: MacAddr, src: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let [.., a, b, c] = target.octets();
    let group = Ipv6Addr::new(
        0xff02,
        0,
        0,
        0,
        0,
        1,
        0xff00 | u16::from(a),
        u16::from_be_bytes([b, c]),
    );
    let ends = Ends {
        src_mac: mac,
        dst_mac: MacAddr::new([0x33, 0x33, 0xff, a, b, c]),
        src: src.into(),
        dst: group.into(),
    };
    let mut body = target.octets().to_vec();
    if !src.is_unspecified() {
        body.extend([1, 1]);
        body.extend(mac.octets());
    }
    icmp(&ends, 135, 0, [0; 4], &body)
}

/// A router solicitation of `src` to all routers.
#[must_use]
pub fn router_solicitation(mac: MacAddr, src: Ipv6Addr) -> Vec<u8> {
    let ends = Ends {
        src_mac: mac,
        dst_mac: MacAddr::new([0x33, 0x33, 0, 0, 0, 2]),
        src: src.into(),
        dst: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2).into(),
    };
    let mut body = vec![1, 1];
    body.extend(mac.octets());
    icmp(&ends, 133, 0, [0; 4], &body)
}

/// The EXTERNAL option (design, contract "On the wire").
pub const EXTERNAL: [u8; 4] = [0xff, 0x52, 0x81, 0];

/// A frame inside Geneve, as it comes from the underlay.
#[must_use]
pub fn geneve(src: Ipv6Addr, dst: Ipv6Addr, vni: Vni, options: &[u8], inner: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(16 + options.len() + inner.len());
    payload.extend(50_000_u16.to_be_bytes());
    payload.extend(6081_u16.to_be_bytes());
    payload.extend(len16(16 + options.len() + inner.len()).to_be_bytes());
    payload.extend([0, 0]);
    payload.push(u8::try_from(options.len() / 4).unwrap_or(0));
    payload.push(u8::from(tunnel::has_critical(options)) << 6);
    payload.extend(0x6558_u16.to_be_bytes());
    payload.extend(&vni.get().to_be_bytes()[1..]);
    payload.push(0);
    payload.extend(options);
    payload.extend(inner);
    let ends = Ends {
        src_mac: MacAddr::new([2, 0, 0, 0, 0, 1]),
        dst_mac: MacAddr::new([2, 0, 0, 0, 0, 2]),
        src: src.into(),
        dst: dst.into(),
    };
    ip(&ends, Header::new(17), &payload)
}

/// Cuts an IPv4 frame into fragments whose payload is at most `payload` octets (a multiple of 8).
#[must_use]
pub fn fragments(frame: &[u8], id: u16, payload: usize) -> Vec<Vec<u8>> {
    let (head, body) = frame.split_at(34);
    let count = body.len().div_ceil(payload);
    body.chunks(payload)
        .enumerate()
        .map(|(at, piece)| {
            let more = if at + 1 < count { 0x2000 } else { 0 };
            let mut fragment = head.to_vec();
            fragment[16..18].copy_from_slice(&len16(20 + piece.len()).to_be_bytes());
            fragment[18..20].copy_from_slice(&id.to_be_bytes());
            fragment[20..22].copy_from_slice(&(more | len16(at * payload / 8)).to_be_bytes());
            fragment[24..26].fill(0);
            let check = finish(sum(&fragment[14..34]));
            fragment[24..26].copy_from_slice(&check.to_be_bytes());
            fragment.extend(piece);
            fragment
        })
        .collect()
}

#[cfg(test)]
mod tests;
