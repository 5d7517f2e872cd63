use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{Icmpv6Packet, Icmpv6Repr, NdiscNeighborFlags, NdiscRepr, RawHardwareAddress};

use super::*;
use crate::respond::testing::*;

const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 1);
const GROUP_MAC: MacAddr = MacAddr::new([0x33, 0x33, 0xff, 0, 0, 1]);

/// A solicitation for the gateway with these options.
fn solicitation(src: Ipv6Addr, dst: Ipv6Addr, hops: u8, options: &[u8]) -> Vec<u8> {
    let mut body = GATEWAY_V6.octets().to_vec();
    body.extend(options);
    let step = from_guest(GROUP_MAC).ipv6(src.octets(), dst.octets(), hops);
    request!(step.icmpv6_raw(135, 0, [0; 4]), &body)
}

fn source_option() -> [u8; 8] {
    let mut option = [1; 8];
    option[2..].copy_from_slice(&GUEST.octets());
    option
}

/// The advertisement's flags, target and target link-layer address, as smoltcp reads them.
fn advertisement(reply: &Answer) -> (NdiscNeighborFlags, Ipv6Addr, Option<RawHardwareAddress>) {
    let (IpAddr::V6(src), IpAddr::V6(dst)) = (reply.src, reply.dst) else {
        panic!("{reply:?}")
    };
    let packet = Icmpv6Packet::new_checked(&reply.upper[..]).unwrap();
    let caps = ChecksumCapabilities::default();
    match Icmpv6Repr::parse(&src, &dst, &packet, &caps).unwrap() {
        Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert {
            flags,
            target_addr,
            lladdr,
        }) => (flags, target_addr, lladdr),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_solicitation_is_answered_to_the_solicitor() {
    let bytes = solicitation(GUEST_V6, GROUP, 255, &source_option());
    let (mut frame, parsed) = parse(&bytes);
    answer(GATEWAY, true, &mut frame, &parsed).unwrap();
    let reply = read(&frame);
    assert_eq!((reply.src_mac, reply.dst_mac), (GATEWAY, GUEST));
    assert_eq!((reply.src, reply.dst), (GATEWAY_V6.into(), GUEST_V6.into()));
    assert_eq!(reply.hops, 255);
    let (flags, target, lladdr) = advertisement(&reply);
    assert_eq!(
        flags,
        NdiscNeighborFlags::ROUTER | NdiscNeighborFlags::SOLICITED | NdiscNeighborFlags::OVERRIDE
    );
    assert_eq!(target, GATEWAY_V6);
    assert_eq!(
        lladdr,
        Some(RawHardwareAddress::from_bytes(&GATEWAY.octets()))
    );
}

#[test]
fn without_a_link_layer_address_the_frame_tells_it() {
    let (mut frame, parsed) = parse(&solicitation(GUEST_V6, GATEWAY_V6, 255, &[]));
    answer(GATEWAY, false, &mut frame, &parsed).unwrap();
    let reply = read(&frame);
    assert_eq!(reply.dst_mac, GUEST);
    assert_eq!(
        advertisement(&reply).0,
        NdiscNeighborFlags::SOLICITED | NdiscNeighborFlags::OVERRIDE
    );
}

#[test]
fn duplicate_address_detection_is_answered_to_all() {
    let (mut frame, parsed) = parse(&solicitation(Ipv6Addr::UNSPECIFIED, GROUP, 255, &[]));
    answer(GATEWAY, true, &mut frame, &parsed).unwrap();
    let reply = read(&frame);
    assert_eq!(reply.dst_mac, ALL_NODES_MAC);
    assert_eq!(reply.dst, IpAddr::V6(Ipv6Addr::from_bits(ALL_NODES.bits())));
    assert_eq!(
        advertisement(&reply).0,
        NdiscNeighborFlags::ROUTER | NdiscNeighborFlags::OVERRIDE
    );
}

#[test]
fn a_malformed_solicitation_gets_nothing() {
    let unspecified = Ipv6Addr::UNSPECIFIED;
    let mut wrong = solicitation(GUEST_V6, GROUP, 255, &source_option());
    wrong[56] ^= 0xff;
    let many = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let mut group_option = source_option();
    group_option[2] |= 1;
    for (bytes, why) in [
        (wrong, "checksum"),
        (
            solicitation(unspecified, GROUP, 255, &source_option()),
            "source address",
        ),
        (
            solicitation(unspecified, GATEWAY_V6, 255, &[]),
            "source address",
        ),
        (solicitation(many, GROUP, 255, &[]), "source address"),
        (
            solicitation(GUEST_V6, GROUP, 255, &group_option),
            "source address",
        ),
        (
            solicitation(GUEST_V6, many, 255, &[]),
            "destination address",
        ),
    ] {
        let (mut frame, parsed) = parse(&bytes);
        let answered = answer(GATEWAY, true, &mut frame, &parsed);
        assert_eq!(answered, Err(NoAnswer::Malformed(why)));
        assert_eq!(frame.bytes(), bytes);
    }
    let routed = solicitation(GUEST_V6, GROUP, 254, &source_option());
    assert!(
        Parsed::parse(&routed).is_err(),
        "the parser refuses what a router forwarded"
    );
}
