//! Anti-spoofing: what a guest may claim, and under which name everything else is dropped.

use core::net::{IpAddr, Ipv6Addr};

use rackweave_engine::{Direction, DropReason, Frame, Port, Verdict};
use rackweave_testkit::vpc::Scene;
use rackweave_types::{MacAddr, reserved};
use rackweave_vpc::RuleKind;

use crate::frames::{Upper, arp, fate, guest, ip, packet};

const OTHER: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0, 0, 9]);

fn test_port() -> (MacAddr, Port) {
    let scene = Scene::new().unwrap();
    (scene.test.mac, scene.start(&scene.test).unwrap())
}

fn dropped_as(port: &Port, frame: &Frame, kind: RuleKind) {
    let denied = (Verdict::Drop(DropReason::RuleDenied), Some(kind));
    assert_eq!(fate(port, Direction::Out, frame), denied);
}

#[test]
fn forged_sources_have_names() {
    let (mac, port) = test_port();
    let syn = Upper::Tcp(1000, 80, 2);
    let from = |mac, src: &str, dst: &str| guest(mac, ip(src), ip(dst), &syn);
    assert_eq!(
        fate(&port, Direction::Out, &from(mac, "10.0.1.5", "10.0.1.6")).0,
        Verdict::Forward
    );
    dropped_as(
        &port,
        &from(mac, "10.0.1.7", "10.0.1.6"),
        RuleKind::ForgedAddress,
    );
    dropped_as(
        &port,
        &from(OTHER, "10.0.1.5", "10.0.1.6"),
        RuleKind::ForgedMac,
    );
    let v6 = "fd12:3456:789a:1::6";
    dropped_as(
        &port,
        &from(mac, "fd12:3456:789a:1::7", v6),
        RuleKind::ForgedAddress,
    );
    dropped_as(&port, &from(mac, "fe80::1", v6), RuleKind::ForgedGateway);
    let not_ip = {
        let macs = [reserved::GATEWAY_MAC.octets(), mac.octets()].concat();
        Frame::new(&[&macs[..], &[0x88, 0xcc], &[0; 46]].concat())
    };
    dropped_as(&port, &not_ip, RuleKind::NotIp);
}

#[test]
fn tagged_frames_are_dropped() {
    let (mac, port) = test_port();
    let plain = packet(
        reserved::GATEWAY_MAC,
        mac,
        ip("10.0.1.5"),
        ip("10.0.1.6"),
        &Upper::Echo,
    );
    let tagged = [&plain[..12], &[0x81, 0, 0, 5], &plain[12..]].concat();
    dropped_as(&port, &Frame::new(&tagged), RuleKind::VlanTag);
}

#[test]
fn arp_must_tell_the_guests_own() {
    let (mac, port) = test_port();
    let gateway = [10, 0, 1, 1];
    let asks = |frame: &Frame| fate(&port, Direction::Out, frame);
    let answered = (Verdict::Hairpin, Some(RuleKind::GatewayArp));
    assert_eq!(asks(&arp(1, mac, mac, [10, 0, 1, 5], gateway)), answered);
    assert_eq!(
        asks(&arp(1, mac, mac, [0; 4], gateway)),
        answered,
        "a probe"
    );
    dropped_as(
        &port,
        &arp(1, mac, OTHER, [10, 0, 1, 5], gateway),
        RuleKind::ForgedArp,
    );
    dropped_as(
        &port,
        &arp(1, OTHER, mac, [10, 0, 1, 5], gateway),
        RuleKind::ForgedArp,
    );
    dropped_as(
        &port,
        &arp(2, mac, mac, gateway, [10, 0, 1, 6]),
        RuleKind::ForgedArp,
    );
    dropped_as(
        &port,
        &arp(1, mac, mac, [10, 0, 1, 5], [10, 0, 1, 6]),
        RuleKind::OtherArp,
    );
}

fn solicitation(target: Ipv6Addr, claimed: Option<MacAddr>) -> Upper {
    let claim = claimed.map(|mac| [&[1, 1][..], &mac.octets()].concat());
    let rest = [&[0; 4][..], &target.octets(), &claim.unwrap_or_default()].concat();
    Upper::Icmpv6(135, rest)
}

