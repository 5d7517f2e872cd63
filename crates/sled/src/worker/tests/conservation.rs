//! Whatever comes, every frame that came in went somewhere.

use proptest::prelude::*;
use rackweave_engine::{Direction, Frame};
use rackweave_testkit::packet::flag;
use rackweave_testkit::random::Random;
use rackweave_testkit::talk::{Say, Talks};
use rackweave_testkit::vpc::Scene;
use rackweave_types::state::PortConfig;

use super::{accounted, datagram, two_sleds};
use crate::queue::Queue;
use crate::queue::memory::Memory;
use crate::worker::testing::{Sled, settle};

/// What a guest or the wire says next: mostly sense, now and then with broken bytes.
fn frame(random: &mut Random, talks: &Talks) -> Option<(Direction, Frame)> {
    let flags = *random.pick(&[flag::SYN, flag::ACK, flag::SYN | flag::ACK, flag::RST])?;
    let say = Say {
        talk: random.octet(0, 6),
        answer: random.one_in(3),
        flags,
        len: random.octet(0, 63),
        part: random.octet(0, 2),
        error: random.one_in(20),
    };
    let (direction, mut bytes) = talks.frame(say)?;
    if random.one_in(5) {
        let at = usize::try_from(random.between(0, 200)).unwrap();
        if let Some(octet) = bytes.get_mut(at) {
            *octet ^= random.octet(1, 255);
        }
    }
    if random.one_in(20) {
        bytes.truncate(usize::from(random.octet(0, 100)));
    }
    Some((direction, Frame::new(&bytes)))
}

/// A guest that leaves and comes back, while frames are on their way.
fn come_and_go(random: &mut Random, sled: &mut Sled, port: &PortConfig) {
    for worker in &mut sled.workers {
        if random.one_in(2) {
            if let Some(slot) = worker.remove_port(port.id) {
                worker.add_port(slot);
            }
        } else if let Some(guest) = worker.detach(port.id) {
            worker.attach(port.id, guest);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn in_is_out_and_named_drops(seed in any::<u64>(), power in 0..3_u32, one_queue in any::<bool>()) {
        let random = &mut Random::new(seed);
        let workers = 1_u16 << power;
        let queues = if one_queue { 1 } else { usize::from(workers) };
        let scene = Scene::new().unwrap();
        let (mut one, mut other) = two_sleds(&scene, workers, queues);
        // A third wire to sled 2 that anybody may write to.
        let (mut stranger, line) = Memory::line(64);
        other.workers[0].exits.wire = Some(Box::new(line));
        let ports = [&scene.test, &scene.web, &scene.db];
        let talks = ports.map(|port| Talks::new(&scene, port).unwrap());
        for _ in 0..300 {
            let at = usize::from(random.octet(0, 2));
            let sled = if at == 0 { &mut one } else { &mut other };
            if let Some((direction, frame)) = frame(random, &talks[at]) {
                match direction {
                    Direction::Out => sled.send(ports[at].id, &frame),
                    Direction::In => stranger.send(&frame),
                };
            }
            if random.one_in(4) {
                let to = ports[usize::from(random.octet(0, 2))];
                sled.send(ports[at].id, &datagram(ports[at], to, (random.port(1, 99), 80), b"x"));
            }
            if random.one_in(40) {
                come_and_go(random, sled, ports[at]);
            }
            if random.one_in(10) {
                one.turn();
            }
            if random.one_in(10) {
                other.turn();
            }
            if random.one_in(50) {
                while stranger.take().is_some() {}
                while other.punts.try_recv().is_ok() {}
            }
        }
        settle(&mut [&mut one, &mut other]);
        accounted(&one);
        accounted(&other);
        for (sled, port) in [(&one, &scene.test), (&other, &scene.web), (&other, &scene.db)] {
            for end in &sled.guests[&port.id] {
                prop_assert_eq!(end.waiting(), 0);
            }
        }
    }
}
