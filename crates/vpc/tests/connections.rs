//! Whole connections through two ports: every packet of both directions arrives, and arrives right.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its scene fails"
)]

use std::net::IpAddr;

use rackweave_engine::{Direction, Frame, Port, Verdict};
use rackweave_testkit::packet::{self, Ends, flag};
use rackweave_testkit::verify::verify;
use rackweave_testkit::vpc::{BOUNDARY_MAC, Scene};
use rackweave_types::state::PortConfig;
use rackweave_types::{Instant, Vni, reserved};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn from_guest(port: &PortConfig, src: &str, dst: &str) -> Ends {
    Ends {
        src_mac: port.mac,
        dst_mac: reserved::GATEWAY_MAC,
        src: ip(src),
        dst: ip(dst),
    }
}

/// Sends a frame of one guest to the other; says what arrives.
fn carry(from: &mut Port, to: &mut Port, bytes: &[u8], now: Instant) -> Vec<u8> {
    let mut frame = Frame::new(bytes);
    let explained = from.explain(Direction::Out, &frame, now).unwrap();
    let out = from.process(Direction::Out, &mut frame, now);
    assert_eq!(out, Verdict::Forward, "{explained:#?}");
    assert_eq!(
        (explained.verdict, explained.frame.bytes()),
        (out, frame.bytes())
    );
    verify(frame.bytes()).unwrap();
    let explained = to.explain(Direction::In, &frame, now).unwrap();
    let arrived = to.process(Direction::In, &mut frame, now);
    assert_eq!(arrived, Verdict::Forward, "{explained:#?}");
    assert_eq!(
        (explained.verdict, explained.frame.bytes()),
        (arrived, frame.bytes())
    );
    verify(frame.bytes()).unwrap();
    frame.bytes().to_vec()
}

#[test]
fn two_instances_exchange_tcp() {
    for (a, b) in [
        ("10.0.1.5", "10.0.1.6"),
        ("fd12:3456:789a:1:72:77ff:fe00:1", "fd12:3456:789a:1::6"),
    ] {
        let scene = Scene::new().unwrap();
        let mut test = scene.start(&scene.test).unwrap();
        let mut web = scene.start(&scene.web).unwrap();
        let there = from_guest(&scene.test, a, b);
        let back = from_guest(&scene.web, b, a);
        let now = Instant::START;
        for (flags, reply) in [
            (flag::SYN, flag::SYN | flag::ACK),
            (flag::ACK, flag::ACK),
            (flag::FIN | flag::ACK, flag::FIN | flag::ACK),
        ] {
            let sent = packet::tcp(&there, (40_000, 80), flags, b"ping");
            let got = carry(&mut test, &mut web, &sent, now);
            assert_eq!(
                got[..12],
                [scene.web.mac.octets(), reserved::GATEWAY_MAC.octets()].concat()
            );
            let sent = packet::tcp(&back, (80, 40_000), reply, b"pong");
            let got = carry(&mut web, &mut test, &sent, now);
            assert_eq!(
                got[..12],
                [scene.test.mac.octets(), reserved::GATEWAY_MAC.octets()].concat()
            );
        }
        assert_eq!(test.flow_count(), 1);
        assert_eq!(web.flow_count(), 1);
    }
}

/// Sends a frame of a guest to the boundary; says what arrives there inside Geneve.
fn to_boundary(from: &mut Port, bytes: &[u8], now: Instant) -> Vec<u8> {
    let mut frame = Frame::new(bytes);
    let explained = from.explain(Direction::Out, &frame, now).unwrap();
    let verdict = from.process(Direction::Out, &mut frame, now);
    assert_eq!(verdict, Verdict::Forward, "{explained:#?}");
    assert_eq!(
        (explained.verdict, explained.frame.bytes()),
        (verdict, frame.bytes())
    );
    verify(frame.bytes()).unwrap();
    assert_eq!(
        frame.bytes()[66..69],
        [0, 0, 99],
        "the boundary's network identifier"
    );
    frame.bytes()[70..].to_vec()
}

/// Gives a frame from the boundary to a port.
fn from_boundary(
    scene: &Scene,
    port: &PortConfig,
    to: &mut Port,
    inner: &[u8],
    now: Instant,
) -> (Verdict, Frame) {
    let (src, dst) = (
        scene.boundary.groups[0].address,
        scene.sled_of(port).sled.tunnel_endpoint(),
    );
    let mut frame = Frame::new(&packet::geneve(
        src,
        dst,
        Vni::BOUNDARY,
        &packet::EXTERNAL,
        inner,
    ));
    let explained = to.explain(Direction::In, &frame, now).unwrap();
    let verdict = to.process(Direction::In, &mut frame, now);
    assert_eq!(
        (explained.verdict, explained.frame.bytes()),
        (verdict, frame.bytes()),
        "{explained:#?}"
    );
    (verdict, frame)
}

fn outside(port: &PortConfig, src: &str, dst: IpAddr) -> Ends {
    Ends {
        src_mac: BOUNDARY_MAC,
        dst_mac: port.mac,
        src: ip(src),
        dst,
    }
}

