//! What the engine and the agent answer a guest.

use std::net::{Ipv4Addr, Ipv6Addr};

use rackweave_engine::{DropReason, Verdict};
use rackweave_testkit::packet::{self, FrameBuilder, flag};
use rackweave_testkit::vpc::Scene;
use rackweave_types::{MacAddr, reserved};
use rackweave_vpc::punt;
use rackweave_wire::{dhcpv4, dhcpv6};

use crate::message;
use crate::stage::{Stage, Who};

/// The address of `test` that SLAAC makes.
const TEST_V6: Ipv6Addr = Ipv6Addr::new(0xfd12, 0x3456, 0x789a, 1, 0x72, 0x77ff, 0xfe00, 1);
const TEST_V4: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 5);
const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
/// The link-local address of `test`.
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x72, 0x77ff, 0xfe00, 1);
const DENIED: Verdict = Verdict::Drop(DropReason::RuleDenied);

fn mac(stage: &Stage) -> MacAddr {
    stage.config(Who::Test).mac
}

/// The seeds' "Internal DNS": the gateway's hardware address, the query, the agent's answer.
#[test]
fn internal_dns() {
    let mut stage = Stage::new();
    let mac = mac(&stage);
    let arp = packet::arp_request(mac, TEST_V4, GATEWAY_V4);
    stage.sends(Who::Test, &arp, Verdict::Hairpin);
    let ndp = packet::neighbor_solicitation(mac, LINK_LOCAL, reserved::GATEWAY_V6);
    stage.sends(Who::Test, &ndp, Verdict::Hairpin);
    for (id, own, server, answer) in [
        (0x0102, "10.0.1.5:5353", "10.0.1.2:53", "10.0.2.5"),
        (
            0x0304,
            "[fd12:3456:789a:1:72:77ff:fe00:1]:5353",
            "[fd12:3456:789a:1::2]:53",
            "fd12:3456:789a:2::5",
        ),
    ] {
        let (name, addr) = ("db.example.internal", answer.parse().unwrap());
        let query = FrameBuilder::udp(own, server).payload(&message::dns_query(id, name, addr));
        stage.asks_agent(Who::Test, &query.build(), punt::DNS);
        let answer = FrameBuilder::udp(server, own)
            .macs(reserved::GATEWAY_MAC, mac)
            .payload(&message::dns_answer(id, name, addr));
        stage.agent_answers(Who::Test, &answer.build());
    }
    stage.matches("internal_dns");
}

#[test]
fn metadata() {
    let mut stage = Stage::new();
    for (own, server) in [
        ("10.0.1.5:40001", "169.254.169.254:80"),
        (
            "[fd12:3456:789a:1:72:77ff:fe00:1]:40001",
            "[fd00:ec2::254]:80",
        ),
    ] {
        let syn = FrameBuilder::tcp(own, server).flags(flag::SYN);
        stage.asks_agent(
            Who::Test,
            &syn.numbers(1_000_000, 0).build(),
            punt::METADATA,
        );
    }
    stage.matches("metadata");
}

#[test]
fn arp() {
    let mut stage = Stage::new();
    let mac = mac(&stage);
    let ask = |sender: Ipv4Addr, target: Ipv4Addr| packet::arp_request(mac, sender, target);
    stage.sends(Who::Test, &ask(TEST_V4, GATEWAY_V4), Verdict::Hairpin);
    // A probe (RFC 5227) of somebody who wants the gateway's address, and one for its own.
    let unspecified = Ipv4Addr::UNSPECIFIED;
    stage.sends(Who::Test, &ask(unspecified, GATEWAY_V4), Verdict::Hairpin);
    stage.sends(Who::Test, &ask(unspecified, TEST_V4), DENIED);
    stage.sends(Who::Test, &ask(TEST_V4, Ipv4Addr::new(10, 0, 1, 6)), DENIED);
    let forged = ask(Ipv4Addr::new(10, 0, 1, 6), GATEWAY_V4);
    stage.sends(Who::Test, &forged, DENIED);
    stage.matches("arp");
}

#[test]
fn ndp() {
    let mut stage = Stage::new();
    let mac = mac(&stage);
    let ask = |src: Ipv6Addr, target: Ipv6Addr| packet::neighbor_solicitation(mac, src, target);
    let gateway = reserved::GATEWAY_V6;
    stage.sends(Who::Test, &ask(LINK_LOCAL, gateway), Verdict::Hairpin);
    stage.sends(Who::Test, &ask(TEST_V6, gateway), Verdict::Hairpin);
    // Duplicate address detection: the gateway defends its address, the guest's own is free.
    let unspecified = Ipv6Addr::UNSPECIFIED;
    stage.sends(Who::Test, &ask(unspecified, gateway), Verdict::Hairpin);
    stage.sends(Who::Test, &ask(unspecified, TEST_V6), DENIED);
    let forged = ask("fd12:3456:789a:1::6".parse().unwrap(), gateway);
    stage.sends(Who::Test, &forged, DENIED);
    stage.matches("ndp");
}

/// A scene whose guests have names.
fn named() -> Stage {
    let mut scene = Scene::new().unwrap();
    scene.test.dhcp.hostname = Some("test".parse().unwrap());
    scene.test.dhcp.domain = Some("example.internal".parse().unwrap());
    scene.test.dhcp.search = vec!["example.internal".parse().unwrap()];
    Stage::of(scene)
}

#[test]
fn router_advertisement() {
    let mut stage = named();
    let mac = mac(&stage);
    let solicit = packet::router_solicitation(mac, LINK_LOCAL);
    stage.sends(Who::Test, &solicit, Verdict::Hairpin);
    stage.matches("router_advertisement");
}

#[test]
fn dhcpv4() {
    use dhcpv4::MessageType::{Discover, Request};
    let mut stage = named();
    let mac = mac(&stage);
    let offered = Some((TEST_V4, GATEWAY_V4));
    for (kind, offered) in [(Discover, None), (Request, offered)] {
        let message = message::dhcpv4(mac, kind, offered);
        let frame = packet::dhcpv4_request(mac, &message);
        stage.sends(Who::Test, &frame, Verdict::Hairpin);
    }
    stage.matches("dhcpv4");
}

#[test]
fn dhcpv6() {
    use dhcpv6::MessageType::{InformationRequest, Request, Solicit};
    let mut stage = named();
    let mac = mac(&stage);
    let server = Some(reserved::GATEWAY_MAC);
    for (xid, kind, server, address) in [
        (1, Solicit, None, None),
        (2, Request, server, Some(TEST_V6)),
        (3, InformationRequest, None, None),
    ] {
        let message = message::dhcpv6(mac, kind, xid, server, address);
        let frame = packet::dhcpv6_request(mac, LINK_LOCAL, &message);
        stage.sends(Who::Test, &frame, Verdict::Hairpin);
    }
    stage.matches("dhcpv6");
}

#[test]
fn gateway_echo() {
    let mut stage = Stage::new();
    for (own, gateway) in [
        ("10.0.1.5", "10.0.1.1"),
        ("fe80::72:77ff:fe00:1", "fe80::1"),
        ("fd12:3456:789a:1:72:77ff:fe00:1", "fe80::1"),
    ] {
        let ping = FrameBuilder::echo(own, gateway, 7).payload_len(56);
        stage.sends(Who::Test, &ping.build(), Verdict::Hairpin);
    }
    stage.matches("gateway_echo");
}
