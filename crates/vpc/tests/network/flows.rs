//! The seeds' flows through engines, both ways.

use core::net::{IpAddr, Ipv6Addr};

use rackweave_engine::{Direction, DropReason, Frame, Port, Verdict};
use rackweave_testkit::vpc::{BOUNDARY_MAC, Scene};
use rackweave_types::state::{
    Filters, FirewallAction, FirewallRule, FirewallRuleId, FirewallRuleId as RuleNumber,
    HostFilter, Peer, Route, RouteId, RouteTarget, TransitHolder,
};
use rackweave_types::{MacAddr, Vni};
use rackweave_vpc::{RuleKind, RuleName};

use crate::frames::{NOW, Upper, addresses, fate, geneve, guest, inner, ip, met, packet, tunnel};

const GROUP: Ipv6Addr = Ipv6Addr::new(0xfd52, 0x7761, 0x6b65, 0xff10, 0, 0, 0, 1);
const SLED_1: Ipv6Addr = Ipv6Addr::new(0xfd52, 0x7761, 0x6b65, 0x0101, 0, 0, 0, 1);
const SLED_2: Ipv6Addr = Ipv6Addr::new(0xfd52, 0x7761, 0x6b65, 0x0102, 0, 0, 0, 1);
/// A sled of another rack.
const FAR_SLED: Ipv6Addr = Ipv6Addr::new(0xfd52, 0x7761, 0x6b65, 0x0201, 0, 0, 0, 1);
const SYN: u8 = 2;
const SYN_ACK: u8 = 0x12;

fn sends(port: &mut Port, frame: &mut Frame) {
    let verdict = port.process(Direction::Out, frame, NOW);
    assert_eq!(
        verdict,
        Verdict::Forward,
        "{:#?}",
        port.explain(Direction::Out, frame, NOW)
    );
}

fn receives(port: &mut Port, frame: &mut Frame) {
    let before = frame.clone();
    let verdict = port.process(Direction::In, frame, NOW);
    assert_eq!(
        verdict,
        Verdict::Forward,
        "{:#?}",
        port.explain(Direction::In, &before, NOW)
    );
}

/// A frame of the wire, refused under a rule's name.
fn refused_as(port: &Port, frame: &Frame, kind: RuleKind) {
    let denied = (Verdict::Drop(DropReason::RuleDenied), Some(kind));
    assert_eq!(fate(port, Direction::In, frame), denied);
}

#[test]
fn instance_to_instance() {
    let scene = Scene::new().unwrap();
    let mut test = scene.start(&scene.test).unwrap();
    let mut web = scene.start(&scene.web).unwrap();
    for (a, b) in [
        ("10.0.1.5", "10.0.1.6"),
        ("fd12:3456:789a:1:72:77ff:fe00:1", "fd12:3456:789a:1::6"),
    ] {
        let mut frame = guest(scene.test.mac, ip(a), ip(b), &Upper::Tcp(1000, 80, SYN));
        sends(&mut test, &mut frame);
        assert_eq!(tunnel(&frame), (4096, SLED_2));
        assert_eq!(&inner(&frame)[..6], scene.web.mac.octets());
        receives(&mut web, &mut frame);
        assert_eq!(addresses(frame.bytes()), (ip(a), ip(b)));

        let mut frame = guest(scene.web.mac, ip(b), ip(a), &Upper::Tcp(80, 1000, SYN_ACK));
        sends(&mut web, &mut frame);
        assert_eq!(tunnel(&frame), (4096, SLED_1));
        receives(&mut test, &mut frame);
        assert_eq!(addresses(frame.bytes()), (ip(b), ip(a)));
    }
}

#[test]
fn any_protocol_passes_inside_a_vpc() {
    let scene = Scene::new().unwrap();
    let mut test = scene.start(&scene.test).unwrap();
    let mut web = scene.start(&scene.web).unwrap();
    for protocol in [132, 47, 50] {
        let mut frame = guest(
            scene.test.mac,
            ip("10.0.1.5"),
            ip("10.0.1.6"),
            &Upper::Other(protocol),
        );
        sends(&mut test, &mut frame);
        receives(&mut web, &mut frame);
    }
}

