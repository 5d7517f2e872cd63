use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use proptest::prelude::*;
use smoltcp::wire::{IpProtocol, TcpPacket, TcpSeqNumber};

use super::*;
use crate::frame::Offload;
use crate::respond::testing::*;

const ROUTER_V4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);
const ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const PEER_V4: [u8; 4] = [192, 0, 2, 9];
const PEER_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
const REJECT: Reject = Reject {
    router_v4: ROUTER_V4,
    router_v6: ROUTER_V6,
};

/// A TCP segment of the guest in either family, with these flags set.
fn tcp(v6: bool, flags: u8, payload: &[u8]) -> Vec<u8> {
    let (seq, ack) = (0xffff_fff0, 0x0102_0304);
    let mut header = etherparse::TcpHeader::new(1000, 80, seq, 512);
    header.acknowledgment_number = ack;
    header.fin = flags & FIN != 0;
    header.syn = flags & SYN != 0;
    header.rst = flags & RST != 0;
    header.ack = flags & ACK != 0;
    if v6 {
        let step = from_guest(GATEWAY).ipv6(GUEST_V6.octets(), PEER_V6, 64);
        request!(step.tcp_header(header), payload)
    } else {
        let step = from_guest(GATEWAY).ipv4(GUEST_V4.octets(), PEER_V4, 64);
        request!(step.tcp_header(header), payload)
    }
}

/// A UDP datagram of the guest in either family.
fn udp(v6: bool, payload: &[u8]) -> Vec<u8> {
    if v6 {
        request!(
            from_guest(GATEWAY)
                .ipv6(GUEST_V6.octets(), PEER_V6, 64)
                .udp(1000, 53),
            payload
        )
    } else {
        request!(
            from_guest(GATEWAY)
                .ipv4(GUEST_V4.octets(), PEER_V4, 64)
                .udp(1000, 53),
            payload
        )
    }
}

/// Sequence number, acknowledgement and whether it is there, of the reset that answers this
/// segment.
fn reset_of(bytes: &[u8]) -> (u32, Option<u32>) {
    let (mut frame, parsed) = parse(bytes);
    tcp_reset(&mut frame, &parsed).unwrap();
    let reply = read(&frame);
    assert_eq!((reply.src_mac, reply.dst_mac), (GATEWAY, GUEST));
    let tcp = TcpPacket::new_checked(&reply.upper[..]).unwrap();
    assert_eq!(
        (tcp.src_port(), tcp.dst_port(), tcp.window_len()),
        (80, 1000, 0)
    );
    assert!(tcp.rst() && !tcp.syn() && !tcp.fin() && !tcp.psh());
    let TcpSeqNumber(seq) = tcp.seq_number();
    let TcpSeqNumber(ack) = tcp.ack_number();
    (
        seq.cast_unsigned(),
        tcp.ack().then_some(ack.cast_unsigned()),
    )
}

#[test]
fn resets_have_the_numbers_of_rfc_9293() {
    for v6 in [false, true] {
        assert_eq!(reset_of(&tcp(v6, SYN, &[])), (0, Some(0xffff_fff1)));
        assert_eq!(
            reset_of(&tcp(v6, SYN | FIN, b"data")),
            (0, Some(0xffff_fff6))
        );
        assert_eq!(reset_of(&tcp(v6, 0, &[0; 32])), (0, Some(0x10)));
        assert_eq!(reset_of(&tcp(v6, ACK, &[])), (0x0102_0304, None));
        assert_eq!(reset_of(&tcp(v6, ACK, b"data")), (0x0102_0304, None));
        assert_eq!(reset_of(&tcp(v6, SYN | ACK, &[])), (0x0102_0304, None));
        assert_eq!(
            reset_of(&tagged(&tcp(v6, SYN, &[]))),
            (0, Some(0xffff_fff1))
        );
    }
}

#[test]
fn a_reset_of_a_large_send_counts_all_of_it() {
    let (mut frame, parsed) = parse(&tcp(false, SYN, &vec![7; 60_000]));
    offloaded(&mut frame, &parsed, 16);
    tcp_reset(&mut frame, &parsed).unwrap();
    let reply = read(&frame);
    let acked = 0xffff_fff0_u32.wrapping_add(60_001);
    assert_eq!(reply.upper[8..12], acked.to_be_bytes());
}

#[test]
fn a_reset_is_never_answered() {
    for v6 in [false, true] {
        for flags in [RST, RST | ACK, RST | SYN] {
            let bytes = tcp(v6, flags, &[]);
            let (mut frame, parsed) = parse(&bytes);
            assert_eq!(
                reject(&mut frame, &parsed, &REJECT),
                Err(NoAnswer::NothingToSay)
            );
            assert_eq!(frame.bytes(), bytes);
        }
    }
}

#[test]
fn a_segment_with_a_wrong_checksum_gets_no_reset() {
    let mut bytes = tcp(false, SYN, &[]);
    bytes[51] ^= 1;
    let (mut frame, parsed) = parse(&bytes);
    assert_eq!(
        tcp_reset(&mut frame, &parsed),
        Err(NoAnswer::Malformed("checksum"))
    );
}

#[test]
fn reject_chooses_by_protocol() {
    for v6 in [false, true] {
        let (mut frame, parsed) = parse(&tcp(v6, SYN, &[]));
        reject(&mut frame, &parsed, &REJECT).unwrap();
        assert_eq!(read(&frame).protocol, IpProtocol::Tcp);
        let (mut frame, parsed) = parse(&udp(v6, b"query"));
        reject(&mut frame, &parsed, &REJECT).unwrap();
        let reply = read(&frame);
        assert_eq!(reply.upper[..2], if v6 { [1, 1] } else { [3, 13] });
        assert_eq!(
            reply.src,
            if v6 {
                IpAddr::V6(ROUTER_V6)
            } else {
                IpAddr::V4(ROUTER_V4)
            }
        );
    }
}

