use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use rackweave_types::MacAddr;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::time::Duration;
use smoltcp::wire::{
    Icmpv6Packet, Icmpv6Repr, NdiscPrefixInfoFlags, NdiscRepr, NdiscRouterFlags, RawHardwareAddress,
};

use super::*;
use crate::respond::AdvertisedPrefix;
use crate::respond::testing::*;

const ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const ROUTERS_MAC: MacAddr = MacAddr::new([0x33, 0x33, 0, 0, 0, 2]);

pub(in crate::respond) fn advert() -> RouterAdvert {
    RouterAdvert {
        mac: GATEWAY,
        router: GATEWAY_V6,
        lifetime: 9000,
        managed: true,
        other: true,
        mtu: 1500,
        prefixes: vec![AdvertisedPrefix {
            prefix: "fd00:1::/64".parse().unwrap(),
            on_link: false,
            autonomous: true,
            lifetime: 86_400,
        }],
        dns: vec![Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 2)],
        search: vec!["vpc.example".into()],
    }
}

fn solicitation(src: Ipv6Addr, dst: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    let step = from_guest(ROUTERS_MAC).ipv6(src.octets(), dst.octets(), 255);
    request!(step.icmpv6_raw(133, 0, [0; 4]), options)
}

fn answered(advert: &RouterAdvert, bytes: &[u8]) -> Result<Answer, NoAnswer> {
    let (mut frame, parsed) = parse(bytes);
    match answer(advert, &mut frame, &parsed) {
        Ok(()) => Ok(read(&frame)),
        Err(why) => {
            assert_eq!(frame.bytes(), bytes);
            Err(why)
        }
    }
}

#[test]
fn the_options_byte_for_byte() {
    let reply = answered(&advert(), &solicitation(GUEST_V6, ROUTERS, &[])).unwrap();
    let expected = [
        &[
            134,
            0,
            reply.upper[2],
            reply.upper[3],
            64,
            0xc0,
            0x23,
            0x28,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ][..],
        &[1, 1, 0x02, 0x72, 0x77, 0xff, 0xff, 0x01],
        &[5, 1, 0, 0, 0, 0, 0x05, 0xdc],
        &[
            3, 4, 64, 0x40, 0, 1, 0x51, 0x80, 0, 1, 0x51, 0x80, 0, 0, 0, 0,
        ],
        &[0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[25, 3, 0, 0, 0, 0, 0x23, 0x28],
        &[0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
        b"\x1f\x03\0\0\0\0\x23\x28\x03vpc\x07example\0\0\0\0",
    ]
    .concat();
    assert_eq!(reply.upper, expected);
}

#[test]
fn smoltcp_reads_the_same() {
    let reply = answered(&advert(), &solicitation(GUEST_V6, ROUTERS, &[])).unwrap();
    assert_eq!((reply.src_mac, reply.dst_mac), (GATEWAY, GUEST));
    assert_eq!((reply.src, reply.dst), (GATEWAY_V6.into(), GUEST_V6.into()));
    assert_eq!(reply.hops, 255);
    let packet = Icmpv6Packet::new_checked(&reply.upper[..]).unwrap();
    let caps = ChecksumCapabilities::default();
    let repr = Icmpv6Repr::parse(&GATEWAY_V6, &GUEST_V6, &packet, &caps).unwrap();
    let Icmpv6Repr::Ndisc(NdiscRepr::RouterAdvert {
        flags,
        router_lifetime,
        lladdr,
        mtu,
        prefix_info,
        ..
    }) = repr
    else {
        panic!("{repr:?}")
    };
    assert_eq!(flags, NdiscRouterFlags::MANAGED | NdiscRouterFlags::OTHER);
    assert_eq!(router_lifetime, Duration::from_secs(9000));
    assert_eq!(
        lladdr,
        Some(RawHardwareAddress::from_bytes(&GATEWAY.octets()))
    );
    assert_eq!(mtu, Some(1500));
    let prefix = prefix_info.unwrap();
    assert_eq!(
        (prefix.prefix_len, prefix.flags),
        (64, NdiscPrefixInfoFlags::ADDRCONF)
    );
    assert_eq!(prefix.valid_lifetime, Duration::from_secs(86_400));
    assert_eq!(prefix.prefix, Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 0));
}

#[test]
fn who_has_no_address_is_answered_with_all() {
    let bytes = solicitation(Ipv6Addr::UNSPECIFIED, ROUTERS, &[]);
    let reply = answered(&advert(), &bytes).unwrap();
    let all: IpAddr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into();
    assert_eq!((reply.dst, reply.dst_mac), (all, ALL_NODES_MAC));
}

#[test]
fn unsolicited_is_the_same_to_all() {
    let mut frame = Frame::new(b"whatever was there");
    advert().unsolicited(&mut frame).unwrap();
    let unasked = read(&frame);
    let asked = answered(
        &advert(),
        &solicitation(Ipv6Addr::UNSPECIFIED, ROUTERS, &[]),
    )
    .unwrap();
    assert_eq!(unasked.upper, asked.upper);
    assert_eq!((unasked.dst, unasked.dst_mac), (asked.dst, asked.dst_mac));
}

#[test]
fn malformed_solicitations_get_nothing() {
    let option = [1, 1, 0x02, 0x72, 0x77, 0, 0, 1];
    let many = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let mut wrong = solicitation(GUEST_V6, ROUTERS, &option);
    wrong[56] ^= 1;
    for (bytes, why) in [
        (wrong, NoAnswer::Malformed("checksum")),
        (
            solicitation(Ipv6Addr::UNSPECIFIED, ROUTERS, &option),
            NoAnswer::Malformed("source address"),
        ),
        (
            solicitation(many, ROUTERS, &[]),
            NoAnswer::Malformed("source address"),
        ),
        (solicitation(GUEST_V6, many, &[]), NoAnswer::NotForUs),
    ] {
        assert_eq!(answered(&advert(), &bytes).map(|_| ()), Err(why));
    }
}

#[test]
fn an_advertisement_is_no_longer_than_the_link_takes() {
    let search: Vec<String> = (0..200)
        .map(|i| alloc::format!("zone-{i}.example"))
        .collect();
    let advert = RouterAdvert {
        search,
        mtu: 1280,
        ..advert()
    };
    let reply = answered(&advert, &solicitation(GUEST_V6, ROUTERS, &[])).unwrap();
    assert_eq!(reply.upper.len(), 16 + 8 + 8 + 32 + 24);
}