#[test]
fn nat_out_and_back() {
    let scene = Scene::new().unwrap();
    let mut test = scene.start(&scene.test).unwrap();
    let v6 = "fd12:3456:789a:1:72:77ff:fe00:1";
    for (a, b, outside) in [
        ("10.0.1.5", "192.0.2.9", "198.51.100.1"),
        (v6, "2001:db8:9::9", "2001:db8:1::1"),
    ] {
        let mut frame = guest(scene.test.mac, ip(a), ip(b), &Upper::Tcp(1000, 80, SYN));
        sends(&mut test, &mut frame);
        assert_eq!(tunnel(&frame), (99, GROUP));
        let sent = inner(&frame);
        assert_eq!(&sent[..6], BOUNDARY_MAC.octets());
        assert_eq!(addresses(sent), (ip(outside), ip(b)));
        let at = if a.contains(':') { 54 } else { 34 };
        let port = u16::from_be_bytes([sent[at], sent[at + 1]]);
        assert!((16_384..17_408).contains(&port), "{port}");

        let reply = Upper::Tcp(80, port, SYN_ACK);
        let reply = packet(scene.test.mac, BOUNDARY_MAC, ip(b), ip(outside), &reply);
        let mut frame = geneve(GROUP, SLED_1, 99, &reply);
        receives(&mut test, &mut frame);
        assert_eq!(addresses(frame.bytes()), (ip(b), ip(a)));
    }
}

#[test]
fn floating_in_and_back() {
    let scene = Scene::new().unwrap();
    let mut web = scene.start(&scene.web).unwrap();
    let (outside, client) = (ip("203.0.113.10"), ip("192.0.2.9"));
    let request = packet(
        scene.web.mac,
        BOUNDARY_MAC,
        client,
        outside,
        &Upper::Tcp(1000, 80, SYN),
    );
    let mut frame = geneve(GROUP, SLED_2, 99, &request);
    receives(&mut web, &mut frame);
    assert_eq!(addresses(frame.bytes()), (client, ip("10.0.1.6")));

    let mut frame = guest(
        scene.web.mac,
        ip("10.0.1.6"),
        client,
        &Upper::Tcp(80, 1000, SYN_ACK),
    );
    sends(&mut web, &mut frame);
    assert_eq!(tunnel(&frame), (99, GROUP));
    assert_eq!(addresses(inner(&frame)), (outside, client));
}

#[test]
fn any_protocol_passes_one_to_one() {
    let scene = Scene::new().unwrap();
    let mut web = scene.start(&scene.web).unwrap();
    let mut frame = guest(
        scene.web.mac,
        ip("10.0.1.6"),
        ip("192.0.2.9"),
        &Upper::Other(47),
    );
    sends(&mut web, &mut frame);
    assert_eq!(addresses(inner(&frame)).0, ip("203.0.113.10"));
}

#[test]
fn a_floating_address_of_the_az_is_reached_straight() {
    let scene = Scene::new().unwrap();
    let mut test = scene.start(&scene.test).unwrap();
    let mut web = scene.start(&scene.web).unwrap();
    let (outside, own) = (ip("203.0.113.10"), ip("10.0.1.5"));
    let mut frame = guest(scene.test.mac, own, outside, &Upper::Tcp(1000, 80, SYN));
    sends(&mut test, &mut frame);
    assert_eq!(tunnel(&frame), (99, SLED_2));
    assert_eq!(&inner(&frame)[..6], scene.web.mac.octets());
    receives(&mut web, &mut frame);
    assert_eq!(
        addresses(frame.bytes()),
        (ip("198.51.100.1"), ip("10.0.1.6"))
    );
}

#[test]
fn who_may_send_from_outside() {
    let scene = Scene::new().unwrap();
    let web = scene.start(&scene.web).unwrap();
    let syn = Upper::Tcp(1000, 80, SYN);
    let to = |outer, src: &str, dst: &str, vni| {
        let inner = packet(scene.web.mac, BOUNDARY_MAC, ip(src), ip(dst), &syn);
        geneve(outer, SLED_2, vni, &inner)
    };
    let (client, held) = ("192.0.2.9", "203.0.113.10");
    let from = |outer| fate(&web, Direction::In, &to(outer, client, held, 99)).0;
    assert_eq!(from(GROUP), Verdict::Forward);
    assert_eq!(from(SLED_1), Verdict::Forward, "relayed in the rack");
    assert_eq!(from(FAR_SLED), Verdict::Drop(DropReason::SourceMismatch));
    refused_as(
        &web,
        &to(GROUP, client, "203.0.113.11", 99),
        RuleKind::NotHeld,
    );
    refused_as(&web, &to(GROUP, client, "10.0.1.6", 99), RuleKind::NotHeld);
    refused_as(&web, &to(GROUP, client, held, 5000), RuleKind::ForeignVni);
    refused_as(
        &web,
        &to(GROUP, "10.0.1.5", held, 99),
        RuleKind::InsideFromOutside,
    );
    refused_as(
        &web,
        &to(GROUP, "127.0.0.1", held, 99),
        RuleKind::MartianSource,
    );
    // With the VPC's own identifier only the source's host may send.
    let inside = |outer, src: &str| to(outer, src, "10.0.1.6", 4096);
    assert_eq!(
        fate(&web, Direction::In, &inside(SLED_1, "10.0.1.5")).0,
        Verdict::Forward
    );
    let mismatch = Verdict::Drop(DropReason::SourceMismatch);
    assert_eq!(
        fate(&web, Direction::In, &inside(FAR_SLED, "10.0.1.5")).0,
        mismatch
    );
    assert_eq!(
        fate(&web, Direction::In, &inside(SLED_1, "10.0.1.77")).0,
        mismatch
    );
    assert_eq!(
        fate(&web, Direction::In, &inside(GROUP, "10.0.1.5")).0,
        mismatch
    );
    refused_as(
        &web,
        &to(SLED_1, "10.0.1.5", "10.0.1.7", 4096),
        RuleKind::NotOurs,
    );
}