#[test]
fn neighbour_discovery_must_tell_the_guests_own() {
    let (mac, port) = test_port();
    let own = ip("fd12:3456:789a:1:72:77ff:fe00:1");
    let all = ip("ff02::1:ff00:1");
    let asks = |src: IpAddr, upper: &Upper| {
        let to = MacAddr::new([0x33, 0x33, 0xff, 0, 0, 1]);
        Frame::new(&packet(to, mac, src, all, upper))
    };
    let answered = (Verdict::Hairpin, Some(RuleKind::GatewayNdp));
    for src in [own, ip("fe80::72:77ff:fe00:1")] {
        let frame = asks(src, &solicitation(reserved::GATEWAY_V6, Some(mac)));
        assert_eq!(fate(&port, Direction::Out, &frame), answered, "{src}");
    }
    let forged = [
        (own, solicitation(reserved::GATEWAY_V6, Some(OTHER))),
        (own, solicitation(reserved::GATEWAY_V6, None)),
        (
            ip("fd12:3456:789a:1::6"),
            solicitation(reserved::GATEWAY_V6, Some(mac)),
        ),
    ];
    for (src, upper) in forged {
        dropped_as(&port, &asks(src, &upper), RuleKind::ForgedNdp);
    }
    let advertised = |target: &str| {
        let IpAddr::V6(target) = ip(target) else {
            panic!("{target} is IPv4")
        };
        let rest = [
            &[0x20, 0, 0, 0][..],
            &target.octets(),
            &[2, 1],
            &mac.octets(),
        ]
        .concat();
        asks(own, &Upper::Icmpv6(136, rest))
    };
    dropped_as(
        &port,
        &advertised("fd12:3456:789a:1:72:77ff:fe00:1"),
        RuleKind::OtherNdp,
    );
    dropped_as(
        &port,
        &advertised("fd12:3456:789a:1::6"),
        RuleKind::ForgedNdp,
    );
    dropped_as(&port, &advertised("fe80::1"), RuleKind::ForgedNdp);
}

#[test]
fn the_own_address_is_not_answered_and_the_gateways_is() {
    let (mac, port) = test_port();
    let probe = |target: &str| {
        let IpAddr::V6(target) = ip(target) else {
            panic!("{target} is IPv4")
        };
        let to = MacAddr::new([0x33, 0x33, 0xff, 0, 0, 1]);
        let upper = solicitation(target, None);
        Frame::new(&packet(to, mac, ip("::"), ip("ff02::1:ff00:1"), &upper))
    };
    // Duplicate address detection: silence is consent.
    dropped_as(
        &port,
        &probe("fd12:3456:789a:1:72:77ff:fe00:1"),
        RuleKind::OtherNdp,
    );
    let taken = (Verdict::Hairpin, Some(RuleKind::GatewayNdp));
    assert_eq!(fate(&port, Direction::Out, &probe("fe80::1")), taken);
}

#[test]
fn guests_are_no_servers_of_the_network() {
    let (mac, port) = test_port();
    let offer = Upper::Udp(67, 68, vec![0; 240]);
    dropped_as(
        &port,
        &guest(mac, ip("10.0.1.5"), ip("10.0.1.6"), &offer),
        RuleKind::GuestDhcpServer,
    );
    let reply = Upper::Udp(547, 546, vec![0; 16]);
    let (own, to) = (ip("fe80::72:77ff:fe00:1"), ip("fe80::2"));
    dropped_as(
        &port,
        &guest(mac, own, to, &reply),
        RuleKind::GuestDhcpServer,
    );
    let advert = Upper::Icmpv6(134, vec![0; 12]);
    dropped_as(
        &port,
        &guest(mac, own, ip("ff02::1"), &advert),
        RuleKind::GuestRouter,
    );
    let redirect = Upper::Icmpv6(137, vec![0; 36]);
    dropped_as(
        &port,
        &guest(mac, own, ip("ff02::1"), &redirect),
        RuleKind::GuestRouter,
    );
}

#[test]
fn nothing_goes_where_nothing_is() {
    let (mac, port) = test_port();
    let v4 = |dst: &str| guest(mac, ip("10.0.1.5"), ip(dst), &Upper::Other(132));
    dropped_as(&port, &v4("10.0.1.4"), RuleKind::Reserved);
    dropped_as(&port, &v4("10.0.1.1"), RuleKind::Reserved);
    dropped_as(&port, &v4("169.254.169.254"), RuleKind::Reserved);
    dropped_as(&port, &v4("10.0.1.255"), RuleKind::Multicast);
    dropped_as(&port, &v4("255.255.255.255"), RuleKind::Multicast);
    dropped_as(&port, &v4("224.0.0.251"), RuleKind::Multicast);
    dropped_as(&port, &v4("127.0.0.1"), RuleKind::MartianDestination);
    let own = ip("fd12:3456:789a:1:72:77ff:fe00:1");
    let v6 = |dst: &str| guest(mac, own, ip(dst), &Upper::Other(132));
    dropped_as(&port, &v6("ff02::16"), RuleKind::Multicast);
    dropped_as(&port, &v6("fd00:ec2::254"), RuleKind::Reserved);
    dropped_as(&port, &v6("fd12:3456:789a:1::2"), RuleKind::Reserved);
    dropped_as(
        &port,
        &v6("fd52:7761:6b65:102::1"),
        RuleKind::UnderlayDestination,
    );
    dropped_as(&port, &v6("::1"), RuleKind::MartianDestination);
}

#[test]
fn a_transit_prefix_may_be_sent_from() {
    let mut scene = Scene::new().unwrap();
    scene.test.transit = vec!["192.168.0.0/16".parse().unwrap()];
    let port = scene.start(&scene.test).unwrap();
    let mac = scene.test.mac;
    let from = |src: &str| guest(mac, ip(src), ip("10.0.1.6"), &Upper::Other(132));
    assert_eq!(
        fate(&port, Direction::Out, &from("192.168.3.4")).0,
        Verdict::Forward
    );
    dropped_as(&port, &from("192.169.3.4"), RuleKind::ForgedAddress);
}
