//! What the tunnel says besides where to: service class, congestion, hops, options.

use std::error::Error;
use std::net::Ipv6Addr;

use rackweave_engine::{Direction, DropReason, Port, Verdict};
use rackweave_testkit::exchange::{forwarded, from_guest, send};
use rackweave_testkit::packet::{self, Ends, Header};
use rackweave_testkit::vpc::{Scene, VPC};
use rackweave_types::{Instant, Vni};

type TestResult = Result<(), Box<dyn Error>>;

const NOW: Instant = Instant::START;
/// The addresses of `test` and of `web`.
const INSIDE: [(&str, &str); 2] = [
    ("10.0.1.5", "10.0.1.6"),
    ("fd12:3456:789a:1:72:77ff:fe00:1", "fd12:3456:789a:1::6"),
];

/// A datagram with this octet of DSCP and ECN.
fn marked(ends: &Ends, tos: u8) -> Vec<u8> {
    let header = Header {
        tos,
        ..Header::new(17)
    };
    packet::ip(
        ends,
        header,
        &packet::udp_datagram(ends, (1_000, 2_000), b"marked"),
    )
}

/// The octet of DSCP and ECN of a frame.
fn tos(frame: &[u8]) -> u8 {
    if frame[12] == 8 {
        frame[15]
    } else {
        frame[14] << 4 | frame[15] >> 4
    }
}

/// TTL or hop limit of a frame.
fn hops(frame: &[u8]) -> u8 {
    frame[if frame[12] == 8 { 22 } else { 21 }]
}

#[test]
fn the_tunnel_carries_service_class_and_congestion() -> TestResult {
    for (a, b) in INSIDE {
        let scene = Scene::new()?;
        let (mut test, mut web) = (scene.start(&scene.test)?, scene.start(&scene.web)?);
        let ends = from_guest(&scene.test, a, b)?;
        for mark in 0..=u8::MAX {
            let out = forwarded(send(&mut test, Direction::Out, &marked(&ends, mark), NOW)?)?;
            assert_eq!(tos(out.bytes()), mark, "the outer header's");
            assert_eq!(tos(&out.bytes()[70..]), mark, "the inner header's");
            let got = forwarded(send(&mut web, Direction::In, out.bytes(), NOW)?)?;
            assert_eq!(tos(got.bytes()), mark, "the guest's");
        }
    }
    Ok(())
}

/// RFC 6040, figure 4, and the outer service class (RFC 2983, uniform model).
#[test]
fn what_the_underlay_marked_reaches_the_guest() -> TestResult {
    const CE: u8 = 3;
    // By the inner mark (Not-ECT, ECT(1), ECT(0), CE), then by the outer one.
    let expected = [
        [Some(0), Some(0), Some(0), None],
        [Some(1), Some(1), Some(1), Some(CE)],
        [Some(2), Some(1), Some(2), Some(CE)],
        [Some(CE); 4],
    ];
    for (a, b) in INSIDE {
        let scene = Scene::new()?;
        let (mut test, mut web) = (scene.start(&scene.test)?, scene.start(&scene.web)?);
        let ends = from_guest(&scene.test, a, b)?;
        let mut dropped = 0;
        for (inner, expected) in (0..4_u8).zip(expected) {
            let out = forwarded(send(
                &mut test,
                Direction::Out,
                &marked(&ends, 40 << 2 | inner),
                NOW,
            )?)?;
            for (outer, expected) in (0..4_u8).zip(expected) {
                let mut bytes = out.bytes().to_vec();
                let mark = 8 << 2 | outer;
                bytes[14] = 0x60 | mark >> 4;
                bytes[15] = mark << 4 | bytes[15] & 0xf;
                let (verdict, frame) = send(&mut web, Direction::In, &bytes, NOW)?;
                if let Some(ecn) = expected {
                    assert_eq!(verdict, Verdict::Forward, "{inner} in {outer}");
                    assert_eq!(tos(frame.bytes()), 8 << 2 | ecn, "{inner} in {outer}");
                } else {
                    assert_eq!(verdict, Verdict::Drop(DropReason::EcnNotCapable));
                    dropped += 1;
                }
            }
        }
        assert_eq!(
            web.counters()
                .dropped(Direction::In, DropReason::EcnNotCapable),
            dropped
        );
        assert_eq!(dropped, 1);
    }
    Ok(())
}

