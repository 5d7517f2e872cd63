//! A port that several workers serve: the same verdicts, and nothing lost between them.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use rackweave_engine::{Direction, DropReason, Frame, HandOver, Port, Shard, Verdict};
use rackweave_testkit::exchange::{forwarded, from_boundary, from_guest, from_outside, send};
use rackweave_testkit::packet::{self, Ends, flag};
use rackweave_testkit::vpc::{SECRET, Scene};
use rackweave_types::state::PortConfig;
use rackweave_types::{BytesPerSecond, Instant};

type TestResult = Result<(), Box<dyn Error>>;

const NOW: Instant = Instant::START;
const FIRST_PORT: u16 = 16_384;

/// A port of the scene with so many shards.
fn start(scene: &Scene, config: &PortConfig, shards: u16) -> Result<Port, Box<dyn Error>> {
    let limits = scene.program(config)?.limits;
    Ok(Port::new(shards, SECRET, limits, &scene.compile(config)?)?)
}

/// `test` and what happened to it.
struct Script<'s> {
    scene: &'s Scene,
    test: Port,
    verdicts: Vec<Verdict>,
}

impl Script<'_> {
    fn out(&mut self, bytes: &[u8]) -> Result<Frame, Box<dyn Error>> {
        let (verdict, frame) = send(&mut self.test, Direction::Out, bytes, NOW)?;
        self.verdicts.push(verdict);
        Ok(frame)
    }

    /// Something from the world outside.
    fn inbound(&mut self, inner: &[u8]) -> Result<Frame, Box<dyn Error>> {
        let (scene, test) = (self.scene, &mut self.test);
        let (verdict, frame) = from_boundary(scene, &scene.test, test, inner, NOW)?;
        self.verdicts.push(verdict);
        Ok(frame)
    }

    /// Everything that the scene's `test` does.
    fn run(&mut self) -> TestResult {
        for n in 0..64_u16 {
            self.services(n)?;
            self.inside(n)?;
            let remote = Ipv4Addr::new(192, 0, 2, u8::try_from(n)?).to_string();
            for inside in [
                ("10.0.1.5", remote.as_str(), "198.51.100.1"),
                v6(&format!("2001:db8:9::{n:x}")),
            ] {
                self.outside(n, inside)?;
            }
            self.fragments(n)?;
        }
        Ok(())
    }

    fn services(&mut self, n: u16) -> TestResult {
        let (scene, mac) = (self.scene, self.scene.test.mac);
        self.out(&packet::arp_request(
            mac,
            [10, 0, 1, 5].into(),
            [10, 0, 1, 1].into(),
        ))?;
        let gateway = from_guest(&scene.test, "10.0.1.5", "10.0.1.1")?;
        self.out(&packet::echo(&gateway, true, n, 1, b"ping"))?;
        let dns = from_guest(&scene.test, "10.0.1.5", "10.0.1.2")?;
        self.out(&packet::udp(&dns, (2_000 + n, 53), b"who?"))?;
        let forged = from_guest(&scene.test, "10.0.1.77", "10.0.1.6")?;
        self.out(&packet::udp(&forged, (2_000 + n, 53), b"not me"))?;
        let tagged = packet::FrameBuilder::udp("10.0.1.5:1", "10.0.1.6:2")
            .vlan(n)
            .build();
        self.out(&tagged)?;
        Ok(())
    }

    /// TCP to `web` and back, and an answer that comes without a question.
    fn inside(&mut self, n: u16) -> TestResult {
        let scene = self.scene;
        let mut web = scene.start(&scene.web)?;
        let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
        let back = from_guest(&scene.web, "10.0.1.6", "10.0.1.5")?;
        for (flags, answer) in [(flag::SYN, flag::SYN | flag::ACK), (flag::ACK, flag::ACK)] {
            let frame = self.out(&packet::tcp(&there, (2_000 + n, 22), flags, b""))?;
            forwarded(send(&mut web, Direction::In, frame.bytes(), NOW)?)?;
            let answer = packet::tcp(&back, (22, 2_000 + n), answer, b"");
            let frame = forwarded(send(&mut web, Direction::Out, &answer, NOW)?)?;
            let (verdict, _) = send(&mut self.test, Direction::In, frame.bytes(), NOW)?;
            self.verdicts.push(verdict);
        }
        let stray = packet::udp(&back, (9, n), b"stray");
        let frame = forwarded(send(&mut web, Direction::Out, &stray, NOW)?)?;
        let (verdict, _) = send(&mut self.test, Direction::In, frame.bytes(), NOW)?;
        self.verdicts.push(verdict);
        Ok(())
    }

    /// Through source translation: questions and answers, pings, and errors about them.
    fn outside(&mut self, n: u16, (inside, remote, outside): (&str, &str, &str)) -> TestResult {
        let scene = self.scene;
        let there = from_guest(&scene.test, inside, remote)?;
        let back = from_outside(&scene.test, remote, outside)?;
        let at = if there.src.is_ipv4() { 34 } else { 54 };
        let frame = self.out(&packet::udp(&there, (2_000 + n, 53), b"who?"))?;
        let sent = frame.bytes()[70..].to_vec();
        let port = u16::from_be_bytes([sent[at], sent[at + 1]]);
        let got = self.inbound(&packet::udp(&back, (53, port), b"me"))?;
        assert_eq!(got.bytes()[at + 2..at + 4], (2_000 + n).to_be_bytes());
        self.inbound(&packet::udp(&back, (54, port), b"not me"))?;
        let (kind, code) = if there.src.is_ipv4() { (3, 3) } else { (1, 4) };
        let got = self.inbound(&packet::icmp(&back, kind, code, [0; 4], &sent[14..]))?;
        let embedded = at + 8 + at - 14;
        assert_eq!(
            got.bytes()[embedded..embedded + 2],
            (2_000 + n).to_be_bytes()
        );
        let frame = self.out(&packet::echo(&there, true, n, 1, b"ping"))?;
        let id = u16::from_be_bytes([frame.bytes()[70 + at + 4], frame.bytes()[70 + at + 5]]);
        let got = self.inbound(&packet::echo(&back, false, id, 1, b"ping"))?;
        assert_eq!(got.bytes()[at + 4..at + 6], n.to_be_bytes());
        Ok(())
    }

    /// Datagrams in fragments, out and back, each in order and then a late one.
    fn fragments(&mut self, n: u16) -> TestResult {
        let scene = self.scene;
        let there = from_guest(&scene.test, "10.0.1.5", "192.0.2.99")?;
        let question = packet::udp(&there, (4_000 + n, 5_000), &[7; 4_000]);
        let mut sent = Vec::new();
        for piece in packet::fragments(&question, n, 1_480) {
            sent.push(self.out(&piece)?.bytes()[70..].to_vec());
        }
        let port = u16::from_be_bytes([sent[0][34], sent[0][35]]);
        let back = from_outside(&scene.test, "192.0.2.99", "198.51.100.1")?;
        let answer = packet::udp(&back, (5_000, port), &[8; 4_000]);
        for piece in packet::fragments(&answer, n, 1_480) {
            let got = self.inbound(&piece)?;
            assert_eq!(got.bytes()[30..34], [10, 0, 1, 5]);
        }
        let late = packet::fragments(&question, 1_000 + n, 1_480).swap_remove(1);
        self.out(&late)?;
        Ok(())
    }
}

