//! Connections, packets for the agent, fragments.

use std::error::Error;

use rackweave_engine::flow::FlowClass;
use rackweave_engine::{Direction, DropReason, FlowInfo, Port, Verdict};
use rackweave_testkit::attack::flows;
use rackweave_testkit::exchange::{carry, from_guest, send};
use rackweave_testkit::packet::{self, flag};
use rackweave_testkit::vpc::Scene;
use rackweave_types::Instant;

use crate::{TestResult, adds_up, millis};

const NOW: Instant = Instant::START;

/// `test` and `web`, with as many SSH connections as `test` may hold, one every ten seconds.
fn full_of_connections(limit: u16) -> Result<(Scene, Port, Port), Box<dyn Error>> {
    let mut scene = Scene::new()?;
    scene.test.limits.flows = Some(u32::from(limit));
    let (mut test, mut web) = (scene.start(&scene.test)?, scene.start(&scene.web)?);
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let back = from_guest(&scene.web, "10.0.1.6", "10.0.1.5")?;
    for port in 0..limit {
        let (port, now) = (1_000 + port, millis(u64::from(port) * 10_000));
        let segment = |flags| packet::tcp(&there, (port, 22), flags, b"");
        let answer = packet::tcp(&back, (22, port), flag::SYN | flag::ACK, b"");
        carry(&mut test, &mut web, &segment(flag::SYN), now)?;
        carry(&mut web, &mut test, &answer, now)?;
        carry(&mut test, &mut web, &segment(flag::ACK), now)?;
    }
    assert_eq!(test.flow_count(), u32::from(limit));
    assert_eq!(test.counters().flows_evicted, 0);
    Ok((scene, test, web))
}

#[test]
fn a_full_table_takes_every_new_flow() -> TestResult {
    let mut scene = Scene::new()?;
    scene.test.limits.flows = Some(64);
    let mut test = scene.start(&scene.test)?;
    for (place, dst) in ["10.0.1.6", "192.0.2.1"].into_iter().enumerate() {
        let there = from_guest(&scene.test, "10.0.1.5", dst)?;
        for port in 1_000..2_000 {
            let bytes = if port % 2 == 0 {
                packet::udp(&there, (port, 5_000), b"flood")
            } else {
                packet::tcp(&there, (port, 5_000), flag::SYN, b"")
            };
            let (verdict, _) = send(&mut test, Direction::Out, &bytes, NOW)?;
            assert_eq!(verdict, Verdict::Forward, "flow {port} to {dst}");
        }
        let counters = test.counters();
        let created = 1_000 * (u64::try_from(place)? + 1);
        assert_eq!(counters.flows_created, created);
        assert_eq!(counters.flows_evicted, created - 64);
        assert_eq!(test.flow_count(), 64);
        adds_up(&counters);
    }
    Ok(())
}

#[test]
fn a_table_full_of_connections_takes_new_ones_in_place_of_the_longest_idle() -> TestResult {
    let (scene, mut test, _) = full_of_connections(256)?;
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.2.5")?;
    for port in 0..8 {
        let syn = packet::tcp(&there, (5_000 + port, 22), flag::SYN, b"");
        let (verdict, _) = send(&mut test, Direction::Out, &syn, millis(2_560_000))?;
        assert_eq!(verdict, Verdict::Forward);
    }
    let established = |flow: &FlowInfo| flow.class == FlowClass::Established;
    let mut left: Vec<_> = flows(&test)
        .filter(established)
        .map(|flow| flow.guest.local_port)
        .collect();
    left.sort_unstable();
    assert_eq!(left.len(), 248, "eight gave way");
    assert_eq!(test.counters().flows_evicted, 8);
    // Idle times are told apart by a 31st of the timeout, four minutes.
    assert!((1_024..1_256).all(|port| left.contains(&port)), "{left:?}");
    adds_up(&test.counters());
    Ok(())
}

#[test]
fn the_agents_queue_is_bounded() -> TestResult {
    let mut scene = Scene::new()?;
    scene.test.limits.punts = Some(4);
    let mut test = scene.start(&scene.test)?;
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.2")?;
    let ask = |test: &mut Port, port: u16| {
        send(
            test,
            Direction::Out,
            &packet::udp(&there, (port, 53), b"who?"),
            NOW,
        )
        .map(|(verdict, _)| verdict)
    };
    for port in 0..10 {
        let expected = if port < 4 {
            Verdict::Punt
        } else {
            Verdict::Drop(DropReason::PuntQueueFull)
        };
        assert_eq!(ask(&mut test, 1_000 + port)?, expected);
    }
    let shard = &mut test.shards_mut()[0];
    assert_eq!(shard.punts_waiting(), 4);
    let first = shard.pop_punt().ok_or("nothing waits")?;
    assert_eq!(
        first.bytes[34..36],
        1_000_u16.to_be_bytes(),
        "the oldest comes first"
    );
    assert_eq!(ask(&mut test, 2_000)?, Verdict::Punt, "there is room again");
    assert_eq!(
        test.counters()
            .dropped(Direction::Out, DropReason::PuntQueueFull),
        6
    );
    adds_up(&test.counters());
    Ok(())
}

#[test]
fn the_oldest_datagram_makes_room_for_a_new_ones_fragments() -> TestResult {
    let mut scene = Scene::new()?;
    scene.test.limits.fragments = Some(8);
    let mut test = scene.start(&scene.test)?;
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let datagram = packet::udp(&there, (4_000, 5_000), &[7; 2_000]);
    let pieces: Vec<_> = (0..20)
        .map(|id| packet::fragments(&datagram, id, 1_480))
        .collect();
    for piece in &pieces {
        let (verdict, _) = send(&mut test, Direction::Out, &piece[0], NOW)?;
        assert_eq!(verdict, Verdict::Forward);
    }
    let unknown = Verdict::Drop(DropReason::FragmentUnknown);
    for (at, piece) in pieces.iter().enumerate() {
        let expected = if at < 12 { unknown } else { Verdict::Forward };
        let (verdict, _) = send(&mut test, Direction::Out, &piece[1], NOW)?;
        assert_eq!(verdict, expected, "datagram {at}");
    }
    let late = millis(30_000);
    let (verdict, _) = send(&mut test, Direction::Out, &pieces[19][1], late)?;
    assert_eq!(verdict, unknown, "it was waited for long enough");
    assert_eq!(test.flow_count(), 1);
    adds_up(&test.counters());
    Ok(())
}
