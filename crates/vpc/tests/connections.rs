//! Whole connections through two ports: every packet of both directions arrives, and arrives right.

use std::error::Error;
use std::net::IpAddr;

use rackweave_engine::{Direction, Frame, Verdict};
use rackweave_testkit::exchange::{carry, from_boundary, from_guest, from_outside, to_boundary};
use rackweave_testkit::packet::{self, flag};
use rackweave_testkit::vpc::Scene;
use rackweave_types::{Instant, reserved};

type TestResult = Result<(), Box<dyn Error>>;

#[test]
fn two_instances_exchange_tcp() -> TestResult {
    for (a, b) in [
        ("10.0.1.5", "10.0.1.6"),
        ("fd12:3456:789a:1:72:77ff:fe00:1", "fd12:3456:789a:1::6"),
    ] {
        let scene = Scene::new()?;
        let mut test = scene.start(&scene.test)?;
        let mut web = scene.start(&scene.web)?;
        let there = from_guest(&scene.test, a, b)?;
        let back = from_guest(&scene.web, b, a)?;
        let now = Instant::START;
        for (flags, reply) in [
            (flag::SYN, flag::SYN | flag::ACK),
            (flag::ACK, flag::ACK),
            (flag::FIN | flag::ACK, flag::FIN | flag::ACK),
        ] {
            let sent = packet::tcp(&there, (40_000, 80), flags, b"ping");
            let got = carry(&mut test, &mut web, &sent, now)?;
            assert_eq!(
                got[..12],
                [scene.web.mac.octets(), reserved::GATEWAY_MAC.octets()].concat()
            );
            let sent = packet::tcp(&back, (80, 40_000), reply, b"pong");
            let got = carry(&mut web, &mut test, &sent, now)?;
            assert_eq!(
                got[..12],
                [scene.test.mac.octets(), reserved::GATEWAY_MAC.octets()].concat()
            );
        }
        assert_eq!(test.flow_count(), 1);
        assert_eq!(web.flow_count(), 1);
    }
    Ok(())
}

#[test]
fn a_ping_leaves_through_source_translation_and_comes_back() -> TestResult {
    let scene = Scene::new()?;
    let mut test = scene.start(&scene.test)?;
    let now = Instant::START;
    let there = from_guest(&scene.test, "10.0.1.5", "192.0.2.1")?;
    let got = to_boundary(&mut test, &packet::echo(&there, true, 77, 1, b"ping"), now)?;
    assert_eq!(got[26..30], [198, 51, 100, 1]);
    let id = u16::from_be_bytes([got[38], got[39]]);
    assert!(
        (16_384..17_408).contains(&id),
        "{id} is of the port's block"
    );
    let back = from_outside(&scene.test, "192.0.2.1", "198.51.100.1")?;
    let reply = packet::echo(&back, false, id, 1, b"ping");
    let (verdict, frame) = from_boundary(&scene, &scene.test, &mut test, &reply, now)?;
    assert_eq!(verdict, Verdict::Forward);
    assert_eq!(frame.bytes()[30..34], [10, 0, 1, 5]);
    assert_eq!(frame.bytes()[38..40], 77_u16.to_be_bytes());
    let unknown = packet::echo(&back, false, id ^ 1, 1, b"ping");
    let (verdict, _) = from_boundary(&scene, &scene.test, &mut test, &unknown, now)?;
    assert!(matches!(verdict, Verdict::Drop(_)), "{verdict:?}");
    Ok(())
}

#[test]
fn a_connection_from_outside_reaches_a_floating_address_and_is_answered_from_it() -> TestResult {
    for (client, floating, inside, first) in [
        ("192.0.2.9", "203.0.113.10", "10.0.1.6", 26),
        ("2001:db8:9::9", "2001:db8:2::10", "fd12:3456:789a:1::6", 22),
    ] {
        let scene = Scene::new()?;
        let mut web = scene.start(&scene.web)?;
        let now = Instant::START;
        let syn = packet::tcp(
            &from_outside(&scene.web, client, floating)?,
            (5_555, 80),
            flag::SYN,
            b"",
        );
        let (verdict, _) = from_boundary(&scene, &scene.web, &mut web, &syn, now)?;
        assert_eq!(verdict, Verdict::Forward);
        let answer = packet::tcp(
            &from_guest(&scene.web, inside, client)?,
            (80, 5_555),
            flag::SYN | flag::ACK,
            b"",
        );
        let got = to_boundary(&mut web, &answer, now)?;
        let len = if client.contains(':') { 16 } else { 4 };
        let mut expected = Vec::new();
        match floating.parse::<IpAddr>()? {
            IpAddr::V4(addr) => expected.extend(addr.octets()),
            IpAddr::V6(addr) => expected.extend(addr.octets()),
        }
        assert_eq!(got[first..first + len], expected);
        let telnet = packet::tcp(
            &from_outside(&scene.web, client, floating)?,
            (5_555, 23),
            flag::SYN,
            b"",
        );
        let (verdict, _) = from_boundary(&scene, &scene.web, &mut web, &telnet, now)?;
        assert!(matches!(verdict, Verdict::Drop(_)), "{verdict:?}");
    }
    Ok(())
}

#[test]
fn an_icmp_error_from_outside_reaches_the_guest_with_its_own_packet_inside() -> TestResult {
    let scene = Scene::new()?;
    let mut test = scene.start(&scene.test)?;
    let now = Instant::START;
    let sent = packet::udp(
        &from_guest(&scene.test, "10.0.1.5", "192.0.2.1")?,
        (4_000, 33_434),
        b"trace",
    );
    let got = to_boundary(&mut test, &sent, now)?;
    let router = from_outside(&scene.test, "192.0.2.254", "198.51.100.1")?;
    let error = packet::icmp(&router, 11, 0, [0; 4], &got[14..]);
    let (verdict, frame) = from_boundary(&scene, &scene.test, &mut test, &error, now)?;
    assert_eq!(verdict, Verdict::Forward);
    assert_eq!(frame.bytes()[30..34], [10, 0, 1, 5]);
    // The embedded packet is the guest's own but for its TTL, which the gateway decremented.
    let embedded = &frame.bytes()[42..];
    assert_eq!(
        embedded[12..28],
        sent[26..42],
        "addresses, ports, length and checksum"
    );
    Ok(())
}

#[test]
fn fragments_follow_their_first_one() -> TestResult {
    let scene = Scene::new()?;
    let mut test = scene.start(&scene.test)?;
    let mut web = scene.start(&scene.web)?;
    let datagram = packet::udp(
        &from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?,
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
        let got = carry(&mut test, &mut web, piece, Instant::START)?;
        assert_eq!(got[34..], piece[34..]);
    }
    assert_eq!(test.flow_count(), 1);
    Ok(())
}