/// The ends of a talk of `test` over IPv6: its address, the other end's, and what that one sees.
fn v6(remote: &str) -> (&str, &str, &str) {
    ("fd12:3456:789a:1:72:77ff:fe00:1", remote, "2001:db8:1::1")
}

#[test]
fn one_shard_and_four_give_the_same_verdicts() -> TestResult {
    let scene = Scene::new()?;
    let mut runs = Vec::new();
    for shards in [1, 4] {
        let test = start(&scene, &scene.test, shards)?;
        let mut script = Script {
            scene: &scene,
            test,
            verdicts: Vec::new(),
        };
        script.run()?;
        runs.push(script);
    }
    let [one, four] = &runs[..] else {
        return Err("two runs".into());
    };
    for (at, pair) in one.verdicts.iter().zip(&four.verdicts).enumerate() {
        assert_eq!(pair.0, pair.1, "packet {at}");
    }
    let dropped = |script: &Script<'_>, direction| {
        let counters = script.test.counters();
        DropReason::ALL
            .iter()
            .map(|reason| counters.dropped(direction, *reason))
            .collect::<Vec<_>>()
    };
    for direction in [Direction::Out, Direction::In] {
        assert_eq!(
            dropped(one, direction),
            dropped(four, direction),
            "{direction:?}"
        );
    }
    assert_eq!(one.test.flow_count(), four.test.flow_count());
    assert_eq!(
        one.test.counters().forwarded,
        four.test.counters().forwarded
    );
    let used = four
        .test
        .shards()
        .iter()
        .filter(|shard| shard.flow_count() > 0);
    assert_eq!(used.count(), 4, "every shard has connections");
    assert!(
        four.test.counters().handed_over[1] > 0,
        "fragments go by their datagram first"
    );
    Ok(())
}

