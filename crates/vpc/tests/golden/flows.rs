//! Flows between instances and with the world outside. Rack to rack is not the engine's: it sees
//! tunnels, whatever racks they cross.

use rackweave_engine::{DropReason, Verdict};
use rackweave_testkit::conversation::{Conversation, Speaker, View};
use rackweave_testkit::packet::{self, FrameBuilder, IcmpError, flag};
use rackweave_testkit::vpc::BOUNDARY_MAC;
use rackweave_types::reserved;

use crate::stage::{Stage, Who, address};

/// The segments of an HTTP exchange: who sends, flags, payload.
const HTTP: [(Speaker, u8, &[u8]); 8] = [
    (Speaker::Client, flag::SYN, b""),
    (Speaker::Server, flag::SYN | flag::ACK, b""),
    (Speaker::Client, flag::ACK, b""),
    (
        Speaker::Client,
        flag::PSH | flag::ACK,
        b"GET /index.html HTTP/1.1\r\nHost: web\r\n\r\n",
    ),
    (
        Speaker::Server,
        flag::PSH | flag::ACK,
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n",
    ),
    (Speaker::Client, flag::FIN | flag::ACK, b""),
    (Speaker::Server, flag::FIN | flag::ACK, b""),
    (Speaker::Client, flag::ACK, b""),
];

fn instance_to_instance(name: &str, test: &str, web: &str) {
    let mut stage = Stage::new();
    let mut conversation = Conversation::new(
        stage.view(Who::Test, test, web),
        stage.view(Who::Web, web, test),
    );
    for (speaker, flags, payload) in HTTP {
        let (from, to) = match speaker {
            Speaker::Client => (Who::Test, Who::Web),
            Speaker::Server => (Who::Web, Who::Test),
        };
        let segment = conversation.segment(speaker, flags, payload);
        stage.carries(from, to, &segment);
    }
    stage.matches(name);
}

#[test]
fn instance_to_instance_v4() {
    instance_to_instance("instance_to_instance_v4", "10.0.1.5:40000", "10.0.1.6:80");
}

#[test]
fn instance_to_instance_v6() {
    let test = "[fd12:3456:789a:1:72:77ff:fe00:1]:40000";
    instance_to_instance("instance_to_instance_v6", test, "[fd12:3456:789a:1::6]:80");
}

/// The identifier of an ICMP query, or the source port of a TCP segment or UDP datagram, in a frame
/// without options.
fn source_port(frame: &[u8]) -> u16 {
    let parsed = rackweave_engine::parse::Parsed::parse(frame).unwrap();
    parsed.src_port
}

#[test]
fn nat_out_ping() {
    let mut stage = Stage::new();
    let mac = stage.config(Who::Test).mac;
    for (guest, far, outside) in [
        ("10.0.1.5", "192.0.2.1", "198.51.100.1"),
        (
            "fd12:3456:789a:1:72:77ff:fe00:1",
            "2001:db8:9::9",
            "2001:db8:1::1",
        ),
    ] {
        let mut id = 77;
        for sequence in [1, 2] {
            let ping = FrameBuilder::echo(guest, far, 77)
                .echo_sequence(sequence)
                .payload_len(56);
            let out = stage.leaves(Who::Test, &ping.build());
            id = source_port(&out);
            let pong = FrameBuilder::echo(far, outside, id)
                .reply()
                .macs(BOUNDARY_MAC, mac)
                .echo_sequence(sequence)
                .payload_len(56);
            stage.comes(Who::Test, &pong.build(), Verdict::Forward);
        }
        let unasked = FrameBuilder::echo(far, outside, id ^ 1)
            .reply()
            .macs(BOUNDARY_MAC, mac);
        let no_connection = Verdict::Drop(DropReason::NatNoConnection);
        stage.comes(Who::Test, &unasked.build(), no_connection);
    }
    stage.matches("nat_out_ping");
}

/// Sends a datagram out and gets one back; the frame inside the tunnel.
fn exchange_udp(stage: &mut Stage, guest: &str, far: &str, outside: &str) -> Vec<u8> {
    let mac = stage.config(Who::Test).mac;
    let query = FrameBuilder::udp(guest, far).payload(b"query").build();
    let out = stage.leaves(Who::Test, &query);
    let back = address(&format!("{outside}:{}", source_port(&out))).to_string();
    let reply = FrameBuilder::udp(far, &back)
        .macs(BOUNDARY_MAC, mac)
        .payload(b"reply");
    stage.comes(Who::Test, &reply.build(), Verdict::Forward);
    out
}

