//! How fast a port may send and receive, and how fast it answers, in virtual time.

use rackweave_engine::frame::{Checksum, Segment, SegmentKind};
use rackweave_engine::{Direction, DropReason, Frame, Port, Verdict};
use rackweave_testkit::exchange::{forwarded, from_guest, send};
use rackweave_testkit::packet;
use rackweave_testkit::vpc::Scene;
use rackweave_types::{BytesPerSecond, Instant, PacketsPerSecond};

use crate::{TestResult, adds_up, millis};

/// Sends the same frame every `gap` microseconds for `seconds`; how many passed.
fn offered(port: &mut Port, direction: Direction, bytes: &[u8], gap: u64, seconds: u64) -> u64 {
    let mut frame = Frame::new(&[]);
    let (mut micros, mut passed) = (0, 0);
    while micros < seconds * 1_000_000 {
        frame.fill(bytes);
        match port.process(direction, &mut frame, Instant::from_nanos(micros * 1_000)) {
            Verdict::Forward | Verdict::Hairpin | Verdict::Refuse(_) => passed += 1,
            Verdict::Drop(
                DropReason::Metered | DropReason::ReplyMetered | DropReason::TtlExceeded,
            ) => {}
            other => assert_eq!(other, Verdict::Forward),
        }
        micros += gap;
    }
    adds_up(&port.counters());
    passed
}

#[test]
fn octets_pass_at_the_cap_and_its_burst() -> TestResult {
    let mut scene = Scene::new()?;
    scene.test.caps.outbound.bytes = Some(BytesPerSecond::new(1_000_000));
    scene.test.caps.outbound.burst_bytes = Some(100_000);
    let mut test = scene.start(&scene.test)?;
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    // An IP packet of 1,000 octets: 100 of them are the burst, and as many pass in 100 ms.
    let bytes = packet::udp(&there, (1_000, 2_000), &[0; 972]);
    let passed = offered(&mut test, Direction::Out, &bytes, 100, 3);
    assert!((3_098..=3_102).contains(&passed), "{passed}");
    let counters = test.counters();
    let dropped = counters.dropped(Direction::Out, DropReason::Metered);
    assert_eq!(dropped, 30_000 - passed);
    Ok(())
}

#[test]
fn packets_pass_at_the_cap_and_its_burst_in_either_direction() -> TestResult {
    let mut scene = Scene::new()?;
    for cap in [&mut scene.test.caps.outbound, &mut scene.test.caps.inbound] {
        cap.packets = Some(PacketsPerSecond::new(1_000));
        cap.burst_packets = Some(64);
    }
    let mut test = scene.start(&scene.test)?;
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let out = packet::udp(&there, (1_000, 2_000), b"out");
    let back = from_guest(&scene.web, "10.0.1.6", "10.0.1.5")?;
    let back = packet::udp(&back, (2_000, 1_000), b"in");
    let mut web = scene.start(&scene.web)?;
    let inbound = forwarded(send(&mut web, Direction::Out, &back, Instant::START)?)?;
    for (direction, bytes) in [(Direction::Out, &out[..]), (Direction::In, inbound.bytes())] {
        let passed = offered(&mut test, direction, bytes, 100, 3);
        assert!((3_062..=3_066).contains(&passed), "{direction:?}: {passed}");
    }
    Ok(())
}

#[test]
fn a_pause_fills_no_more_than_the_burst() -> TestResult {
    let mut scene = Scene::new()?;
    scene.test.caps.outbound.packets = Some(PacketsPerSecond::new(1_000));
    scene.test.caps.outbound.burst_packets = Some(64);
    let mut test = scene.start(&scene.test)?;
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let bytes = packet::udp(&there, (1_000, 2_000), b"again");
    for start in [0, 60_000] {
        let mut passed = 0;
        for _ in 0..100 {
            let (verdict, _) = send(&mut test, Direction::Out, &bytes, millis(start))?;
            passed += u32::from(verdict == Verdict::Forward);
        }
        assert_eq!(passed, 64);
    }
    Ok(())
}

