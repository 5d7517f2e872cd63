//! What the responders' tests share: requests made by one foreign library, answers read by another.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{PacketBuilder, PacketBuilderStep};
use rackweave_types::MacAddr;
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, Icmpv4Packet, Icmpv6Packet, IpProtocol, Ipv4Packet,
    Ipv6Packet, TcpPacket, UdpPacket,
};

use crate::frame::{Checksum, Frame, Offload, Segment, SegmentKind};
use crate::parse::Parsed;

pub(super) const GUEST: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0, 0, 1]);
pub(super) const GATEWAY: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0xff, 0xff, 1]);
pub(super) const GUEST_V4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
pub(super) const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(super) const GUEST_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x72, 0x77ff, 0xfe00, 1);
pub(super) const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// A request from the guest, by etherparse's builder.
pub(super) fn from_guest(dst: MacAddr) -> PacketBuilderStep<etherparse::Ethernet2Header> {
    PacketBuilder::ethernet2(GUEST.octets(), dst.octets())
}

/// The finished request.
macro_rules! request {
    ($builder:expr, $payload:expr) => {{
        let mut bytes = alloc::vec::Vec::new();
        $builder
            .write(&mut bytes, $payload)
            .expect("a vector takes everything");
        bytes
    }};
}
pub(super) use request;

/// The frame and what the parser says of it.
pub(super) fn parse(bytes: &[u8]) -> (Frame, Parsed) {
    let parsed = Parsed::parse(bytes).expect("the request is well-formed");
    (Frame::new(bytes), parsed)
}

/// The request with an 802.1Q tag.
pub(super) fn tagged(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes[..12].to_vec();
    out.extend([0x81, 0x00, 0x20, 0x05]);
    out.extend(&bytes[12..]);
    out
}

/// Marks the frame as a segmentation offload frame of TCP and blots out its checksum.
pub(super) fn offloaded(frame: &mut Frame, parsed: &Parsed, checksum_at: u16) {
    let at = usize::from(parsed.l4 + checksum_at);
    frame.bytes_mut()[at..at + 2].copy_from_slice(&[0x12, 0x34]);
    let checksum = Checksum::Partial {
        start: parsed.l4,
        offset: checksum_at,
    };
    let segment = (checksum_at == 16).then_some(Segment {
        kind: SegmentKind::Tcp,
        size: 1448,
    });
    frame.offload = Offload { checksum, segment };
}

/// An answer, read by smoltcp; every checksum in it was found right.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) src_mac: MacAddr,
    pub(super) dst_mac: MacAddr,
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) protocol: IpProtocol,
    pub(super) hops: u8,
    pub(super) upper: Vec<u8>,
}

/// Reads an answer and verifies that it is whole: lengths, checksums, nothing behind it, no offload
/// left.
pub(super) fn read(frame: &Frame) -> Answer {
    assert_eq!(frame.offload, Offload::default());
    assert!(frame.headroom() >= 94, "headroom {}", frame.headroom());
    Parsed::parse(frame.bytes()).expect("our own parser reads the answer");
    let bytes = untagged(frame.bytes());
    let ethernet = EthernetFrame::new_checked(&bytes[..]).expect("ethernet");
    let payload = ethernet.payload();
    let (src, dst, protocol, hops, upper): (IpAddr, IpAddr, _, _, _) = match ethernet.ethertype() {
        EthernetProtocol::Ipv4 => {
            let ip = Ipv4Packet::new_checked(payload).expect("ipv4");
            assert!(ip.verify_checksum(), "ipv4 header checksum");
            assert_eq!(usize::from(ip.total_len()), payload.len());
            assert_eq!(ip.header_len(), 20);
            (
                ip.src_addr().into(),
                ip.dst_addr().into(),
                ip.next_header(),
                ip.hop_limit(),
                ip.payload().to_vec(),
            )
        }
        EthernetProtocol::Ipv6 => {
            let ip = Ipv6Packet::new_checked(payload).expect("ipv6");
            assert_eq!(ip.total_len(), payload.len());
            (
                ip.src_addr().into(),
                ip.dst_addr().into(),
                ip.next_header(),
                ip.hop_limit(),
                ip.payload().to_vec(),
            )
        }
        other => panic!("the answer is {other}"),
    };
    let (s, d) = (src.into(), dst.into());
    let right = match protocol {
        IpProtocol::Icmp => Icmpv4Packet::new_checked(&upper[..])
            .expect("icmp")
            .verify_checksum(),
        IpProtocol::Icmpv6 => {
            let (IpAddr::V6(s), IpAddr::V6(d)) = (src, dst) else {
                panic!("icmpv6 in ipv4")
            };
            Icmpv6Packet::new_checked(&upper[..])
                .expect("icmpv6")
                .verify_checksum(&s, &d)
        }
        IpProtocol::Tcp => TcpPacket::new_checked(&upper[..])
            .expect("tcp")
            .verify_checksum(&s, &d),
        IpProtocol::Udp => {
            let udp = UdpPacket::new_checked(&upper[..]).expect("udp");
            assert_ne!(udp.checksum(), 0);
            assert_eq!(usize::from(udp.len()), upper.len());
            udp.verify_checksum(&s, &d)
        }
        other => panic!("the answer is {other}"),
    };
    assert!(right, "{protocol} checksum");
    Answer {
        src_mac: MacAddr::new(ethernet.src_addr().0),
        dst_mac: MacAddr::new(ethernet.dst_addr().0),
        src,
        dst,
        protocol,
        hops,
        upper,
    }
}

/// The frame without its 802.1Q tag.
fn untagged(bytes: &[u8]) -> Vec<u8> {
    let tag = if bytes[12..14] == [0x81, 0x00] { 4 } else { 0 };
    [&bytes[..12], &bytes[12 + tag..]].concat()
}
