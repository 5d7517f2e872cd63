use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use smoltcp::wire::IpProtocol;

use super::*;
use crate::frame::Checksum;
use crate::respond::testing::*;

fn v4(payload: &[u8]) -> Vec<u8> {
    let step = from_guest(GATEWAY).ipv4(GUEST_V4.octets(), GATEWAY_V4.octets(), 9);
    request!(step.icmpv4_echo_request(0x1234, 5), payload)
}

fn v6(payload: &[u8]) -> Vec<u8> {
    let step = from_guest(GATEWAY).ipv6(GUEST_V6.octets(), GATEWAY_V6.octets(), 9);
    request!(step.icmpv6_echo_request(0x1234, 5), payload)
}

#[test]
fn v4_bytes() {
    let (mut frame, parsed) = parse(&v4(b"ping"));
    answer(&mut frame, &parsed).unwrap();
    let expected = [
        0x02, 0x72, 0x77, 0x00, 0x00, 0x01, 0x02, 0x72, 0x77, 0xff, 0xff, 0x01, 0x08,
        0x00, // link
        0x45, 0x00, 0x00, 0x20, 0x00, 0x00, 0x40, 0x00, 0x40, 0x01, 0x26, 0xd6, // ip
        10, 0, 0, 1, 10, 0, 0, 7, // from, to
        0x00, 0x00, 0x0e, 0xf6, 0x12, 0x34, 0x00, 0x05, b'p', b'i', b'n', b'g', // echo reply
    ];
    assert_eq!(frame.bytes(), expected);
}

#[test]
fn options_and_extension_headers_do_not_come_back() {
    let mut bytes = v4(b"ping");
    // Four octets of "no operation" between header and echo.
    bytes.splice(34..34, [1, 1, 1, 1]);
    bytes[14] = 0x46;
    bytes[17] += 4;
    bytes[24..26].copy_from_slice(&[0, 0]);
    let field = !rackweave_wire::checksum::sum(&bytes[14..38]);
    bytes[24..26].copy_from_slice(&field.to_be_bytes());
    let (mut frame, parsed) = parse(&bytes);
    answer(&mut frame, &parsed).unwrap();
    assert_eq!(read(&frame).upper[4..], *b"\x12\x34\x00\x05ping");

    let mut bytes = v6(b"ping");
    // Destination options: one PadN.
    bytes.splice(54..54, [58, 0, 1, 4, 0, 0, 0, 0]);
    bytes[20] = 60;
    bytes[19] += 8;
    let (mut frame, parsed) = parse(&bytes);
    answer(&mut frame, &parsed).unwrap();
    assert_eq!(read(&frame).upper[4..], *b"\x12\x34\x00\x05ping");
}

#[test]
fn a_partial_checksum_is_completed() {
    let (mut frame, parsed) = parse(&v6(b"ping"));
    offloaded(&mut frame, &parsed, 2);
    answer(&mut frame, &parsed).unwrap();
    assert_eq!(read(&frame).upper[0], REPLY_V6);
}

#[test]
fn what_is_no_request_gets_nothing() {
    let step = || from_guest(GATEWAY).ipv4(GUEST_V4.octets(), GATEWAY_V4.octets(), 9);
    let reply = request!(step().icmpv4_echo_reply(1, 2), &[]);
    let udp = request!(step().udp(8, 8), &[]);
    let mut wrong = v4(b"ping");
    wrong[44] ^= 1;
    let to_many = request!(
        from_guest(GATEWAY)
            .ipv4(GUEST_V4.octets(), [224, 0, 0, 1], 1)
            .icmpv4_echo_request(1, 2),
        &[]
    );
    let from_nobody = request!(
        from_guest(GATEWAY)
            .ipv4([0; 4], GATEWAY_V4.octets(), 1)
            .icmpv4_echo_request(1, 2),
        &[]
    );
    let mut group = v4(b"ping");
    group[0] |= 1;
    for (bytes, why) in [
        (reply, NoAnswer::NotForUs),
        (udp, NoAnswer::NotForUs),
        (wrong, NoAnswer::Malformed("checksum")),
        (to_many, NoAnswer::NothingToSay),
        (from_nobody, NoAnswer::NothingToSay),
        (group, NoAnswer::NothingToSay),
    ] {
        let (mut frame, parsed) = parse(&bytes);
        assert_eq!(answer(&mut frame, &parsed), Err(why));
        assert_eq!(frame.bytes(), bytes);
    }
}

#[test]
fn a_checksum_that_was_verified_is_not_looked_at() {
    let mut bytes = v4(b"ping");
    bytes[36] ^= 0x55;
    let (mut frame, parsed) = parse(&bytes);
    frame.offload.checksum = Checksum::Verified;
    answer(&mut frame, &parsed).unwrap();
    assert_eq!(read(&frame).protocol, IpProtocol::Icmp);
}

proptest! {
    #[test]
    fn every_payload_comes_back(len in 0_usize..65_500, seed: u8, tag: bool) {
        let payload: Vec<u8> = (0..len).map(|i| seed.wrapping_add(i.to_le_bytes()[0])).collect();
        for bytes in [v4(&payload), v6(&payload)] {
            let bytes = if tag { tagged(&bytes) } else { bytes };
            let (mut frame, parsed) = parse(&bytes);
            answer(&mut frame, &parsed).unwrap();
            let reply = read(&frame);
            prop_assert_eq!((reply.src_mac, reply.dst_mac), (GATEWAY, GUEST));
            prop_assert_eq!(reply.hops, 64);
            prop_assert_eq!(&reply.upper[4..8], &[0x12, 0x34, 0, 5]);
            prop_assert_eq!(&reply.upper[8..], &payload);
        }
    }
}

#[test]
fn padding_is_cut_off() {
    let mut bytes = v4(&[]);
    bytes.extend(vec![0; 18]);
    let (mut frame, parsed) = parse(&bytes);
    answer(&mut frame, &parsed).unwrap();
    assert_eq!(frame.len(), 42);
}