#[test]
fn the_default_rules_let_in_the_vpc_icmp_and_ssh() {
    let scene = Scene::new().unwrap();
    let test = scene.start(&scene.test).unwrap();
    let mut with_floating = scene.clone();
    with_floating.web.rule_sets.truncate(1);
    let web = with_floating.start(&with_floating.web).unwrap();
    let outside = |upper: &Upper| {
        let inner = packet(
            scene.web.mac,
            BOUNDARY_MAC,
            ip("192.0.2.9"),
            ip("203.0.113.10"),
            upper,
        );
        let frame = geneve(GROUP, SLED_2, 99, &inner);
        met(&web, Direction::In, &frame, "firewall").and_then(RuleName::firewall_rule)
    };
    assert_eq!(outside(&Upper::Echo), Some(FirewallRuleId::new(3)));
    assert_eq!(
        outside(&Upper::Tcp(1000, 22, SYN)),
        Some(FirewallRuleId::new(4))
    );
    assert_eq!(outside(&Upper::Tcp(1000, 80, SYN)), None);
    let inside = packet(
        scene.test.mac,
        scene.db.mac,
        ip("10.0.2.5"),
        ip("10.0.1.5"),
        &Upper::Other(132),
    );
    let frame = geneve(SLED_2, SLED_1, 4096, &inside);
    let name = met(&test, Direction::In, &frame, "firewall").unwrap();
    assert_eq!(name.firewall_rule(), Some(FirewallRuleId::new(2)));
}

#[test]
fn deny_goes_before_allow_of_the_same_priority_and_reject_answers() {
    let mut scene = Scene::new().unwrap();
    let rule = |id, priority, action| FirewallRule {
        id: RuleNumber::new(id),
        priority,
        direction: Direction::Out,
        action,
        filters: Filters {
            hosts: vec![HostFilter::Cidr("10.0.2.0/24".parse().unwrap())],
            ..Filters::default()
        },
    };
    let rules = &mut scene.vpc.rule_sets[0].rules;
    rules.push(rule(10, 50, FirewallAction::Allow));
    rules.push(rule(11, 50, FirewallAction::Reject));
    let test = scene.start(&scene.test).unwrap();
    let frame = guest(
        scene.test.mac,
        ip("10.0.1.5"),
        ip("10.0.2.5"),
        &Upper::Tcp(1, 2, SYN),
    );
    let explanation = test.explain(Direction::Out, &frame, NOW).unwrap();
    assert_eq!(explanation.verdict, Verdict::Refuse(DropReason::RuleDenied));
    let name = met(&test, Direction::Out, &frame, "firewall").unwrap();
    assert_eq!(name.firewall_rule(), Some(RuleNumber::new(11)));
    assert_eq!(
        addresses(explanation.frame.bytes()),
        (ip("10.0.2.5"), ip("10.0.1.5"))
    );
}

fn with_route(destination: &str, target: RouteTarget) -> Scene {
    let mut scene = Scene::new().unwrap();
    let destination = destination.parse().unwrap();
    scene.vpc.routers[0].routes.push(Route {
        id: RouteId::new(9),
        destination,
        target,
    });
    scene
}