#[test]
fn the_gateway_of_the_sender_is_the_only_hop() -> TestResult {
    for (a, b) in INSIDE {
        let scene = Scene::new()?;
        let (mut test, mut web) = (scene.start(&scene.test)?, scene.start(&scene.web)?);
        let ends = from_guest(&scene.test, a, b)?;
        let datagram = packet::udp_datagram(&ends, (1_000, 2_000), b"hop");
        let with = |ttl| {
            packet::ip(
                &ends,
                Header {
                    ttl,
                    ..Header::new(17)
                },
                &datagram,
            )
        };
        for ttl in [2, 64, 255] {
            let out = forwarded(send(&mut test, Direction::Out, &with(ttl), NOW)?)?;
            assert_eq!(hops(&out.bytes()[70..]), ttl - 1);
            let got = forwarded(send(&mut web, Direction::In, out.bytes(), NOW)?)?;
            assert_eq!(hops(got.bytes()), ttl - 1);
        }
        // An established flow as well as a new one.
        for (port, ttl) in [(1_000, 1), (1_000, 0), (3_000, 1)] {
            let datagram = packet::udp_datagram(&ends, (port, 2_000), b"hop");
            let spent = packet::ip(
                &ends,
                Header {
                    ttl,
                    ..Header::new(17)
                },
                &datagram,
            );
            let (verdict, told) = send(&mut test, Direction::Out, &spent, NOW)?;
            assert_eq!(verdict, Verdict::Refuse(DropReason::TtlExceeded));
            let (at, kind) = if ends.src.is_ipv4() {
                (34, 11)
            } else {
                (54, 3)
            };
            assert_eq!(told.bytes()[at], kind, "time exceeded");
        }
    }
    Ok(())
}

/// `web` gets a datagram of `test` with these options on the tunnel.
fn with_options(scene: &Scene, web: &mut Port, options: &[u8]) -> Result<Verdict, Box<dyn Error>> {
    let [from, to]: [Ipv6Addr; 2] = [0, 1].map(|at| scene.sleds[at].sled.tunnel_endpoint());
    let ends = Ends {
        dst_mac: scene.web.mac,
        ..from_guest(&scene.test, INSIDE[0].0, INSIDE[0].1)?
    };
    let inner = packet::udp(&ends, (1_000, 2_000), b"options");
    let bytes = packet::geneve(from, to, Vni::new(VPC)?, options, &inner);
    Ok(send(web, Direction::In, &bytes, NOW)?.0)
}

#[test]
fn options_that_need_not_be_understood_are_passed_over() -> TestResult {
    let scene = Scene::new()?;
    let mut web = scene.start(&scene.web)?;
    let mut many = Vec::new();
    for options in [
        &[][..],
        &[0xff, 0x52, 0x7f, 0],
        &[0xff, 0x52, 0x03, 2, 0, 0, 0, 0, 0, 0, 0, 7],
        &[0xff, 0x52, 0x04, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
        &[0x01, 0x00, 0x01, 1, 1, 2, 3, 4],
    ] {
        // Once first, once established.
        for _ in 0..2 {
            assert_eq!(
                with_options(&scene, &mut web, options)?,
                Verdict::Forward,
                "{options:?}"
            );
        }
        many.extend(options);
    }
    assert_eq!(with_options(&scene, &mut web, &many)?, Verdict::Forward);
    Ok(())
}

#[test]
fn an_option_that_must_be_understood_and_is_not_drops_the_packet() -> TestResult {
    let scene = Scene::new()?;
    let mut web = scene.start(&scene.web)?;
    assert_eq!(with_options(&scene, &mut web, &[])?, Verdict::Forward);
    let critical = [
        &[0xff, 0x52, 0x80, 0][..],
        &[0xff, 0x52, 0x83, 2, 0, 0, 0, 0, 0, 0, 0, 7],
        &[0x01, 0x00, 0x81, 0],
        &[0x01, 0x00, 0x01, 0, 0x01, 0x00, 0xff, 1, 0, 0, 0, 0],
    ];
    for options in critical {
        let verdict = with_options(&scene, &mut web, options)?;
        assert_eq!(
            verdict,
            Verdict::Drop(DropReason::UnknownCriticalOption),
            "{options:?}"
        );
    }
    let counted = web
        .counters()
        .dropped(Direction::In, DropReason::UnknownCriticalOption);
    assert_eq!(counted, critical.len() as u64);
    Ok(())
}

#[test]
fn options_that_are_none_drop_the_packet() -> TestResult {
    let scene = Scene::new()?;
    let mut web = scene.start(&scene.web)?;
    for options in [
        &[0x01, 0x00, 0x01, 1][..],
        &[0x01, 0x00, 0x01, 0x1f, 0, 0, 0, 0],
    ] {
        let verdict = with_options(&scene, &mut web, options)?;
        assert_eq!(
            verdict,
            Verdict::Drop(DropReason::GeneveHeader),
            "{options:?}"
        );
    }
    Ok(())
}
