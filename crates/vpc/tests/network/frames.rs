//! Frames as guests and the wire send them.

use core::net::{IpAddr, Ipv6Addr};

use rackweave_engine::program::RuleId;
use rackweave_engine::{Direction, Frame, Port, Verdict};
use rackweave_testkit::packet::{self, Ends, Header};
use rackweave_types::{Instant, MacAddr, Vni, reserved};
use rackweave_vpc::{RuleKind, RuleName};

/// When everything happens.
pub(crate) const NOW: Instant = Instant::from_nanos(1_000_000_000);

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What an IP packet carries.
#[derive(Clone, Debug)]
pub(crate) enum Upper {
    /// A TCP segment: ports and flags.
    Tcp(u16, u16, u8),
    /// A UDP datagram: ports and payload.
    Udp(u16, u16, Vec<u8>),
    /// An echo request.
    Echo,
    /// An ICMPv6 message: its type and what follows the checksum.
    Icmpv6(u8, Vec<u8>),
    /// Another protocol.
    Other(u8),
}

/// An IP packet with its Ethernet header, from a guest to the gateway.
pub(crate) fn guest(mac: MacAddr, src: IpAddr, dst: IpAddr, upper: &Upper) -> Frame {
    Frame::new(&packet(reserved::GATEWAY_MAC, mac, src, dst, upper))
}

/// An IP packet with its Ethernet header.
pub(crate) fn packet(
    dst_mac: MacAddr,
    src_mac: MacAddr,
    src: IpAddr,
    dst: IpAddr,
    upper: &Upper,
) -> Vec<u8> {
    let ends = Ends {
        src_mac,
        dst_mac,
        src,
        dst,
    };
    match upper {
        Upper::Tcp(from, to, flags) => packet::tcp(&ends, (*from, *to), *flags, b""),
        Upper::Udp(from, to, payload) => packet::udp(&ends, (*from, *to), payload),
        Upper::Echo => packet::echo(&ends, true, 7, 1, b""),
        Upper::Icmpv6(kind, rest) => {
            let (rest, body) = rest.split_first_chunk().unwrap();
            packet::icmp(&ends, *kind, 0, *rest, body)
        }
        Upper::Other(protocol) => packet::ip(&ends, Header::new(*protocol), &[0; 16]),
    }
}

/// An ARP packet: operation, who sends it, and what it claims about which sender.
pub(crate) fn arp(
    operation: u8,
    src_mac: MacAddr,
    claimed: MacAddr,
    sender: [u8; 4],
    target: [u8; 4],
) -> Frame {
    let mut bytes = packet::arp_request(src_mac, sender.into(), target.into());
    bytes[21] = operation;
    bytes[22..28].copy_from_slice(&claimed.octets());
    Frame::new(&bytes)
}

/// A frame of the wire: Geneve around an Ethernet frame.
pub(crate) fn geneve(src: Ipv6Addr, dst: Ipv6Addr, vni: u32, inner: &[u8]) -> Frame {
    Frame::new(&packet::geneve(
        src,
        dst,
        Vni::new(vni).unwrap(),
        &[],
        inner,
    ))
}

/// The VNI and the outer destination of a frame for the wire.
pub(crate) fn tunnel(frame: &Frame) -> (u32, Ipv6Addr) {
    let bytes = frame.bytes();
    let vni = u32::from_be_bytes([0, bytes[66], bytes[67], bytes[68]]);
    let dst: [u8; 16] = bytes[38..54].try_into().unwrap();
    (vni, dst.into())
}

/// The frame inside a frame for the wire.
pub(crate) fn inner(frame: &Frame) -> &[u8] {
    let options = usize::from(frame.bytes()[62] & 0x3f) * 4;
    &frame.bytes()[70 + options..]
}

/// Source and destination of the IP packet in an Ethernet frame.
pub(crate) fn addresses(ethernet: &[u8]) -> (IpAddr, IpAddr) {
    let v4 = |at: usize| <[u8; 4]>::try_from(&ethernet[at..at + 4]).unwrap().into();
    let v6 = |at: usize| <[u8; 16]>::try_from(&ethernet[at..at + 16]).unwrap().into();
    if ethernet[12..14] == [0x08, 0] {
        (v4(26), v4(30))
    } else {
        (v6(22), v6(38))
    }
}

/// What becomes of a frame, and the last rule it met.
pub(crate) fn fate(
    port: &Port,
    direction: Direction,
    frame: &Frame,
) -> (Verdict, Option<RuleKind>) {
    let explanation = port.explain(direction, frame, NOW).unwrap();
    let last = explanation.trace.layers.last().and_then(|layer| layer.rule);
    (
        explanation.verdict,
        last.and_then(RuleName::of).map(|name| name.kind),
    )
}

/// The rule that a layer chose for a frame.
pub(crate) fn met(
    port: &Port,
    direction: Direction,
    frame: &Frame,
    layer: &str,
) -> Option<RuleName> {
    let explanation = port.explain(direction, frame, NOW).unwrap();
    let mut layers = explanation.trace.layers.into_iter();
    let rule: Option<RuleId> = layers.find(|trace| trace.layer == layer)?.rule;
    RuleName::of(rule?)
}
