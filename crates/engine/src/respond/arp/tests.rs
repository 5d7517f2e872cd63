use alloc::vec::Vec;

use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr};

use super::*;
use crate::respond::testing::{GATEWAY, GATEWAY_V4, GUEST, GUEST_V4, parse, tagged};

/// An ARP packet of the guest, padded to the least length of an Ethernet frame.
fn arp(operation: u8, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let mut bytes = [
        &[0xff; 6][..],
        &GUEST.octets(),
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, operation],
    ]
    .concat();
    bytes.extend(GUEST.octets());
    bytes.extend(sender);
    bytes.extend([0; 6]);
    bytes.extend(target);
    bytes.resize(60, 0);
    bytes
}

fn request() -> Vec<u8> {
    arp(1, GUEST_V4.octets(), GATEWAY_V4.octets())
}

#[test]
fn a_request_gets_the_gateway() {
    let (mut frame, parsed) = parse(&request());
    answer(GATEWAY, &mut frame, &parsed).unwrap();
    let expected = [
        0x02, 0x72, 0x77, 0x00, 0x00, 0x01, 0x02, 0x72, 0x77, 0xff, 0xff, 0x01, 0x08,
        0x06, // link
        0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x02, // Ethernet, IPv4, reply
        0x02, 0x72, 0x77, 0xff, 0xff, 0x01, 10, 0, 0, 1, // sender
        0x02, 0x72, 0x77, 0x00, 0x00, 0x01, 10, 0, 0, 7, // target
    ];
    assert_eq!(frame.bytes(), expected);
    let repr = ArpRepr::parse(&ArpPacket::new_checked(&frame.bytes()[14..]).unwrap()).unwrap();
    let ArpRepr::EthernetIpv4 {
        operation,
        source_protocol_addr,
        target_protocol_addr,
        ..
    } = repr
    else {
        panic!("{repr:?}")
    };
    assert_eq!(operation, ArpOperation::Reply);
    assert_eq!(
        (source_protocol_addr, target_protocol_addr),
        (GATEWAY_V4, GUEST_V4)
    );
}

#[test]
fn a_probe_gets_the_gateway_too() {
    let (mut frame, parsed) = parse(&arp(1, [0; 4], GATEWAY_V4.octets()));
    answer(GATEWAY, &mut frame, &parsed).unwrap();
    assert_eq!(frame.bytes()[28..32], GATEWAY_V4.octets());
    assert_eq!(
        frame.bytes()[32..42],
        [0x02, 0x72, 0x77, 0, 0, 1, 0, 0, 0, 0]
    );
}

#[test]
fn a_tag_is_kept() {
    let (mut frame, parsed) = parse(&tagged(&request()));
    answer(GATEWAY, &mut frame, &parsed).unwrap();
    assert_eq!(frame.bytes()[12..18], [0x81, 0x00, 0x20, 0x05, 0x08, 0x06]);
    assert_eq!(frame.bytes()[24..26], [0, 2]);
    assert_eq!(frame.len(), 46);
}

#[test]
fn what_is_no_request_gets_nothing() {
    let mut other_station = request();
    other_station[..6].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    let mut group_sender = request();
    group_sender[22] |= 1;
    let announcement = arp(1, GUEST_V4.octets(), GUEST_V4.octets());
    let reply = arp(2, GUEST_V4.octets(), GATEWAY_V4.octets());
    for (bytes, why) in [
        (reply, NoAnswer::NotForUs),
        (other_station, NoAnswer::NotForUs),
        (group_sender, NoAnswer::Malformed("sender hardware address")),
        (announcement, NoAnswer::NothingToSay),
    ] {
        let (mut frame, parsed) = parse(&bytes);
        assert_eq!(answer(GATEWAY, &mut frame, &parsed), Err(why));
        assert_eq!(frame.bytes(), bytes);
    }
}