#[test]
fn the_port_of_a_translated_connection_names_its_shard() -> TestResult {
    let scene = Scene::new()?;
    let test = start(&scene, &scene.test, 4)?;
    let mut script = Script {
        scene: &scene,
        test,
        verdicts: Vec::new(),
    };
    script.run()?;
    let outside: IpAddr = "198.51.100.1".parse()?;
    for (at, shard) in (0_u16..).zip(script.test.shards()) {
        let (flows, _) = shard.flows(0, u32::MAX);
        let translated = flows
            .iter()
            .filter(|flow| flow.wire.local == outside.into());
        let ports: Vec<_> = translated
            .map(|flow| (flow.wire.local_port - FIRST_PORT) / 256)
            .collect();
        assert!(!ports.is_empty(), "shard {at} has some");
        assert!(
            ports.iter().all(|share| *share == at),
            "shard {at}: {ports:?}"
        );
    }
    Ok(())
}

#[test]
fn a_fragment_on_the_wrong_worker_is_handed_over_twice() -> TestResult {
    let scene = Scene::new()?;
    let mut hops = [0; 3];
    for n in 0..64 {
        let there = from_guest(&scene.test, "10.0.1.5", &format!("192.0.2.{n}"))?;
        let datagram = packet::udp(&there, (4_000 + n, 5_000), &[7; 4_000]);
        let mut port = start(&scene, &scene.test, 4)?;
        for piece in packet::fragments(&datagram, n, 1_480) {
            let mut frame = Frame::new(&piece);
            // Whichever worker gets it, its flow's shard has it in the end.
            let shards = port.shards_mut();
            let mut verdict = shards[0].process(Direction::Out, &mut frame, NOW);
            let mut count = 0;
            while let Verdict::HandOver(to) = verdict {
                count += 1;
                let shard = shards
                    .get_mut(usize::from(to.shard))
                    .ok_or("no such shard")?;
                verdict = shard.process_handed_over(Direction::Out, to, &mut frame, NOW);
            }
            assert_eq!(verdict, Verdict::Forward);
            hops[count] += 1;
        }
        assert_eq!(port.flow_count(), 1, "all belong to one connection");
        let whole = packet::udp(&there, (4_000 + n, 5_000), b"whole");
        let owner = port.shards()[0].owner(Direction::Out, &Frame::new(&whole));
        let owner = usize::from(owner.map_err(DropReason::name)?);
        assert_eq!(
            port.shards()[owner].flow_count(),
            1,
            "which is where its whole packets go"
        );
    }
    assert!(hops.iter().all(|count| *count > 0), "{hops:?}");
    Ok(())
}

#[test]
fn a_large_frame_passes_the_cap_of_a_port_of_four_shards() -> TestResult {
    let mut scene = Scene::new()?;
    scene.test.caps.outbound.bytes = Some(BytesPerSecond::new(100_000));
    let mut test = start(&scene, &scene.test, 4)?;
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let mut frame = Frame::new(&packet::tcp(
        &there,
        (1_000, 22),
        flag::ACK,
        &vec![0; 60_000],
    ));
    frame.offload.checksum = rackweave_engine::frame::Checksum::Partial {
        start: 34,
        offset: 16,
    };
    let kind = rackweave_engine::frame::SegmentKind::Tcp;
    frame.offload.segment = Some(rackweave_engine::frame::Segment { kind, size: 1_400 });
    assert_eq!(
        test.process(Direction::Out, &mut frame.clone(), NOW),
        Verdict::Forward
    );
    let metered = Verdict::Drop(DropReason::Metered);
    assert_eq!(test.process(Direction::Out, &mut frame, NOW), metered);
    Ok(())
}

/// A packet on its way between two workers.
struct Handed {
    to: HandOver,
    frame: Frame,
}

