//! What the network answers, and what goes to the agent.

use rackweave_engine::program::Action;
use rackweave_engine::respond::{Dhcp4, Responder};
use rackweave_engine::{Direction, Verdict};
use rackweave_testkit::vpc::Scene;
use rackweave_types::reserved;
use rackweave_vpc::{PortProgram, RuleKind, RuleName, punt};

use crate::frames::{Upper, fate, guest, ip};

/// The responders of a program that a kind of rule hairpins to.
fn responders(program: &PortProgram, kind: RuleKind) -> Vec<Responder> {
    let layer = program
        .spec
        .layers
        .iter()
        .find(|layer| layer.name == kind.layer().name())
        .unwrap();
    let rules = layer.outbound.rules.iter();
    let rules = rules.filter(|rule| RuleName::of(rule.id).is_some_and(|name| name.kind == kind));
    let responder = |action: &Action| match action {
        Action::Hairpin(responder) => Some((**responder).clone()),
        _ => None,
    };
    rules
        .filter_map(|rule| rule.actions.last().and_then(responder))
        .collect()
}

#[test]
fn dhcpv4_tells_an_off_subnet_gateway() {
    let scene = Scene::new().unwrap();
    let program = scene.program(&scene.test).unwrap();
    let found = responders(&program, RuleKind::Dhcp4);
    let [Responder::Dhcp4(server), Responder::Dhcp4(unicast)] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(server, unicast);
    let gateway = "10.0.1.1".parse().unwrap();
    let expected = Dhcp4 {
        mac: reserved::GATEWAY_MAC,
        server: gateway,
        client: scene.test.mac,
        address: "10.0.1.5".parse().unwrap(),
        prefix_len: 32,
        gateway,
        routes: vec![
            ("10.0.1.1/32".parse().unwrap(), "0.0.0.0".parse().unwrap()),
            ("169.254.169.254/32".parse().unwrap(), gateway),
        ],
        dns: vec!["10.0.1.2".parse().unwrap()],
        domain: None,
        search: Vec::new(),
        hostname: None,
        mtu: 1500,
        lease: 86_400,
    };
    assert_eq!(*server, expected);
}

#[test]
fn dhcpv6_gives_every_address_and_dns() {
    let scene = Scene::new().unwrap();
    let program = scene.program(&scene.web).unwrap();
    let found = responders(&program, RuleKind::Dhcp6);
    let [Responder::Dhcp6(server)] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        server.addresses,
        ["fd12:3456:789a:1::6"
            .parse::<core::net::Ipv6Addr>()
            .unwrap()]
    );
    assert_eq!(
        server.dns,
        ["fd12:3456:789a:1::2"
            .parse::<core::net::Ipv6Addr>()
            .unwrap()]
    );
    assert_eq!(server.client, scene.web.mac);
}

#[test]
fn slaac_is_offered_only_where_it_makes_the_guests_own_address() {
    let scene = Scene::new().unwrap();
    let test = scene.program(&scene.test).unwrap().advert.unwrap();
    assert!(test.managed && test.other);
    assert_eq!(test.prefixes.len(), 1);
    assert!(test.prefixes[0].autonomous && !test.prefixes[0].on_link);
    assert_eq!(test.prefixes[0].prefix.to_string(), "fd12:3456:789a:1::/64");

    let web = scene.program(&scene.web).unwrap().advert.unwrap();
    assert!(web.managed);
    assert_eq!(web.prefixes, []);
}

#[test]
fn a_port_without_ipv6_hears_no_router() {
    let mut scene = Scene::new().unwrap();
    scene.test.addresses.truncate(1);
    scene.test.nat.truncate(1);
    let program = scene.program(&scene.test).unwrap();
    assert_eq!(program.advert, None);
    assert_eq!(responders(&program, RuleKind::RouterSolicitation), []);
    assert_eq!(responders(&program, RuleKind::Dhcp6), []);
}

#[test]
fn the_gateway_answers_echo() {
    let scene = Scene::new().unwrap();
    let port = scene.start(&scene.test).unwrap();
    let mac = scene.test.mac;
    let v4 = guest(mac, ip("10.0.1.5"), ip("10.0.1.1"), &Upper::Echo);
    let answered = (Verdict::Hairpin, Some(RuleKind::GatewayEcho));
    assert_eq!(fate(&port, Direction::Out, &v4), answered);
    let v6 = guest(
        mac,
        ip("fe80::5"),
        ip("fe80::1"),
        &Upper::Icmpv6(128, vec![0, 7, 0, 1]),
    );
    assert_eq!(fate(&port, Direction::Out, &v6), answered);
}

#[test]
fn dns_and_metadata_go_to_the_agent() {
    let scene = Scene::new().unwrap();
    let mut port = scene.start(&scene.test).unwrap();
    let mac = scene.test.mac;
    let (v4, v6) = (ip("10.0.1.5"), ip("fd12:3456:789a:1:72:77ff:fe00:1"));
    let requests = [
        (
            guest(
                mac,
                v4,
                ip("10.0.1.2"),
                &Upper::Udp(5000, 53, b"q".to_vec()),
            ),
            punt::DNS,
        ),
        (
            guest(mac, v4, ip("10.0.1.2"), &Upper::Tcp(5000, 53, 2)),
            punt::DNS,
        ),
        (
            guest(
                mac,
                v6,
                ip("fd12:3456:789a:1::2"),
                &Upper::Udp(5000, 53, b"q".to_vec()),
            ),
            punt::DNS,
        ),
        (
            guest(mac, v4, ip("169.254.169.254"), &Upper::Tcp(5000, 80, 2)),
            punt::METADATA,
        ),
        (
            guest(mac, v6, ip("fd00:ec2::254"), &Upper::Tcp(5000, 80, 2)),
            punt::METADATA,
        ),
    ];
    for (mut frame, queue) in requests {
        let before = frame.bytes().to_vec();
        let verdict = port.process(Direction::Out, &mut frame, crate::frames::NOW);
        assert_eq!(verdict, Verdict::Punt);
        let punt = port.shards_mut()[0].pop_punt().unwrap();
        assert_eq!((punt.queue, &punt.bytes[..]), (queue, &before[..]));
    }
}

#[test]
fn every_subnet_of_a_port_has_its_gateway_and_dns() {
    let mut scene = Scene::new().unwrap();
    let second = scene.db.addresses[0];
    scene
        .test
        .addresses
        .push(rackweave_types::state::PortAddress {
            address: ip("10.0.2.9"),
            subnet: second.subnet,
        });
    let port = scene.start(&scene.test).unwrap();
    let mac = scene.test.mac;
    for (gateway, dns) in [("10.0.1.1", "10.0.1.2"), ("10.0.2.1", "10.0.2.2")] {
        let echo = guest(mac, ip("10.0.2.9"), ip(gateway), &Upper::Echo);
        assert_eq!(
            fate(&port, Direction::Out, &echo).0,
            Verdict::Hairpin,
            "{gateway}"
        );
        let query = guest(
            mac,
            ip("10.0.2.9"),
            ip(dns),
            &Upper::Udp(5000, 53, b"q".to_vec()),
        );
        assert_eq!(
            fate(&port, Direction::Out, &query).0,
            Verdict::Punt,
            "{dns}"
        );
    }
}