#[test]
fn a_ping_leaves_through_source_translation_and_comes_back() {
    let scene = Scene::new().unwrap();
    let mut test = scene.start(&scene.test).unwrap();
    let now = Instant::START;
    let there = from_guest(&scene.test, "10.0.1.5", "192.0.2.1");
    let got = to_boundary(&mut test, &packet::echo(&there, true, 77, 1, b"ping"), now);
    assert_eq!(got[26..30], [198, 51, 100, 1]);
    let id = u16::from_be_bytes([got[38], got[39]]);
    assert!(
        (16_384..17_408).contains(&id),
        "{id} is of the port's block"
    );
    let back = outside(&scene.test, "192.0.2.1", ip("198.51.100.1"));
    let reply = packet::echo(&back, false, id, 1, b"ping");
    let (verdict, frame) = from_boundary(&scene, &scene.test, &mut test, &reply, now);
    assert_eq!(verdict, Verdict::Forward);
    verify(frame.bytes()).unwrap();
    assert_eq!(frame.bytes()[30..34], [10, 0, 1, 5]);
    assert_eq!(frame.bytes()[38..40], 77_u16.to_be_bytes());
    let unknown = packet::echo(&back, false, id ^ 1, 1, b"ping");
    let (verdict, _) = from_boundary(&scene, &scene.test, &mut test, &unknown, now);
    assert!(matches!(verdict, Verdict::Drop(_)), "{verdict:?}");
}

#[test]
fn a_connection_from_outside_reaches_a_floating_address_and_is_answered_from_it() {
    for (client, floating, inside, first) in [
        ("192.0.2.9", "203.0.113.10", "10.0.1.6", 26),
        ("2001:db8:9::9", "2001:db8:2::10", "fd12:3456:789a:1::6", 22),
    ] {
        let scene = Scene::new().unwrap();
        let mut web = scene.start(&scene.web).unwrap();
        let now = Instant::START;
        let syn = packet::tcp(
            &outside(&scene.web, client, ip(floating)),
            (5_555, 80),
            flag::SYN,
            b"",
        );
        let (verdict, frame) = from_boundary(&scene, &scene.web, &mut web, &syn, now);
        assert_eq!(verdict, Verdict::Forward);
        verify(frame.bytes()).unwrap();
        let answer = packet::tcp(
            &from_guest(&scene.web, inside, client),
            (80, 5_555),
            flag::SYN | flag::ACK,
            b"",
        );
        let got = to_boundary(&mut web, &answer, now);
        let len = if client.contains(':') { 16 } else { 4 };
        let mut expected = Vec::new();
        match ip(floating) {
            IpAddr::V4(addr) => expected.extend(addr.octets()),
            IpAddr::V6(addr) => expected.extend(addr.octets()),
        }
        assert_eq!(got[first..first + len], expected);
        let telnet = packet::tcp(
            &outside(&scene.web, client, ip(floating)),
            (5_555, 23),
            flag::SYN,
            b"",
        );
        let (verdict, _) = from_boundary(&scene, &scene.web, &mut web, &telnet, now);
        assert!(matches!(verdict, Verdict::Drop(_)), "{verdict:?}");
    }
}

#[test]
fn an_icmp_error_from_outside_reaches_the_guest_with_its_own_packet_inside() {
    let scene = Scene::new().unwrap();
    let mut test = scene.start(&scene.test).unwrap();
    let now = Instant::START;
    let sent = packet::udp(
        &from_guest(&scene.test, "10.0.1.5", "192.0.2.1"),
        (4_000, 33_434),
        b"trace",
    );
    let got = to_boundary(&mut test, &sent, now);
    let router = outside(&scene.test, "192.0.2.254", ip("198.51.100.1"));
    let error = packet::icmp(&router, 11, 0, [0; 4], &got[14..]);
    let (verdict, frame) = from_boundary(&scene, &scene.test, &mut test, &error, now);
    assert_eq!(verdict, Verdict::Forward);
    verify(frame.bytes()).unwrap();
    assert_eq!(frame.bytes()[30..34], [10, 0, 1, 5]);
    // The embedded packet is the guest's own but for its TTL, which the gateway decremented.
    let embedded = &frame.bytes()[42..];
    assert_eq!(
        embedded[12..28],
        sent[26..42],
        "addresses, ports, length and checksum"
    );
}

#[test]
fn fragments_follow_their_first_one() {
    let scene = Scene::new().unwrap();
    let mut test = scene.start(&scene.test).unwrap();
    let mut web = scene.start(&scene.web).unwrap();
    let datagram = packet::udp(
        &from_guest(&scene.test, "10.0.1.5", "10.0.1.6"),
        (4_000, 5_000),
        &[7; 4_000],
    );
    let pieces = packet::fragments(&datagram, 99, 1_480);
    assert_eq!(pieces.len(), 3);
    let mut late = Frame::new(&pieces[1]);
    let verdict = test.process(Direction::Out, &mut late, Instant::START);
    assert!(
        matches!(verdict, Verdict::Drop(_)),
        "a later fragment came first: {verdict:?}"
    );
    for piece in &pieces {
        let got = carry(&mut test, &mut web, piece, Instant::START);
        assert_eq!(got[34..], piece[34..]);
    }
    assert_eq!(test.flow_count(), 1);
}