#[test]
fn too_big_tells_the_mtu() {
    for v6 in [false, true] {
        let bytes = udp(v6, &[0x5a; 1400]);
        let (mut frame, parsed) = parse(&bytes);
        too_big(&mut frame, &parsed, 1280, ROUTER_V4, ROUTER_V6).unwrap();
        let reply = read(&frame);
        assert_eq!(reply.upper[..2], if v6 { [2, 0] } else { [3, 4] });
        assert_eq!(reply.upper[4..8], [0, 0, 0x05, 0x00]);
        // As much as fits, from the IP header on.
        let whole = if v6 { 1280 - 40 } else { 576 - 20 };
        assert_eq!(reply.upper.len(), whole);
        assert_eq!(reply.upper[8..], bytes[14..14 + whole - 8]);
    }
}

#[test]
fn time_exceeded_quotes_all_of_a_short_packet() {
    for v6 in [false, true] {
        let mut bytes = udp(v6, b"traceroute");
        let packet = bytes[14..].to_vec();
        bytes.extend([0xee; 6]);
        let (mut frame, parsed) = parse(&bytes);
        time_exceeded(&mut frame, &parsed, ROUTER_V4, ROUTER_V6).unwrap();
        let reply = read(&frame);
        assert_eq!(reply.upper[..2], if v6 { [3, 0] } else { [11, 0] });
        assert_eq!(reply.upper[8..], packet);
    }
}

#[test]
fn a_large_send_is_quoted_in_part() {
    for v6 in [false, true] {
        let (mut frame, parsed) = parse(&tcp(v6, ACK, &vec![7; 64_000]));
        offloaded(&mut frame, &parsed, 16);
        too_big(&mut frame, &parsed, 1400, ROUTER_V4, ROUTER_V6).unwrap();
        assert_eq!(frame.offload, Offload::default());
        let reply = read(&frame);
        assert_eq!(reply.upper.len(), if v6 { 1240 } else { 556 });
    }
}

#[test]
fn nothing_is_said_about_errors_groups_and_nobody() {
    let guest = GUEST_V4.octets();
    let v4 = |src: [u8; 4], dst: [u8; 4]| {
        request!(from_guest(GATEWAY).ipv4(src, dst, 64).udp(1, 2), b"")
    };
    let v6 = |src: [u8; 16], dst: [u8; 16]| {
        request!(from_guest(GATEWAY).ipv6(src, dst, 64).udp(1, 2), b"")
    };
    let v4_error = request!(
        from_guest(GATEWAY)
            .ipv4(guest, PEER_V4, 64)
            .icmpv4_raw(11, 0, [0; 4]),
        &[0; 28]
    );
    let v6_error = request!(
        from_guest(GATEWAY)
            .ipv6(GUEST_V6.octets(), PEER_V6, 64)
            .icmpv6_raw(2, 0, [0; 4]),
        &[0; 48]
    );
    let v6_redirect = request!(
        from_guest(GATEWAY)
            .ipv6(GUEST_V6.octets(), PEER_V6, 255)
            .icmpv6_raw(137, 0, [0; 4]),
        &[0; 32]
    );
    let mut fragment = v4(guest, PEER_V4);
    fragment[21] = 2;
    fragment[24..26].copy_from_slice(&[0, 0]);
    let field = !rackweave_wire::checksum::sum(&fragment[14..34]);
    fragment[24..26].copy_from_slice(&field.to_be_bytes());
    let mut broadcast = v4(guest, PEER_V4);
    broadcast[..6].fill(0xff);
    let group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    for bytes in [
        v4_error,
        v6_error,
        v6_redirect,
        fragment,
        broadcast,
        v4([0; 4], PEER_V4),
        v4([127, 0, 0, 1], PEER_V4),
        v4([224, 0, 0, 1], PEER_V4),
        v4(guest, [239, 1, 1, 1]),
        v4(guest, [255; 4]),
        v6([0; 16], PEER_V6),
        v6(group, PEER_V6),
        v6(GUEST_V6.octets(), group),
    ] {
        let (mut frame, parsed) = parse(&bytes);
        let said = [
            reject(&mut frame, &parsed, &REJECT),
            too_big(&mut frame, &parsed, 1280, ROUTER_V4, ROUTER_V6),
            time_exceeded(&mut frame, &parsed, ROUTER_V4, ROUTER_V6),
        ];
        assert_eq!(said, [Err(NoAnswer::NothingToSay); 3], "{bytes:x?}");
        assert_eq!(frame.bytes(), bytes);
    }
    let arp = [&[0xff; 12][..], &[8, 6, 0, 1, 8, 0, 6, 4, 0, 6], &[0; 20]].concat();
    let (mut frame, parsed) = parse(&arp);
    assert_eq!(
        reject(&mut frame, &parsed, &REJECT),
        Err(NoAnswer::NotForUs)
    );
}

proptest! {
    #[test]
    fn every_error_is_whole(len in 0_usize..3000, v6: bool, tag: bool, mtu: u16) {
        let bytes = udp(v6, &vec![0xa5; len]);
        let bytes = if tag { tagged(&bytes) } else { bytes };
        let (mut frame, parsed) = parse(&bytes);
        too_big(&mut frame, &parsed, mtu, ROUTER_V4, ROUTER_V6).unwrap();
        let reply = read(&frame);
        let quoted = reply.upper.len() - 8;
        let l3 = usize::from(parsed.l3);
        prop_assert_eq!(&reply.upper[8..], &bytes[l3..l3 + quoted]);
        prop_assert!(quoted == bytes.len() - l3 || reply.upper.len() >= 556);
    }
}