#[test]
fn a_large_frame_counts_as_its_segments() -> TestResult {
    let mut scene = Scene::new()?;
    scene.test.caps.outbound.packets = Some(PacketsPerSecond::new(1_000));
    scene.test.caps.outbound.burst_packets = Some(64);
    let mut test = scene.start(&scene.test)?;
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let large = || {
        let mut frame = Frame::new(&packet::tcp(
            &there,
            (1_000, 22),
            packet::flag::ACK,
            &vec![0; 40 * 1_000],
        ));
        frame.offload.checksum = Checksum::Partial {
            start: 34,
            offset: 16,
        };
        frame.offload.segment = Some(Segment {
            kind: SegmentKind::Tcp,
            size: 1_000,
        });
        frame
    };
    let now = Instant::START;
    assert_eq!(
        test.process(Direction::Out, &mut large(), now),
        Verdict::Forward
    );
    let metered = Verdict::Drop(DropReason::Metered);
    assert_eq!(
        test.process(Direction::Out, &mut large(), now),
        metered,
        "24 of 64 are left"
    );
    let small = packet::udp(&there, (1_000, 2_000), b"small");
    let small =
        std::iter::repeat_with(|| test.process(Direction::Out, &mut Frame::new(&small), now));
    let passed = small
        .take(30)
        .filter(|verdict| *verdict == Verdict::Forward)
        .count();
    assert_eq!(passed, 24);
    let sixteen_more = millis(40);
    assert_eq!(
        test.process(Direction::Out, &mut large(), sixteen_more),
        Verdict::Forward
    );
    let (flow, _) = test.shards()[0].flows(0, 1);
    assert_eq!(flow[0].packets, [80, 0]);
    adds_up(&test.counters());
    Ok(())
}

#[test]
fn a_flood_of_echoes_gets_as_many_answers_as_the_limit_says() -> TestResult {
    for shards in [1, 4] {
        let mut scene = Scene::new()?;
        scene.test.limits.replies = Some(PacketsPerSecond::new(100));
        let limits = scene.program(&scene.test)?.limits;
        let program = scene.compile(&scene.test)?;
        let mut test = Port::new(shards, rackweave_testkit::vpc::SECRET, limits, &program)?;
        let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.1")?;
        let mut verdicts = [0_u64; 2];
        for at in 0..10_000_u64 {
            let id = u16::try_from(at % 64)?;
            let mut frame = Frame::new(&packet::echo(&there, true, id, 1, b"flood"));
            match test.process(Direction::Out, &mut frame, millis(at)) {
                Verdict::Hairpin => verdicts[0] += 1,
                Verdict::Drop(DropReason::ReplyMetered) => verdicts[1] += 1,
                other => assert_eq!(other, Verdict::Hairpin),
            }
        }
        // A hundred each second, and a burst of a hundred before the first is over.
        let [answers, _] = verdicts;
        assert!(
            (1_090..=1_104).contains(&answers),
            "{answers} with {shards} shards"
        );
        let counters = test.counters();
        assert_eq!(counters.hairpinned[0], answers);
        assert_eq!(
            counters.dropped(Direction::Out, DropReason::ReplyMetered),
            10_000 - answers
        );
        adds_up(&counters);
    }
    Ok(())
}

#[test]
fn refusals_are_metered_and_their_packets_dropped_all_the_same() -> TestResult {
    let mut scene = Scene::new()?;
    scene.test.limits.replies = Some(PacketsPerSecond::new(100));
    let mut test = scene.start(&scene.test)?;
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let spent = packet::Header {
        ttl: 1,
        ..packet::Header::new(17)
    };
    let bytes = packet::ip(
        &there,
        spent,
        &packet::udp_datagram(&there, (1_000, 33_434), b"trace"),
    );
    let told = offered(&mut test, Direction::Out, &bytes, 1_000, 2);
    assert!((299..=301).contains(&told), "{told}");
    let counters = test.counters();
    assert_eq!(counters.refusals, told);
    assert_eq!(
        counters.dropped(Direction::Out, DropReason::TtlExceeded),
        2_000
    );
    Ok(())
}
