//! Workers move the scene's frames, without a thread.

mod conservation;

use rackweave_engine::Frame;
use rackweave_engine::frame::{Checksum, Offload, Segment, SegmentKind};
use rackweave_testkit::packet;
use rackweave_testkit::vpc::Scene;
use rackweave_types::state::PortConfig;
use tokio::sync::mpsc;

use super::testing::{LINE, Sled, datagram, ends, settle, wires};
use super::{CapturePoint, CaptureSink};
use crate::queue::{Queue, Sent};

/// `test` on sled 1, `web` and `db` on sled 2.
fn two_sleds(scene: &Scene, workers: u16, queues: usize) -> (Sled, Sled) {
    let (left, right) = wires(workers, LINE);
    let one = Sled::new(scene, 0, &[&scene.test], workers, queues, left);
    let other = Sled::new(scene, 1, &[&scene.web, &scene.db], workers, queues, right);
    (one, other)
}

fn accounted(sled: &Sled) {
    let totals = sled.totals();
    assert_eq!(totals.unaccounted(), 0, "{totals:?}");
}

/// The last octets of a frame: what was sent in it.
fn payload(frame: &Frame, len: usize) -> Vec<u8> {
    frame.bytes()[frame.len() - len..].to_vec()
}

#[test]
fn a_datagram_and_its_answer_cross_the_wire() {
    let scene = Scene::new().unwrap();
    let (mut one, mut other) = two_sleds(&scene, 1, 1);
    one.send(
        scene.test.id,
        &datagram(&scene.test, &scene.db, (1000, 2000), b"ping"),
    );
    settle(&mut [&mut one, &mut other]);
    let arrived = other.received(scene.db.id);
    assert_eq!(arrived.len(), 1);
    assert_eq!(payload(&arrived[0], 4), b"ping");
    other.send(
        scene.db.id,
        &datagram(&scene.db, &scene.test, (2000, 1000), b"pong"),
    );
    settle(&mut [&mut one, &mut other]);
    let answers = one.received(scene.test.id);
    assert_eq!(answers.len(), 1);
    assert_eq!(payload(&answers[0], 4), b"pong");
    for sled in [&one, &other] {
        accounted(sled);
        let totals = sled.totals();
        assert_eq!((totals.wire_in.frames, totals.wire_out.frames), (1, 1));
        assert_eq!((totals.guest_in.frames, totals.guest_out.frames), (1, 1));
    }
}

/// A train of ten datagrams that is still to be cut and summed.
fn train(from: &PortConfig, to: &PortConfig) -> Frame {
    let mut frame = datagram(from, to, (1000, 2000), &[7; 10_000]);
    frame.offload = Offload {
        checksum: Checksum::Partial {
            start: 34,
            offset: 6,
        },
        segment: Some(Segment {
            kind: SegmentKind::Udp,
            size: 1000,
        }),
    };
    frame
}

#[test]
fn neighbours_pass_large_frames_uncut_and_past_the_wire() {
    let scene = Scene::new().unwrap();
    let (mut one, mut other) = two_sleds(&scene, 1, 1);
    other.send(scene.web.id, &train(&scene.web, &scene.db));
    settle(&mut [&mut one, &mut other]);
    let arrived = other.received(scene.db.id);
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0].len(), 14 + 20 + 8 + 10_000);
    assert_eq!(arrived[0].offload, train(&scene.web, &scene.db).offload);
    accounted(&other);
    let totals = other.totals();
    assert_eq!((totals.local.frames, totals.wire_out.frames), (1, 0));
}

#[test]
fn the_engines_answers_go_back_to_the_guest() {
    let scene = Scene::new().unwrap();
    let (mut one, mut other) = two_sleds(&scene, 1, 1);
    let [own, gateway] = ["10.0.1.5", "10.0.1.1"].map(|text| text.parse().unwrap());
    let request = packet::arp_request(scene.test.mac, own, gateway);
    one.send(scene.test.id, &Frame::new(&request));
    settle(&mut [&mut one, &mut other]);
    let answers = one.received(scene.test.id);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].bytes()[..6], scene.test.mac.octets());
    accounted(&one);
}

