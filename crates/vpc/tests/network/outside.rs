//! Which external address and which boundary group a packet leaves by.

use core::net::Ipv6Addr;

use rackweave_engine::{Direction, DropReason, Verdict};
use rackweave_testkit::vpc::Scene;
use rackweave_types::Mtu;
use rackweave_types::state::{ExternalAddress, ExternalKind};
use rackweave_vpc::RuleKind;

use crate::frames::{NOW, Upper, addresses, fate, guest, inner, ip, tunnel};

fn external(kind: ExternalKind, outside: &str) -> ExternalAddress {
    ExternalAddress {
        kind,
        outside: ip(outside),
        inside: ip("10.0.1.5"),
    }
}

/// By which address and group `test` leaves for the world outside.
fn way_out(scene: &Scene) -> (String, Ipv6Addr) {
    let mut port = scene.start(&scene.test).unwrap();
    let syn = Upper::Tcp(1000, 80, 2);
    let mut frame = guest(scene.test.mac, ip("10.0.1.5"), ip("192.0.2.9"), &syn);
    assert_eq!(
        port.process(Direction::Out, &mut frame, NOW),
        Verdict::Forward
    );
    (addresses(inner(&frame)).0.to_string(), tunnel(&frame).1)
}

#[test]
fn floating_goes_before_ephemeral_and_both_before_the_shared_address() {
    let mut scene = Scene::new().unwrap();
    assert_eq!(way_out(&scene).0, "198.51.100.1");
    let ephemeral = external(ExternalKind::Ephemeral, "203.0.113.20");
    scene.test.external = vec![ephemeral];
    assert_eq!(way_out(&scene).0, "203.0.113.20");
    let first = external(ExternalKind::Floating, "203.0.113.21");
    let second = external(ExternalKind::Floating, "203.0.113.22");
    scene.test.external = vec![ephemeral, first, second];
    assert_eq!(way_out(&scene).0, "203.0.113.21");
}

#[test]
fn without_an_external_address_there_is_no_way_out() {
    let mut scene = Scene::new().unwrap();
    scene.test.nat.clear();
    let port = scene.start(&scene.test).unwrap();
    let syn = Upper::Tcp(1000, 80, 2);
    let frame = guest(scene.test.mac, ip("10.0.1.5"), ip("192.0.2.9"), &syn);
    let refused = (
        Verdict::Refuse(DropReason::RuleDenied),
        Some(RuleKind::NoExternal),
    );
    assert_eq!(fate(&port, Direction::Out, &frame), refused);
}

#[test]
fn the_group_is_one_that_serves_the_address() {
    let mut scene = Scene::new().unwrap();
    let mut other = scene.boundary.groups[0].clone();
    other.address = "fd52:7761:6b65:ff11::1".parse().unwrap();
    other.pools = vec!["203.0.113.0/24".parse().unwrap()];
    scene.boundary.groups[0].pools = vec![
        "198.51.100.0/24".parse().unwrap(),
        "2001:db8::/32".parse().unwrap(),
    ];
    scene.boundary.groups.push(other.clone());
    assert_eq!(way_out(&scene).1, scene.boundary.groups[0].address);
    scene.test.external = vec![external(ExternalKind::Floating, "203.0.113.21")];
    assert_eq!(way_out(&scene).1, other.address);
}

#[test]
fn what_is_too_long_for_its_way_is_told() {
    let mut scene = Scene::new().unwrap();
    scene.test.mtu = Mtu::new(8000).unwrap();
    let port = scene.start(&scene.test).unwrap();
    let big = Upper::Udp(1, 2, vec![0; 1600]);
    let to = |dst: &str| {
        let frame = guest(scene.test.mac, ip("10.0.1.5"), ip(dst), &big);
        fate(&port, Direction::Out, &frame).0
    };
    assert_eq!(to("10.0.1.6"), Verdict::Forward);
    let refused = Verdict::Refuse(DropReason::TooBig);
    assert_eq!(
        to("192.0.2.9"),
        refused,
        "the customer's network carries 1500"
    );
}

#[test]
fn the_gateway_is_a_hop() {
    let scene = Scene::new().unwrap();
    let mut port = scene.start(&scene.test).unwrap();
    let syn = Upper::Tcp(1000, 80, 2);
    let mut frame = guest(scene.test.mac, ip("10.0.1.5"), ip("10.0.1.6"), &syn);
    let before = frame.bytes()[22];
    assert_eq!(
        port.process(Direction::Out, &mut frame, NOW),
        Verdict::Forward
    );
    assert_eq!(inner(&frame)[22], before - 1);
}