#[test]
fn nat_out_udp() {
    let mut stage = Stage::new();
    exchange_udp(
        &mut stage,
        "10.0.1.5:5000",
        "192.0.2.1:7000",
        "198.51.100.1",
    );
    exchange_udp(
        &mut stage,
        "[fd12:3456:789a:1:72:77ff:fe00:1]:5000",
        "[2001:db8:9::9]:7000",
        "[2001:db8:1::1]",
    );
    stage.matches("nat_out_udp");
}

/// A router outside says that a translated packet went too far: the guest sees its own packet in
/// the error.
#[test]
fn nat_out_error() {
    let mut stage = Stage::new();
    for (guest, far, outside, router) in [
        (
            "10.0.1.5:5000",
            "192.0.2.1:33434",
            "198.51.100.1",
            "192.0.2.254",
        ),
        (
            "[fd12:3456:789a:1:72:77ff:fe00:1]:5000",
            "[2001:db8:9::9]:33434",
            "[2001:db8:1::1]",
            "2001:db8:9::fe",
        ),
    ] {
        let out = exchange_udp(&mut stage, guest, far, outside);
        let router = router.parse().unwrap();
        let error = packet::icmp_error(router, IcmpError::TimeExceeded, &out);
        stage.comes(Who::Test, &error, Verdict::Forward);
    }
    stage.matches("nat_out_error");
}

#[test]
fn floating_in() {
    let mut stage = Stage::new();
    for (client, floating, inside) in [
        ("192.0.2.9:5555", "203.0.113.10:80", "10.0.1.6:80"),
        (
            "[2001:db8:9::9]:5555",
            "[2001:db8:2::10]:80",
            "[fd12:3456:789a:1::6]:80",
        ),
    ] {
        let outside = View {
            mac: BOUNDARY_MAC,
            next_hop: stage.config(Who::Web).mac,
            own: address(client),
            other: address(floating),
        };
        let view = stage.view(Who::Web, inside, client);
        let mut conversation = Conversation::new(outside, view);
        for (speaker, flags, payload) in HTTP {
            let segment = conversation.segment(speaker, flags, payload);
            match speaker {
                Speaker::Client => stage.comes(Who::Web, &segment, Verdict::Forward),
                Speaker::Server => stage.leaves(Who::Web, &segment),
            };
        }
    }
    // What the firewall does not let in.
    let telnet = FrameBuilder::tcp("192.0.2.9:5555", "203.0.113.10:23")
        .macs(BOUNDARY_MAC, stage.config(Who::Web).mac)
        .syn()
        .numbers(1_000_000, 0)
        .build();
    let denied = Verdict::Drop(DropReason::RuleDenied);
    stage.comes(Who::Web, &telnet, denied);
    stage.matches("floating_in");
}

/// An instance reaches another's floating address: straight to its sled. The answer to the shared
/// address goes by way of boundary services, which know whose port it is.
#[test]
fn floating_from_inside() {
    let mut stage = Stage::new();
    let syn = FrameBuilder::tcp("10.0.1.5:40000", "203.0.113.10:80")
        .syn()
        .numbers(1_000_000, 0)
        .build();
    let got = stage.carries(Who::Test, Who::Web, &syn);
    let back = format!("198.51.100.1:{}", source_port(&got));
    let answer = FrameBuilder::tcp("10.0.1.6:80", &back)
        .macs(stage.config(Who::Web).mac, reserved::GATEWAY_MAC)
        .flags(flag::SYN | flag::ACK)
        .numbers(5_000_000, 1_000_001);
    let mut turned = stage.leaves(Who::Web, &answer.build());
    turned[..6].copy_from_slice(&stage.config(Who::Test).mac.octets());
    turned[6..12].copy_from_slice(&BOUNDARY_MAC.octets());
    stage.comes(Who::Test, &turned, Verdict::Forward);
    stage.matches("floating_from_inside");
}