#[test]
fn the_agent_gets_its_packets_and_a_full_channel_drops() {
    let scene = Scene::new().unwrap();
    let (mut one, mut other) = two_sleds(&scene, 1, 1);
    let mut ends = ends(&scene.test, &scene.web);
    ends.dst = "10.0.1.2".parse().unwrap();
    let query = Frame::new(&packet::udp(&ends, (4000, 53), b"who"));
    for _ in 0..20 {
        one.send(scene.test.id, &query);
        settle(&mut [&mut one, &mut other]);
    }
    let first = one.punts.try_recv().unwrap();
    assert_eq!(
        (first.port, first.queue),
        (scene.test.id, rackweave_vpc::punt::DNS)
    );
    assert_eq!(&*first.frame, query.bytes());
    let totals = one.totals();
    assert_eq!((totals.punted, totals.drops.punt_channel_full), (16, 4));
    accounted(&one);
}

#[test]
fn injected_frames_reach_the_guest_as_they_are() {
    let scene = Scene::new().unwrap();
    // One queue for two workers: the second one passes its frames on.
    let (mut one, mut other) = two_sleds(&scene, 2, 1);
    one.workers[1].inject(scene.test.id, &[b"an answer of the agent".to_vec().into()]);
    settle(&mut [&mut one, &mut other]);
    let got = one.received(scene.test.id);
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].bytes(), b"an answer of the agent");
    accounted(&one);
}

#[test]
fn hand_over_keeps_the_order_of_each_flow() {
    const FLOWS: u16 = 16;
    const EACH: u16 = 40;
    let scene = Scene::new().unwrap();
    for workers in [1, 2, 4] {
        for queues in [1, usize::from(workers)] {
            let (mut one, mut other) = two_sleds(&scene, workers, queues);
            for number in 0..EACH {
                for flow in 0..FLOWS {
                    let ports = (1000 + flow, 2000);
                    let frame = datagram(&scene.test, &scene.db, ports, &number.to_be_bytes());
                    assert_eq!(one.send(scene.test.id, &frame), Sent::Taken);
                }
            }
            settle(&mut [&mut one, &mut other]);
            let mut next = [0; FLOWS as usize];
            let ends = &other.guests[&scene.db.id];
            for frame in ends
                .iter()
                .flat_map(|end| std::iter::from_fn(|| end.take()))
            {
                let [port, number] = [34, frame.len() - 2]
                    .map(|at| u16::from_be_bytes([frame.bytes()[at], frame.bytes()[at + 1]]));
                let expected = &mut next[usize::from(port - 1000)];
                assert_eq!(number, *expected, "{workers} workers, {queues} queues");
                *expected += 1;
            }
            assert_eq!(next, [EACH; FLOWS as usize]);
            assert_eq!(one.totals().handed_out > 0, workers > 1);
            accounted(&one);
            accounted(&other);
        }
    }
}

#[test]
fn a_flooding_guest_leaves_the_others_their_turn() {
    let scene = Scene::new().unwrap();
    let (mut one, mut other) = two_sleds(&scene, 1, 1);
    for (port, frames) in [(&scene.web, LINE), (&scene.db, 256)] {
        let frame = datagram(port, &scene.test, (1000, 2000), b"x");
        for _ in 0..frames {
            other.send(port.id, &frame);
        }
    }
    for _ in 0..2 {
        other.turn();
    }
    let waiting = |port: &PortConfig| other.guests[&port.id][0].waiting();
    assert_eq!(waiting(&scene.db), 256 - 128);
    assert_eq!(waiting(&scene.web), LINE - 128);
    settle(&mut [&mut one, &mut other]);
    accounted(&other);
}

#[test]
fn large_frames_count_by_their_octets() {
    let scene = Scene::new().unwrap();
    let (_one, mut other) = two_sleds(&scene, 1, 1);
    let mut large = datagram(&scene.web, &scene.test, (1000, 2000), &vec![0; 60_000]);
    large.offload = train(&scene.web, &scene.test).offload;
    for _ in 0..300 {
        other.send(scene.web.id, &large);
    }
    let taken_after = |other: &mut Sled| {
        let before = other.guests[&scene.web.id][0].waiting();
        other.turn();
        before - other.guests[&scene.web.id][0].waiting()
    };
    // How long frames are is not known in the first round.
    let _first = taken_after(&mut other);
    assert!((4..=5).contains(&taken_after(&mut other)));
}