#[test]
fn routes_lead_where_they_say() {
    let to = |scene: &Scene, dst: &str| {
        let mut port = scene.start(&scene.test).unwrap();
        let mut frame = guest(
            scene.test.mac,
            ip("10.0.1.5"),
            ip(dst),
            &Upper::Tcp(1, 2, SYN),
        );
        let name = met(&port, Direction::Out, &frame, "router").unwrap();
        (port.process(Direction::Out, &mut frame, NOW), name, frame)
    };
    let scene = with_route("192.0.2.0/24", RouteTarget::Instance(ip("10.0.2.5")));
    let (verdict, name, frame) = to(&scene, "192.0.2.9");
    assert_eq!(
        (verdict, name.route()),
        (Verdict::Forward, Some(RouteId::new(9)))
    );
    assert_eq!(tunnel(&frame), (4096, SLED_2));
    assert_eq!(&inner(&frame)[..6], scene.db.mac.octets());
    assert_eq!(addresses(inner(&frame)).1, ip("192.0.2.9"));

    let scene = with_route("192.0.2.0/24", RouteTarget::Drop);
    let (verdict, name, _) = to(&scene, "192.0.2.9");
    let dropped = Verdict::Drop(DropReason::RuleDenied);
    assert_eq!((verdict, name.route()), (dropped, Some(RouteId::new(9))));
    assert_eq!(
        to(&scene, "192.0.3.9").0,
        Verdict::Forward,
        "the longer prefix alone"
    );

    // A user's route goes before the subnet's own of the same length.
    let scene = with_route("10.0.2.0/24", RouteTarget::Drop);
    assert_eq!(to(&scene, "10.0.2.5").1.kind, RuleKind::Route);
    let mut scene = Scene::new().unwrap();
    assert_eq!(to(&scene, "10.0.2.5").1.kind, RuleKind::SubnetRoute);
    scene.vpc.routers[0].routes.clear();
    let (verdict, name, _) = to(&scene, "192.0.2.9");
    assert_eq!(
        (verdict, name.kind),
        (Verdict::Refuse(DropReason::RuleDenied), RuleKind::NoRoute)
    );
}

/// The scene as one of a peering sees it: the peer is 4097 with 10.1.0.0/16.
fn peered() -> Scene {
    let vni = Vni::new(4097).unwrap();
    let mut scene = with_route("10.1.0.0/16", RouteTarget::Peer(vni));
    scene.vpc.peers = vec![Peer {
        vni,
        ipv4: vec!["10.1.0.0/16".parse().unwrap()],
        ipv6: None,
        transit: vec![TransitHolder {
            prefix: "172.16.0.0/12".parse().unwrap(),
            sled: scene.sleds[0].sled,
        }],
    }];
    scene
}

#[test]
fn a_peer_is_known_by_its_identifier() {
    let scene = peered();
    let program = scene.program(&scene.web).unwrap();
    let numbers: Vec<u32> = program.tables.iter().map(|vni| vni.get()).collect();
    assert_eq!(numbers, [4096, 4097, 99]);
    let web = scene.start(&scene.web).unwrap();
    let from = |outer, src: IpAddr| {
        let source = MacAddr::new([0x02, 0x72, 0x77, 0, 0, 0x44]);
        let inner = packet(
            scene.web.mac,
            source,
            src,
            ip("10.0.1.6"),
            &Upper::Tcp(1, 80, SYN),
        );
        geneve(outer, SLED_2, 4097, &inner)
    };
    // The peer's table is empty here: nobody has proved to hold the address.
    let frame = from(SLED_1, ip("10.1.0.5"));
    let mismatch = Verdict::Drop(DropReason::SourceMismatch);
    assert_eq!(
        fate(&web, Direction::In, &frame),
        (mismatch, Some(RuleKind::Peer))
    );
    // An appliance of the peer may send with foreign sources, from its sled alone.
    let frame = from(SLED_1, ip("172.16.0.9"));
    assert_eq!(fate(&web, Direction::In, &frame).0, Verdict::Forward);
    assert_eq!(
        fate(&web, Direction::In, &from(FAR_SLED, ip("172.16.0.9"))).0,
        mismatch
    );
}

#[test]
fn what_the_guest_sends_is_capped_and_its_limits_are_the_ports() {
    let mut scene = Scene::new().unwrap();
    scene.test.caps.outbound.packets = Some(rackweave_types::PacketsPerSecond::new(10));
    scene.test.limits.flows = Some(128);
    assert_eq!(scene.program(&scene.test).unwrap().limits.flows, 128);
    let mut test = scene.start(&scene.test).unwrap();
    let mut verdicts = Vec::new();
    for _ in 0..65 {
        let mut frame = guest(
            scene.test.mac,
            ip("10.0.1.5"),
            ip("10.0.1.6"),
            &Upper::Udp(1, 2, b"".to_vec()),
        );
        verdicts.push(test.process(Direction::Out, &mut frame, NOW));
    }
    let (last, before) = verdicts.split_last().unwrap();
    assert!(before.iter().all(|verdict| *verdict == Verdict::Forward));
    assert_eq!(*last, Verdict::Drop(DropReason::Metered));
}
