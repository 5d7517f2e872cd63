//! What a change of configuration does to connections that are there.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rackweave_engine::{Direction, DropReason, Existing, Port, Verdict};
use rackweave_testkit::exchange::{carry, forwarded, from_guest, send};
use rackweave_testkit::packet::{self, Ends, flag};
use rackweave_testkit::vpc::Scene;
use rackweave_types::Instant;
use rackweave_types::state::RuleSetId;
use rackweave_vpc::{mapping_changes, mapping_table};

type TestResult = Result<(), Box<dyn Error>>;

/// `test` and `web`, with an SSH connection from one to the other.
struct Connected {
    scene: Scene,
    test: Port,
    web: Port,
    there: Ends,
    back: Ends,
}

fn connected() -> Result<Connected, Box<dyn Error>> {
    let scene = Scene::new()?;
    let (test, web) = (scene.start(&scene.test)?, scene.start(&scene.web)?);
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let back = from_guest(&scene.web, "10.0.1.6", "10.0.1.5")?;
    let mut connected = Connected {
        scene,
        test,
        web,
        there,
        back,
    };
    connected.there(40_000, flag::SYN)?;
    connected.back(40_000, flag::SYN | flag::ACK)?;
    connected.there(40_000, flag::ACK)?;
    Ok(connected)
}

impl Connected {
    fn there(&mut self, port: u16, flags: u8) -> Result<Vec<u8>, String> {
        let bytes = packet::tcp(&self.there, (port, 22), flags, b"there");
        carry(&mut self.test, &mut self.web, &bytes, Instant::START)
    }

    fn back(&mut self, port: u16, flags: u8) -> Result<Vec<u8>, String> {
        let bytes = packet::tcp(&self.back, (22, port), flags, b"back");
        carry(&mut self.web, &mut self.test, &bytes, Instant::START)
    }

    /// Takes all rules away from `web`: nothing may begin any more.
    fn forbid(&mut self, existing: Existing) -> TestResult {
        self.scene.web.rule_sets = vec![RuleSetId::new(2)];
        let program = self.scene.compile(&self.scene.web)?;
        self.web.install(&program, existing);
        Ok(())
    }
}

#[test]
fn a_kept_connection_goes_on_and_a_new_one_does_not_begin() -> TestResult {
    for answer_first in [false, true] {
        let mut connected = connected()?;
        connected.forbid(Existing::Keep)?;
        if answer_first {
            connected.back(40_000, flag::ACK)?;
        }
        connected.there(40_000, flag::ACK)?;
        connected.back(40_000, flag::ACK)?;
        assert!(
            connected.there(40_001, flag::SYN).is_err(),
            "a new connection is refused"
        );
        let (flows, _) = connected.web.shards()[0].flows(0, 1_000);
        assert_eq!(flows.len(), 1);
        assert!(flows[0].kept, "it is there although the rules forbid it");
    }
    Ok(())
}

#[test]
fn a_cut_connection_ends_with_its_next_packet_of_either_direction() -> TestResult {
    for answer_first in [false, true] {
        let mut connected = connected()?;
        connected.forbid(Existing::Cut)?;
        if answer_first {
            assert!(
                connected.back(40_000, flag::ACK).is_err(),
                "the answer is refused"
            );
        } else {
            assert!(
                connected.there(40_000, flag::ACK).is_err(),
                "the packet is refused"
            );
        }
        assert_eq!(connected.web.flow_count(), 0);
        assert_eq!(connected.web.counters().flows_cut, 1);
    }
    Ok(())
}

#[test]
fn a_change_that_forbids_nothing_cuts_nothing() -> TestResult {
    let mut connected = connected()?;
    let program = connected.scene.compile(&connected.scene.web)?;
    connected.web.install(&program, Existing::Cut);
    connected.back(40_000, flag::ACK)?;
    connected.there(40_000, flag::ACK)?;
    assert_eq!(connected.web.counters().flows_cut, 0);
    assert_eq!(connected.web.flow_count(), 1);
    Ok(())
}

#[test]
fn a_connection_that_was_kept_is_cut_by_a_later_change_that_asks_for_it() -> TestResult {
    let mut connected = connected()?;
    connected.forbid(Existing::Keep)?;
    connected.there(40_000, flag::ACK)?;
    connected.forbid(Existing::Cut)?;
    assert!(connected.there(40_000, flag::ACK).is_err());
    Ok(())
}

/// `web` moves to sled 1: `test` sends there at once; what still comes from sled 2 counts for five seconds.
#[test]
fn a_moved_guest_is_reached_at_once_and_its_old_host_counts_for_a_while() -> TestResult {
    let mut connected = connected()?;
    let now = Instant::START.after(Duration::from_secs(10));
    let mut moved = connected.scene.mappings.clone();
    let sled = connected.scene.sleds[0].sled;
    for entry in moved
        .entries
        .iter_mut()
        .filter(|entry| entry.mac == connected.scene.web.mac)
    {
        entry.sled = sled;
    }
    let changes = mapping_changes(
        &connected.scene.mappings,
        &moved,
        now,
        Duration::from_secs(5),
    );
    let table = Arc::new(mapping_table(&connected.scene.mappings).with(&changes));
    let program = connected
        .scene
        .compile(&connected.scene.test)?
        .with_table(0, table)?;
    connected.test.install(&Arc::new(program), Existing::Keep);

    let sent = packet::tcp(&connected.there, (40_000, 22), flag::ACK, b"there");
    let out = forwarded(send(&mut connected.test, Direction::Out, &sent, now)?)?;
    assert_eq!(
        out.bytes()[38..54],
        sled.tunnel_endpoint().octets(),
        "to the new host"
    );

    let answer = packet::tcp(&connected.back, (22, 40_000), flag::ACK, b"back");
    let late = forwarded(send(&mut connected.web, Direction::Out, &answer, now)?)?;
    let (verdict, _) = send(&mut connected.test, Direction::In, late.bytes(), now)?;
    assert_eq!(verdict, Verdict::Forward, "from the old host, soon after");
    assert_eq!(connected.test.counters().from_previous_host, 1);

    let mut fresh = late.bytes().to_vec();
    fresh[22..38].copy_from_slice(&sled.tunnel_endpoint().octets());
    let (verdict, _) = send(&mut connected.test, Direction::In, &fresh, now)?;
    assert_eq!(verdict, Verdict::Forward, "from the new host");
    assert_eq!(connected.test.counters().from_previous_host, 1);

    let after = now.after(Duration::from_secs(5));
    let (verdict, _) = send(&mut connected.test, Direction::In, late.bytes(), after)?;
    assert_eq!(
        verdict,
        Verdict::Drop(DropReason::SourceMismatch),
        "the move has ended"
    );
    let (verdict, _) = send(&mut connected.test, Direction::In, &fresh, after)?;
    assert_eq!(verdict, Verdict::Forward);
    Ok(())
}

#[test]
fn source_translation_keeps_its_port_over_a_change() -> TestResult {
    let scene = Scene::new()?;
    let mut test = scene.start(&scene.test)?;
    let there = from_guest(&scene.test, "10.0.1.5", "192.0.2.1")?;
    let sent = packet::udp(&there, (5_000, 53), b"query");
    let before = forwarded(send(&mut test, Direction::Out, &sent, Instant::START)?)?;
    test.install(&scene.compile(&scene.test)?, Existing::Cut);
    let after = forwarded(send(&mut test, Direction::Out, &sent, Instant::START)?)?;
    assert_eq!(before.bytes(), after.bytes());
    assert_eq!(test.flow_count(), 1);
    Ok(())
}
