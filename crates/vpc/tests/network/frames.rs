//! Frames as guests and the wire send them.

use core::net::{IpAddr, Ipv6Addr};

use rackweave_engine::program::RuleId;
use rackweave_engine::{Direction, Frame, Port, Verdict};
use rackweave_types::{Instant, MacAddr, reserved};
use rackweave_vpc::{RuleKind, RuleName};
use rackweave_wire::checksum;

/// When everything happens.
pub(crate) const NOW: Instant = Instant::from_nanos(1_000_000_000);

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// An Ethernet frame.
pub(crate) fn ethernet(dst: MacAddr, src: MacAddr, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [
        &dst.octets()[..],
        &src.octets(),
        &ether_type.to_be_bytes(),
        payload,
    ]
    .concat()
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
    let (ether_type, packet) = match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let payload = upper.bytes(&src.octets(), &dst.octets());
            let total = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
            let mut header = vec![
                0x45,
                0,
                total[0],
                total[1],
                0,
                0,
                0x40,
                0,
                64,
                upper.protocol,
            ];
            header.extend([0, 0]);
            header.extend(src.octets());
            header.extend(dst.octets());
            let sum = (!checksum::sum(&header)).to_be_bytes();
            header[10..12].copy_from_slice(&sum);
            (0x0800, [header, payload].concat())
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let payload = upper.bytes(&src.octets(), &dst.octets());
            (
                0x86dd,
                ipv6(src, dst, upper.protocol, upper.hop_limit, &payload),
            )
        }
        _ => panic!("{src} and {dst} are of two families"),
    };
    ethernet(dst_mac, src_mac, ether_type, &packet)
}

fn ipv6(src: Ipv6Addr, dst: Ipv6Addr, next: u8, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [0x60, 0, 0, 0, len[0], len[1], next, hop_limit];
    [&head[..], &src.octets(), &dst.octets(), payload].concat()
}

/// What an IP packet carries.
#[derive(Clone, Debug)]
pub(crate) struct Upper {
    protocol: u8,
    hop_limit: u8,
    bytes: Vec<u8>,
    checksum_at: Option<usize>,
}

impl Upper {
    /// A TCP segment with these flags.
    pub(crate) fn tcp(src: u16, dst: u16, flags: u8) -> Self {
        let mut bytes = [src.to_be_bytes(), dst.to_be_bytes()].concat();
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0x40, 0, 0, 0, 0, 0]);
        Self {
            protocol: 6,
            hop_limit: 64,
            bytes,
            checksum_at: Some(16),
        }
    }

    /// A UDP datagram.
    pub(crate) fn udp(src: u16, dst: u16, payload: &[u8]) -> Self {
        let len = u16::try_from(8 + payload.len()).unwrap();
        let mut bytes = [
            src.to_be_bytes(),
            dst.to_be_bytes(),
            len.to_be_bytes(),
            [0; 2],
        ]
        .concat();
        bytes.extend(payload);
        Self {
            protocol: 17,
            hop_limit: 64,
            bytes,
            checksum_at: Some(6),
        }
    }

    /// An ICMP echo request.
    pub(crate) fn echo() -> Self {
        let bytes = vec![8, 0, 0, 0, 0, 7, 0, 1];
        Self {
            protocol: 1,
            hop_limit: 64,
            bytes,
            checksum_at: Some(2),
        }
    }

    /// An ICMPv6 message with the hop limit of neighbour discovery.
    pub(crate) fn icmpv6(kind: u8, rest: &[u8]) -> Self {
        let bytes = [&[kind, 0, 0, 0], rest].concat();
        Self {
            protocol: 58,
            hop_limit: 255,
            bytes,
            checksum_at: Some(2),
        }
    }

    /// Another protocol.
    pub(crate) fn other(protocol: u8) -> Self {
        Self {
            protocol,
            hop_limit: 64,
            bytes: vec![0; 16],
            checksum_at: None,
        }
    }

    /// The octets, with the checksum that these addresses give.
    fn bytes(&self, src: &[u8], dst: &[u8]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let Some(at) = self.checksum_at else {
            return bytes;
        };
        let len = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        let pseudo = [src, dst, &[0, self.protocol], &len].concat();
        let covered = if self.protocol == 1 {
            bytes.clone()
        } else {
            [pseudo, bytes.clone()].concat()
        };
        let sum = (!checksum::sum(&covered)).to_be_bytes();
        bytes[at..at + 2].copy_from_slice(&sum);
        bytes
    }
}

/// An ARP packet: operation, sender, target.
pub(crate) fn arp(
    operation: u8,
    src_mac: MacAddr,
    claimed: MacAddr,
    sender: [u8; 4],
    target: [u8; 4],
) -> Frame {
    let head = [0, 1, 8, 0, 6, 4, 0, operation];
    let packet = [&head[..], &claimed.octets(), &sender, &[0; 6], &target].concat();
    Frame::new(&ethernet(MacAddr::BROADCAST, src_mac, 0x0806, &packet))
}

/// A frame of the wire: Geneve around an Ethernet frame.
pub(crate) fn geneve(src: Ipv6Addr, dst: Ipv6Addr, vni: u32, inner: &[u8]) -> Frame {
    let vni = vni.to_be_bytes();
    let geneve = [&[0, 0, 0x65, 0x58, vni[1], vni[2], vni[3], 0], inner].concat();
    let len = u16::try_from(8 + geneve.len()).unwrap().to_be_bytes();
    let udp = [&[0xc0, 0, 0x17, 0xc1, len[0], len[1], 0, 0], &geneve[..]].concat();
    let outer = ipv6(src, dst, 17, 64, &udp);
    let (dst_mac, src_mac) = (
        MacAddr::new([2, 0, 0, 0, 0, 1]),
        MacAddr::new([2, 0, 0, 0, 0, 2]),
    );
    Frame::new(&ethernet(dst_mac, src_mac, 0x86dd, &outer))
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