/// One of two workers, with the rings between them.
struct Worker<'t> {
    shard: Shard,
    input: Vec<Vec<u8>>,
    ring: Receiver<Handed>,
    other: SyncSender<Handed>,
    /// Packets that have left, of both workers.
    done: &'t AtomicUsize,
    total: usize,
    forwarded: usize,
}

impl Worker<'_> {
    /// Processes what the other worker hands over, and its own input, until all packets have left.
    fn run(mut self) -> Self {
        let mut input = std::mem::take(&mut self.input).into_iter();
        while self.done.load(Ordering::Acquire) < self.total {
            let handed = self.take_handed();
            if let Some(bytes) = input.next() {
                let mut frame = Frame::new(&bytes);
                let verdict = self.shard.process(Direction::Out, &mut frame, NOW);
                self.leave(verdict, frame);
            } else if !handed {
                thread::yield_now();
            }
        }
        self
    }

    /// Processes a packet that was handed over, if there is one.
    fn take_handed(&mut self) -> bool {
        let Ok(Handed { to, mut frame }) = self.ring.try_recv() else {
            return false;
        };
        let verdict = self
            .shard
            .process_handed_over(Direction::Out, to, &mut frame, NOW);
        self.leave(verdict, frame);
        true
    }

    /// Hands a packet over, or counts it. While the ring is full, there is room for nothing else
    /// than what comes from the other side.
    fn leave(&mut self, verdict: Verdict, frame: Frame) {
        let Verdict::HandOver(to) = verdict else {
            self.forwarded += usize::from(verdict == Verdict::Forward);
            self.done.fetch_add(1, Ordering::Release);
            return;
        };
        let mut handed = Handed { to, frame };
        while let Err(TrySendError::Full(back)) = self.other.try_send(handed) {
            handed = back;
            if !self.take_handed() {
                thread::yield_now();
            }
        }
    }
}

/// Packets of all kinds that a shard may have to hand over; those of a datagram together.
fn burst(there: &Ends, outside: &Ends, n: u16) -> Vec<Vec<u8>> {
    match n % 4 {
        0 => vec![packet::udp(there, (n, 5_000), b"inside")],
        1 => vec![packet::udp(outside, (n, 5_000), b"outside")],
        2 => vec![packet::tcp(there, (n, 5_000), flag::SYN, b"")],
        _ => packet::fragments(&packet::udp(outside, (n, 5_000), &[1; 4_000]), n, 1_480),
    }
}

#[test]
fn two_threads_hand_packets_over_and_lose_none() -> TestResult {
    let scene = Scene::new()?;
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let outside = from_guest(&scene.test, "10.0.1.5", "192.0.2.1")?;
    let mut inputs = [Vec::new(), Vec::new()];
    for n in 0..1_000_u16 {
        // Every other packet is on the worker that it happens to be on.
        let outside = Ends {
            dst: [192, 0, 2, n.to_be_bytes()[1]].into(),
            ..outside
        };
        inputs[usize::from(n / 4 % 2)].extend(burst(&there, &outside, n));
    }
    let total: usize = inputs.iter().map(Vec::len).sum();
    let done = AtomicUsize::new(0);
    let shards = start(&scene, &scene.test, 2)?.into_shards();
    let (to_first, first) = sync_channel(4);
    let (to_second, second) = sync_channel(4);
    let rings = [(first, to_second), (second, to_first)];
    let workers =
        shards
            .into_iter()
            .zip(inputs)
            .zip(rings)
            .map(|((shard, input), (ring, other))| Worker {
                shard,
                input,
                ring,
                other,
                done: &done,
                total,
                forwarded: 0,
            });
    let workers: Vec<_> = workers.collect();
    let workers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = workers
            .into_iter()
            .map(|worker| scope.spawn(|| worker.run()))
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    assert_eq!(workers.len(), 2, "both ended well");
    let forwarded: usize = workers.iter().map(|worker| worker.forwarded).sum();
    assert_eq!(forwarded, total, "every packet left");
    let flows: u32 = workers.iter().map(|worker| worker.shard.flow_count()).sum();
    assert_eq!(flows, 1_000);
    let handed: u64 = workers
        .iter()
        .map(|worker| worker.shard.counters().handed_over[0])
        .sum();
    let received: u64 = workers
        .iter()
        .map(|worker| worker.shard.counters().received[0])
        .sum();
    assert!(handed > 0);
    assert_eq!(received, u64::try_from(total)? + handed);
    Ok(())
}
