//! Large frames and unfinished checksums: one packet to both engines, whole until somebody must cut
//! it.

use std::error::Error;
use std::net::IpAddr;

use rackweave_engine::frame::{Checksum, Offload, Segment, SegmentKind};
use rackweave_engine::parse::parse_outer;
use rackweave_engine::{Direction, DropReason, Frame, Port, Verdict};
use rackweave_testkit::exchange::{carry, from_boundary, from_guest, from_outside};
use rackweave_testkit::packet::{self, Ends, Header, flag};
use rackweave_testkit::verify::verify;
use rackweave_testkit::vpc::Scene;
use rackweave_types::{Instant, Vni};
use rackweave_wire::checksum;

type TestResult = Result<(), Box<dyn Error>>;

const NOW: Instant = Instant::START;
const MSS: u16 = 1_400;
/// The addresses of `test` and of `web`.
const INSIDE: [(&str, &str); 2] = [
    ("10.0.1.5", "10.0.1.6"),
    ("fd12:3456:789a:1:72:77ff:fe00:1", "fd12:3456:789a:1::6"),
];

/// Where the upper layer begins in a frame between these.
fn l4(ends: &Ends) -> usize {
    if ends.src.is_ipv4() { 34 } else { 54 }
}

/// A frame whose sender left the checksum to others: the field holds the pseudo header's sum.
fn unfinished(ends: &Ends, mut bytes: Vec<u8>, offset: usize) -> Frame {
    let start = l4(ends);
    let protocol = bytes[if ends.src.is_ipv4() { 23 } else { 20 }];
    let pseudo = packet::pseudo_header(ends.src, ends.dst, protocol, bytes.len() - start);
    bytes[start + offset..start + offset + 2].copy_from_slice(&pseudo.to_be_bytes());
    let mut frame = Frame::new(&bytes);
    frame.offload.checksum = partial(ends, offset);
    frame
}

fn partial(ends: &Ends, offset: usize) -> Checksum {
    let [start, offset] = [l4(ends), offset].map(|at| u16::try_from(at).unwrap_or(u16::MAX));
    Checksum::Partial { start, offset }
}

/// A frame of many TCP segments.
fn tso(ends: &Ends, ports: (u16, u16), payload: &[u8]) -> Frame {
    let mut frame = unfinished(ends, packet::tcp(ends, ports, flag::ACK, payload), 16);
    frame.offload.segment = Some(Segment {
        kind: SegmentKind::Tcp,
        size: MSS,
    });
    frame
}

/// A frame of many UDP datagrams.
fn uso(ends: &Ends, ports: (u16, u16), payload: &[u8]) -> Frame {
    let mut frame = unfinished(ends, packet::udp(ends, ports, payload), 6);
    frame.offload.segment = Some(Segment {
        kind: SegmentKind::Udp,
        size: MSS,
    });
    frame
}

/// The frame with its checksum finished as whoever sends it on would; it must be valid then.
fn finished(frame: &Frame) -> Result<Vec<u8>, String> {
    let mut bytes = frame.bytes().to_vec();
    if let Checksum::Partial { start, offset } = frame.offload.checksum {
        let (start, offset) = (usize::from(start), usize::from(offset));
        let check = checksum::finish_udp(checksum::sum(&bytes[start..]));
        bytes[start + offset..start + offset + 2].copy_from_slice(&check.to_be_bytes());
    }
    verify(&bytes)?;
    Ok(bytes)
}