#[test]
fn a_guest_that_takes_nothing_only_counts() {
    let scene = Scene::new().unwrap();
    let (mut one, mut other) = two_sleds(&scene, 1, 1);
    let (to_db, to_web) = (
        datagram(&scene.test, &scene.db, (1000, 2000), b"x"),
        datagram(&scene.test, &scene.web, (1000, 2000), b"x"),
    );
    for _ in 0..LINE + 10 {
        one.send(scene.test.id, &to_db);
        settle(&mut [&mut one, &mut other]);
    }
    one.send(scene.test.id, &to_web);
    settle(&mut [&mut one, &mut other]);
    let totals = other.totals();
    assert_eq!(totals.drops.guest_full, 10);
    assert_eq!(other.workers[0].status().guest_losses.full, 10);
    assert_eq!(other.received(scene.web.id).len(), 1);
    accounted(&other);
}

#[test]
fn frames_for_nobody_here_are_named() {
    let scene = Scene::new().unwrap();
    let (mut line, wire) = crate::queue::memory::Memory::line(LINE);
    let mut sled = Sled::new(&scene, 1, &[&scene.web], 1, 1, vec![Box::new(wire)]);
    let [from, to] = [0, 1].map(|at| scene.sleds[at].sled.tunnel_endpoint());
    let inner = packet::udp(&ends(&scene.test, &scene.web), (1, 2), b"x");
    for (src, dst) in [(from, to), (to, from)] {
        // The inner frame is for the gateway, whose Ethernet address no port has.
        line.send(&Frame::new(&packet::geneve(
            src,
            dst,
            scene.vpc.vni,
            &[],
            &inner,
        )));
    }
    let mut not_geneve = packet::geneve(from, to, scene.vpc.vni, &[], &inner);
    not_geneve[20] = 6;
    line.send(&Frame::new(&not_geneve));
    settle(&mut [&mut sled]);
    let drops = sled.totals().drops;
    assert_eq!(
        (
            drops.no_such_port,
            drops.wrong_outer_destination,
            drops.bad_tunnel
        ),
        (1, 1, 1)
    );
    accounted(&sled);
}

#[test]
fn ports_come_and_go_with_their_queues() {
    let scene = Scene::new().unwrap();
    let (mut one, mut other) = two_sleds(&scene, 1, 1);
    let worker = &mut other.workers[0];
    assert_eq!(worker.port_ids(), [scene.web.id, scene.db.id]);
    let guest = worker.detach(scene.db.id).unwrap();
    let frame = datagram(&scene.test, &scene.db, (1000, 2000), b"x");
    one.send(scene.test.id, &frame);
    settle(&mut [&mut one, &mut other]);
    assert_eq!(other.totals().drops.guest_absent, 1);
    other.workers[0].attach(scene.db.id, guest);
    one.send(scene.test.id, &frame);
    settle(&mut [&mut one, &mut other]);
    assert_eq!(other.received(scene.db.id).len(), 1);
    let slot = other.workers[0].remove_port(scene.db.id).unwrap();
    assert!(slot.guest.is_some());
    assert_eq!(slot.shard.flow_count(), 1);
    one.send(scene.test.id, &frame);
    settle(&mut [&mut one, &mut other]);
    assert_eq!(other.totals().drops.no_such_port, 1);
    accounted(&other);
}

#[test]
fn a_capture_sees_both_sides_of_the_engine() {
    let scene = Scene::new().unwrap();
    let (mut one, mut other) = two_sleds(&scene, 1, 1);
    let (give, mut take) = mpsc::channel(3);
    one.workers[0].set_capture(scene.test.id, Some(CaptureSink::new(give)));
    let frame = datagram(&scene.test, &scene.db, (1000, 2000), b"ping");
    one.send(scene.test.id, &frame);
    settle(&mut [&mut one, &mut other]);
    let seen = [take.try_recv().unwrap(), take.try_recv().unwrap()];
    assert_eq!(seen[0].point, CapturePoint::GuestOut);
    assert_eq!(seen[0].verdict.as_deref(), Some("forward"));
    assert_eq!(&*seen[0].bytes, frame.bytes());
    assert_eq!(seen[1].point, CapturePoint::WireOut);
    assert!(seen[1].bytes.len() > frame.len());
    for _ in 0..2 {
        one.send(scene.test.id, &frame);
    }
    settle(&mut [&mut one, &mut other]);
    assert_eq!(one.totals().capture_lost, 1);
    drop(take);
    one.send(scene.test.id, &frame);
    settle(&mut [&mut one, &mut other]);
    assert_eq!(other.received(scene.db.id).len(), 4);
    accounted(&one);
}
