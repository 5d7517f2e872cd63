//! Ports of the block, towards one remote end: which connection gives way, and when none does.

use std::error::Error;

use rackweave_engine::flow::FlowClass;
use rackweave_engine::{Direction, DropReason, Port, Verdict};
use rackweave_testkit::attack::flows;
use rackweave_testkit::exchange::{from_boundary, from_guest, from_outside, send, to_boundary};
use rackweave_testkit::packet::{self, Ends, flag};
use rackweave_testkit::vpc::Scene;
use rackweave_types::Instant;
use rackweave_types::state::PortBlock;

use crate::{TestResult, adds_up, millis};

const REMOTE: &str = "192.0.2.1";

/// `test` with a block of 16 ports.
struct Crowded {
    scene: Scene,
    test: Port,
    there: Ends,
    back: Ends,
}

impl Crowded {
    fn new() -> Result<Self, Box<dyn Error>> {
        let mut scene = Scene::new()?;
        scene.test.nat[0].ports = PortBlock::new(16_384, 16)?;
        Ok(Self {
            test: scene.start(&scene.test)?,
            there: from_guest(&scene.test, "10.0.1.5", REMOTE)?,
            back: from_outside(&scene.test, REMOTE, "198.51.100.1")?,
            scene,
        })
    }

    /// Sends a packet of the guest; the port that the world sees.
    fn out(&mut self, bytes: &[u8], now: Instant) -> Result<u16, Box<dyn Error>> {
        let inner = to_boundary(&mut self.test, bytes, now)?;
        Ok(u16::from_be_bytes([inner[34], inner[35]]))
    }

    fn answer(&mut self, bytes: &[u8], now: Instant) -> Result<Verdict, Box<dyn Error>> {
        let (scene, test) = (&self.scene, &mut self.test);
        Ok(from_boundary(scene, &scene.test, test, bytes, now)?.0)
    }

    fn syn(&self, port: u16) -> Vec<u8> {
        packet::tcp(&self.there, (port, 443), flag::SYN, b"")
    }

    fn connect(&mut self, port: u16, now: Instant) -> TestResult {
        let syn = self.syn(port);
        let outside = self.out(&syn, now)?;
        self.established(port, outside, now)
    }

    fn established(&mut self, port: u16, outside: u16, now: Instant) -> TestResult {
        let answer = packet::tcp(&self.back, (443, outside), flag::SYN | flag::ACK, b"");
        assert_eq!(self.answer(&answer, now)?, Verdict::Forward);
        let ack = packet::tcp(&self.there, (port, 443), flag::ACK, b"");
        assert_eq!(self.out(&ack, now)?, outside);
        Ok(())
    }

    /// Asks from a port; the port that the world sees.
    fn ask(&mut self, port: u16, now: Instant) -> Result<u16, Box<dyn Error>> {
        let question = packet::udp(&self.there, (port, 53), b"who?");
        self.out(&question, now)
    }

    fn answered(&mut self, outside: u16, now: Instant) -> Result<Verdict, Box<dyn Error>> {
        let answer = packet::udp(&self.back, (53, outside), b"me");
        self.answer(&answer, now)
    }

    /// The guest's ports of the connections of a class.
    fn of(&self, class: FlowClass) -> Vec<u16> {
        let flows = flows(&self.test).filter(|flow| flow.class == class);
        let mut ports: Vec<_> = flows.map(|flow| flow.guest.local_port).collect();
        ports.sort_unstable();
        ports
    }
}

#[test]
fn half_open_connections_give_way_and_established_ones_never() -> TestResult {
    let mut crowded = Crowded::new()?;
    for port in 1..=15 {
        crowded.connect(port, millis(1))?;
    }
    let [first, second] = [16, 17].map(|port| crowded.syn(port));
    crowded.out(&first, millis(2))?;
    let outside = crowded.out(&second, millis(3))?;
    assert_eq!(crowded.of(FlowClass::Opening), [17], "16 gave way");
    assert_eq!(crowded.test.counters().flows_evicted, 1);
    crowded.established(17, outside, millis(4))?;
    for port in [16, 18] {
        let syn = crowded.syn(port);
        let (verdict, _) = send(&mut crowded.test, Direction::Out, &syn, millis(5))?;
        assert_eq!(verdict, Verdict::Drop(DropReason::NatPortsExhausted));
    }
    assert_eq!(crowded.of(FlowClass::Established).len(), 16);

    let elsewhere = from_guest(&crowded.scene.test, "10.0.1.5", "192.0.2.2")?;
    crowded.out(
        &packet::tcp(&elsewhere, (18, 443), flag::SYN, b""),
        millis(5),
    )?;
    let other_port = packet::tcp(&crowded.there, (18, 444), flag::SYN, b"");
    crowded.out(&other_port, millis(5))?;

    let reset = packet::tcp(&crowded.there, (7, 443), flag::RST, b"");
    crowded.out(&reset, millis(6))?;
    let syn = crowded.syn(18);
    crowded.out(&syn, millis(7))?;
    assert!(
        crowded.of(FlowClass::Closing).is_empty(),
        "what had ended gave way"
    );
    adds_up(&crowded.test.counters());
    Ok(())
}

#[test]
fn questions_under_way_do_not_drive_out_one_another() -> TestResult {
    let mut crowded = Crowded::new()?;
    for port in 1..=12 {
        let now = millis(u64::from(port));
        let outside = crowded.ask(port, now)?;
        assert_eq!(crowded.answered(outside, now)?, Verdict::Forward);
    }
    let mut waiting = Vec::new();
    for port in 21..=25 {
        waiting.push(crowded.ask(port, millis(u64::from(port)))?);
    }
    assert_eq!(crowded.of(FlowClass::Opening), [21, 22, 23, 24, 25]);
    let answered: Vec<u16> = (2..=12).collect();
    assert_eq!(
        crowded.of(FlowClass::Answered),
        answered,
        "the longest idle gave way"
    );
    for outside in waiting {
        assert_eq!(crowded.answered(outside, millis(30))?, Verdict::Forward);
    }
    Ok(())
}

#[test]
fn a_flood_towards_one_remote_end_drives_out_itself() -> TestResult {
    let mut crowded = Crowded::new()?;
    for port in 1..=8 {
        let outside = crowded.ask(port, millis(1))?;
        assert_eq!(crowded.answered(outside, millis(1))?, Verdict::Forward);
    }
    for port in 100..1_100 {
        crowded.ask(port, millis(2))?;
    }
    assert_eq!(crowded.of(FlowClass::Answered), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(crowded.of(FlowClass::Opening).len(), 8);
    Ok(())
}

#[test]
fn what_nobody_answers_for_seconds_goes_first_however_few() -> TestResult {
    let mut crowded = Crowded::new()?;
    for port in 1..=13 {
        let outside = crowded.ask(port, millis(1))?;
        assert_eq!(crowded.answered(outside, millis(1))?, Verdict::Forward);
    }
    for (ports, now) in [(100..103, millis(2)), (200..203, millis(10_000))] {
        for port in ports {
            crowded.ask(port, now)?;
        }
    }
    assert_eq!(crowded.of(FlowClass::Answered).len(), 13);
    assert_eq!(crowded.of(FlowClass::Opening), [200, 201, 202]);
    Ok(())
}