fn payload(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

/// `test` and `web` with a TCP connection from port 1,000 to 22.
fn connected(ends: &Ends, scene: &Scene) -> Result<(Port, Port), Box<dyn Error>> {
    let (mut test, mut web) = (scene.start(&scene.test)?, scene.start(&scene.web)?);
    let back = from_guest(&scene.web, &ends.dst.to_string(), &ends.src.to_string())?;
    let syn = packet::tcp(ends, (1_000, 22), flag::SYN, b"");
    carry(&mut test, &mut web, &syn, NOW)?;
    let answer = packet::tcp(&back, (22, 1_000), flag::SYN | flag::ACK, b"");
    carry(&mut web, &mut test, &answer, NOW)?;
    carry(
        &mut test,
        &mut web,
        &packet::tcp(ends, (1_000, 22), flag::ACK, b""),
        NOW,
    )?;
    Ok((test, web))
}

#[test]
fn a_large_frame_passes_two_ports_whole_and_arrives_as_it_left() -> TestResult {
    for (a, b) in INSIDE {
        let scene = Scene::new()?;
        let ends = from_guest(&scene.test, a, b)?;
        let (mut test, mut web) = connected(&ends, &scene)?;
        for (large, what) in [
            (
                tso(&ends, (1_000, 22), &payload(65_000)),
                "tcp, established",
            ),
            (tso(&ends, (1_001, 22), &payload(65_000)), "tcp, adopted"),
            (uso(&ends, (1_000, 22), &payload(65_000)), "udp"),
        ] {
            let before = (test.counters().forwarded[0], web.counters().forwarded[1]);
            let mut frame = large.clone();
            assert_eq!(
                test.process(Direction::Out, &mut frame, NOW),
                Verdict::Forward,
                "{what}"
            );
            assert_eq!(frame.len(), large.len() + 78, "tunnel and MSS option");
            let [high, low] = MSS.to_be_bytes();
            assert_eq!(
                frame.bytes()[70..78],
                [0xff, 0x52, 0x02, 1, high, low, 0, 0]
            );
            assert_eq!(
                frame.offload,
                shifted(large.offload, 78),
                "still to be done"
            );
            finished(&frame)?;
            let mut bare = Frame::new(frame.bytes());
            for frame in [&mut frame, &mut bare] {
                assert_eq!(
                    web.process(Direction::In, frame, NOW),
                    Verdict::Forward,
                    "{what}"
                );
                assert_eq!(frame.offload, large.offload, "{what}");
                let arrived = finished(frame)?;
                let sent = finished(&large)?;
                assert_eq!(arrived[l4(&ends)..], sent[l4(&ends)..], "{what}");
            }
            let after = (test.counters().forwarded[0], web.counters().forwarded[1]);
            assert_eq!(after, (before.0 + 1, before.1 + 2), "one packet each");
        }
        let (flows, _) = test.shards()[0].flows(0, 10);
        let ssh = flows
            .iter()
            .find(|flow| flow.guest.local_port == 1_000 && flow.tcp.is_some());
        let segments = 65_000_u64.div_ceil(u64::from(MSS));
        assert_eq!(ssh.map(|flow| flow.packets), Some([2 + segments, 1]));
    }
    Ok(())
}

/// The frame's offloads with so many octets put in front.
fn shifted(mut offload: Offload, len: u16) -> Offload {
    if let Checksum::Partial { start, .. } = &mut offload.checksum {
        *start += len;
    }
    offload
}

#[test]
fn the_longest_packet_is_what_an_outer_datagram_can_hold() -> TestResult {
    for (a, b) in INSIDE {
        let scene = Scene::new()?;
        let ends = from_guest(&scene.test, a, b)?;
        let (mut test, _) = connected(&ends, &scene)?;
        // UDP and Geneve headers, the MSS option and the inner Ethernet header leave this of 65,535.
        let longest = 65_535 - 8 - 8 - 8 - (l4(&ends) + 20);
        let mut most = tso(&ends, (1_000, 22), &payload(longest));
        assert_eq!(
            test.process(Direction::Out, &mut most, NOW),
            Verdict::Forward
        );
        finished(&most)?;
        let mut more = tso(&ends, (1_000, 22), &payload(longest + 1));
        let verdict = test.process(Direction::Out, &mut more, NOW);
        assert_eq!(verdict, Verdict::Drop(DropReason::EncapsulationTooLong));
    }
    Ok(())
}

#[test]
fn an_unfinished_checksum_stays_true_under_source_translation() -> TestResult {
    for (inside, remote, outside) in [
        ("10.0.1.5", "192.0.2.1", "198.51.100.1"),
        (INSIDE[1].0, "2001:db8:9::9", "2001:db8:1::1"),
    ] {
        let scene = Scene::new()?;
        let mut test = scene.start(&scene.test)?;
        let there = from_guest(&scene.test, inside, remote)?;
        let back = from_outside(&scene.test, remote, outside)?;
        let at = l4(&there);
        for make in [tso, uso] {
            let large = make(&there, (1_000, 443), &payload(20_000));
            // The first packet goes the long way, the second one the short.
            for _ in 0..2 {
                let mut frame = large.clone();
                assert_eq!(
                    test.process(Direction::Out, &mut frame, NOW),
                    Verdict::Forward
                );
                let sent = finished(&frame)?;
                let inner = &sent[78..];
                assert!(holds(inner, outside)?, "{outside} is the source");
                let port = u16::from_be_bytes([inner[at], inner[at + 1]]);

                let reply = make(&back, (443, port), &payload(20_000));
                let (mut bare, offload) = (reply.bytes().to_vec(), reply.offload);
                let mss = [
                    0xff,
                    0x52,
                    0x02,
                    1,
                    MSS.to_be_bytes()[0],
                    MSS.to_be_bytes()[1],
                    0,
                    0,
                ];
                let group = scene.boundary.groups[0].address;
                let sled = scene.sleds[0].sled.tunnel_endpoint();
                bare = packet::geneve(group, sled, Vni::BOUNDARY, &mss, &bare);
                let mut frame = Frame::new(&bare);
                assert_eq!(
                    test.process(Direction::In, &mut frame, NOW),
                    Verdict::Forward
                );
                assert_eq!(frame.offload, offload);
                let arrived = finished(&frame)?;
                assert_eq!(arrived[at + 2..at + 4], 1_000_u16.to_be_bytes());
            }
        }
    }
    Ok(())
}

/// Whether an address stands in an IP header.
fn holds(frame: &[u8], addr: &str) -> Result<bool, Box<dyn Error>> {
    Ok(match addr.parse()? {
        IpAddr::V4(addr) => frame[26..34].windows(4).any(|at| at == addr.octets()),
        IpAddr::V6(addr) => frame[22..54].windows(16).any(|at| at == addr.octets()),
    })
}

#[test]
fn an_unfinished_checksum_stays_true_under_one_to_one_translation() -> TestResult {
    for (client, floating, inside) in [
        ("192.0.2.9", "203.0.113.10", "10.0.1.6"),
        ("2001:db8:9::9", "2001:db8:2::10", "fd12:3456:789a:1::6"),
    ] {
        let scene = Scene::new()?;
        let mut web = scene.start(&scene.web)?;
        let there = from_outside(&scene.web, client, floating)?;
        let syn = packet::tcp(&there, (5_000, 80), flag::SYN, b"");
        let (verdict, _) = from_boundary(&scene, &scene.web, &mut web, &syn, NOW)?;
        assert_eq!(verdict, Verdict::Forward);
        let back = from_guest(&scene.web, inside, client)?;
        let mut frame = tso(&back, (80, 5_000), &payload(30_000));
        assert_eq!(
            web.process(Direction::Out, &mut frame, NOW),
            Verdict::Forward
        );
        let sent = finished(&frame)?;
        assert!(holds(&sent[78..], floating)?);
    }
    Ok(())
}

#[test]
fn a_small_frame_with_an_unfinished_checksum_carries_no_option() -> TestResult {
    for (a, b) in INSIDE {
        let scene = Scene::new()?;
        let ends = from_guest(&scene.test, a, b)?;
        let (mut test, mut web) = connected(&ends, &scene)?;
        let small = unfinished(&ends, packet::udp(&ends, (1_000, 22), b"small"), 6);
        let mut frame = small.clone();
        assert_eq!(
            test.process(Direction::Out, &mut frame, NOW),
            Verdict::Forward
        );
        let outer = parse_outer(frame.bytes()).map_err(DropReason::name)?;
        assert_eq!((outer.mss, outer.len), (None, 70));
        finished(&frame)?;
        assert_eq!(
            web.process(Direction::In, &mut frame, NOW),
            Verdict::Forward
        );
        assert_eq!(frame.offload, small.offload);
        finished(&frame)?;
    }
    Ok(())
}

#[test]
fn what_the_agent_gets_has_its_checksum() -> TestResult {
    let scene = Scene::new()?;
    let mut test = scene.start(&scene.test)?;
    let ends = from_guest(&scene.test, "10.0.1.5", "10.0.1.2")?;
    let mut frame = unfinished(&ends, packet::udp(&ends, (1_000, 53), b"who?"), 6);
    assert_eq!(test.process(Direction::Out, &mut frame, NOW), Verdict::Punt);
    let punt = test.shards_mut()[0].pop_punt().ok_or("nothing waits")?;
    verify(&punt.bytes)?;
    Ok(())
}

#[test]
fn what_the_engine_answers_needs_nothing_more() -> TestResult {
    let scene = Scene::new()?;
    let mut test = scene.start(&scene.test)?;
    let ends = from_guest(&scene.test, INSIDE[1].0, "fe80::1")?;
    let mut echo = unfinished(&ends, packet::echo(&ends, true, 7, 1, b"ping"), 2);
    assert_eq!(
        test.process(Direction::Out, &mut echo, NOW),
        Verdict::Hairpin
    );
    assert!(!matches!(echo.offload.checksum, Checksum::Partial { .. }));
    verify(echo.bytes())?;
    let ends = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let mut large = tso(&ends, (1_000, 22), &payload(30_000));
    large.offload.segment = Some(Segment {
        kind: SegmentKind::Tcp,
        size: 1_461,
    });
    let verdict = test.process(Direction::Out, &mut large, NOW);
    assert_eq!(verdict, Verdict::Refuse(DropReason::TooBig));
    assert_eq!(large.offload, Offload::default());
    verify(large.bytes())?;
    Ok(())
}

#[test]
fn segments_are_measured_with_their_own_header() -> TestResult {
    let scene = Scene::new()?;
    let ends = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let (mut test, _) = connected(&ends, &scene)?;
    // Twelve octets of options, as timestamps take them: 1,448 octets fit, 1,449 do not.
    let mut segment = packet::tcp_segment(&ends, (1_000, 22), flag::ACK, &payload(28_980 - 12));
    segment.splice(20..20, [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1]);
    segment[12] = 0x80;
    for (size, expected) in [
        (1_448, Verdict::Forward),
        (1_449, Verdict::Refuse(DropReason::TooBig)),
    ] {
        let mut frame = unfinished(&ends, packet::ip(&ends, Header::new(6), &segment), 16);
        frame.offload.segment = Some(Segment {
            kind: SegmentKind::Tcp,
            size,
        });
        assert_eq!(
            test.process(Direction::Out, &mut frame, NOW),
            expected,
            "{size}"
        );
    }
    let (flows, _) = test.shards()[0].flows(0, 1);
    assert_eq!(flows[0].packets[0], 2 + 28_968_u64.div_ceil(1_448));
    Ok(())
}

#[test]
fn an_offload_that_does_not_fit_its_frame_is_dropped() -> TestResult {
    let scene = Scene::new()?;
    let mut test = scene.start(&scene.test)?;
    let ends = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let tcp = packet::tcp(&ends, (1_000, 22), flag::ACK, &payload(3_000));
    let udp = packet::udp(&ends, (1_000, 22), &payload(3_000));
    let ping = packet::echo(&ends, true, 7, 1, &payload(3_000));
    let arp = packet::arp_request(scene.test.mac, [10, 0, 1, 5].into(), [10, 0, 1, 1].into());
    let fragment = packet::fragments(&udp, 9, 1_480).swap_remove(0);
    let check = |start, offset| Checksum::Partial { start, offset };
    let cut = |kind, size| Some(Segment { kind, size });
    let (by_tcp, by_udp) = (cut(SegmentKind::Tcp, 1_000), cut(SegmentKind::Udp, 1_000));
    let wrong = [
        (&tcp, check(33, 16), by_tcp),
        (&tcp, check(34, 6), by_tcp),
        (&tcp, check(34, u16::MAX), by_tcp),
        (&tcp, check(u16::MAX, 16), by_tcp),
        (&tcp, check(34, 16), by_udp),
        (&tcp, check(34, 16), cut(SegmentKind::Tcp, 0)),
        (&tcp, Checksum::Complete, by_tcp),
        (&tcp, Checksum::Verified, by_tcp),
        (&udp, check(34, 6), by_tcp),
        (&udp, check(34, 16), None),
        (&ping, check(34, 2), None),
        (&ping, check(34, 2), by_udp),
        (&arp, check(14, 6), None),
        (&arp, Checksum::Complete, by_udp),
        (&fragment, check(34, 6), by_udp),
    ];
    let count = wrong.len() as u64;
    for (bytes, checksum, segment) in wrong {
        let mut frame = Frame::new(bytes);
        frame.offload = Offload { checksum, segment };
        let asked = frame.offload;
        let verdict = test.process(Direction::Out, &mut frame, NOW);
        assert_eq!(verdict, Verdict::Drop(DropReason::Offload), "{asked:?}");
    }
    assert_eq!(
        test.counters().dropped(Direction::Out, DropReason::Offload),
        count
    );
    assert_eq!(test.flow_count(), 0);
    Ok(())
}
