//! What a recovered port does about connections it does not know.

use std::error::Error;
use std::time::Duration;

use rackweave_engine::flow::TcpState;
use rackweave_engine::{Direction, DropReason, Port, Verdict};
use rackweave_testkit::exchange::{from_boundary, from_guest, from_outside, send};
use rackweave_testkit::packet::{self, Ends, flag};
use rackweave_testkit::vpc::{SECRET, Scene};
use rackweave_types::state::{
    Filters, FirewallAction, FirewallRule, FirewallRuleId, PortConfig, RuleSet, RuleSetId,
};
use rackweave_types::{Direction as Way, Generation, Instant, PortRange};

type Fault = Box<dyn Error>;

const REMOTE: &str = "192.0.2.80";
const SYN_ACK: u8 = flag::SYN | flag::ACK;

/// A port of a scene, and the packets of its conversations with one host outside.
struct Side {
    scene: Scene,
    config: PortConfig,
    port: Port,
    there: Ends,
    back: Ends,
    now: Instant,
}

impl Side {
    /// `test`, whose source is translated to ports of a block.
    fn translated() -> Result<Self, Fault> {
        let scene = Scene::new()?;
        let config = scene.test.clone();
        Self::new(scene, config, "10.0.1.5", "198.51.100.1")
    }

    /// `web`, which has an external address of its own. Segments from outside to port 25 and of the guest to port 25
    /// are rejected.
    fn floating() -> Result<Self, Fault> {
        let mut scene = Scene::new()?;
        let rejects = |id, direction| FirewallRule {
            id: FirewallRuleId::new(id),
            priority: 1,
            direction,
            action: FirewallAction::Reject,
            filters: Filters {
                ports: vec![PortRange::single(25)],
                ..Filters::default()
            },
        };
        scene.vpc.rule_sets.push(RuleSet {
            id: RuleSetId::new(3),
            generation: Generation::ZERO,
            rules: vec![rejects(31, Way::In), rejects(32, Way::Out)],
        });
        scene.web.rule_sets.push(RuleSetId::new(3));
        let config = scene.web.clone();
        Self::new(scene, config, "10.0.1.6", "203.0.113.10")
    }

    fn new(scene: Scene, config: PortConfig, own: &str, outside: &str) -> Result<Self, Fault> {
        Ok(Self {
            port: scene.start(&config)?,
            there: from_guest(&config, own, REMOTE)?,
            back: from_outside(&config, REMOTE, outside)?,
            now: Instant::from_nanos(5_000_000_000_000),
            scene,
            config,
        })
    }

    /// The process ends, and its journals are gone.
    fn forget(&mut self) -> Result<u32, Fault> {
        let limits = self.scene.program(&self.config)?.limits;
        let program = self.scene.compile(&self.config)?;
        let (port, recovery) = Port::recover(1, SECRET, limits, &program, &[], self.now)?;
        assert_eq!((recovery.connections, recovery.is_clean()), (0, false));
        self.port = port;
        Ok(recovery.resting_ports)
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    /// Sends what the guest says; the verdict, and the source port that leaves.
    fn says(&mut self, bytes: &[u8]) -> Result<(Verdict, u16), Fault> {
        let (verdict, frame) = send(&mut self.port, Direction::Out, bytes, self.now)?;
        // Outer Ethernet, IPv6, UDP, Geneve, perhaps options; then Ethernet and IPv4.
        let bytes = frame.bytes();
        let inner = 14 + 40 + 8 + 8 + usize::from(bytes.get(62).unwrap_or(&0) & 0x3f) * 4;
        let port = bytes.get(inner + 34..inner + 36).map(|p| [p[0], p[1]]);
        Ok((verdict, u16::from_be_bytes(port.unwrap_or_default())))
    }

    fn hears(&mut self, bytes: &[u8]) -> Result<Verdict, Fault> {
        let (scene, config) = (&self.scene, &self.config);
        Ok(from_boundary(scene, config, &mut self.port, bytes, self.now)?.0)
    }

    fn out(&self, ports: (u16, u16), flags: u8) -> Vec<u8> {
        packet::tcp(&self.there, ports, flags, b"")
    }

    fn back(&self, ports: (u16, u16), flags: u8) -> Vec<u8> {
        packet::tcp(&self.back, ports, flags, b"")
    }

    fn states(&self) -> Vec<Option<TcpState>> {
        let (flows, _) = self.port.shards()[0].flows(0, u32::MAX);
        flows.iter().map(|flow| flow.tcp).collect()
    }
}

#[test]
fn a_segment_of_a_forgotten_connection_is_adopted_where_the_rules_allow_it() -> Result<(), Fault> {
    // From outside first, then by the guest first.
    for guest_first in [false, true] {
        let mut web = Side::floating()?;
        web.forget()?;
        let inward = web.back((50_000, 80), flag::ACK);
        let outward = web.out((80, 50_000), flag::ACK);
        if guest_first {
            assert_eq!(web.says(&outward)?.0, Verdict::Forward);
        }
        assert_eq!(web.hears(&inward)?, Verdict::Forward);
        assert_eq!(web.says(&outward)?.0, Verdict::Forward);
        assert_eq!(web.states(), [Some(TcpState::Established)]);
    }
    Ok(())
}

#[test]
fn a_segment_of_a_forgotten_connection_is_not_answered_with_a_reset() -> Result<(), Fault> {
    let mut web = Side::floating()?;
    let refused = Verdict::Refuse(DropReason::RuleDenied);
    let dropped = Verdict::Drop(DropReason::RuleDenied);
    let check = |web: &mut Side, opens: Verdict, goes_on: Verdict| -> Result<(), Fault> {
        for (flags, expected) in [
            (flag::SYN, opens),
            (flag::ACK, goes_on),
            (SYN_ACK, goes_on),
            (flag::FIN | flag::ACK, goes_on),
        ] {
            let outward = web.out((40_000, 25), flags);
            assert_eq!(web.says(&outward)?.0, expected, "out, flags {flags:#x}");
            let inward = web.back((40_000, 25), flags);
            assert_eq!(web.hears(&inward)?, expected, "in, flags {flags:#x}");
        }
        let datagram = packet::udp(&web.there, (40_000, 25), b"");
        assert_eq!(web.says(&datagram)?.0, refused, "it has no reset");
        Ok(())
    };
    check(&mut web, refused, refused)?;
    web.forget()?;
    check(&mut web, refused, dropped)?;
    web.wait(119);
    check(&mut web, refused, dropped)?;
    web.wait(1);
    check(&mut web, refused, refused)
}

#[test]
fn a_forgotten_connection_gets_its_outside_port_again() -> Result<(), Fault> {
    let mut test = Side::translated()?;
    let (verdict, outside) = {
        let syn = test.out((40_000, 443), flag::SYN);
        test.says(&syn)?
    };
    assert_eq!(verdict, Verdict::Forward);
    let answer = test.back((443, outside), SYN_ACK);
    assert_eq!(test.hears(&answer)?, Verdict::Forward);
    assert_eq!(test.forget()?, 1_024);
    // Nobody knows to whom it goes, but no reset ends it.
    let inward = test.back((443, outside), flag::ACK);
    let unknown = Verdict::Drop(DropReason::NatNoConnection);
    assert_eq!(test.hears(&inward)?, unknown);
    let outward = test.out((40_000, 443), flag::ACK);
    assert_eq!(test.says(&outward)?, (Verdict::Forward, outside));
    assert_eq!(test.hears(&inward)?, Verdict::Forward);
    assert_eq!(test.states(), [Some(TcpState::Established)]);
    Ok(())
}

#[test]
fn ports_of_unknown_owners_are_not_given_away() -> Result<(), Fault> {
    let mut test = Side::translated()?;
    test.forget()?;
    let resting = DropReason::NatPortsResting;
    let syn = test.out((40_001, 443), flag::SYN);
    let question = packet::udp(&test.there, (40_002, 53), b"who?");
    let echo = packet::echo(&test.there, true, 7, 1, b"");
    let until = test.port.shards()[0].ports_rest_until();
    assert_eq!(until, Some(test.now.after(Duration::from_mins(2))));
    for wait in [0, 119] {
        test.wait(wait);
        for new in [&syn, &question, &echo] {
            assert_eq!(test.says(new)?.0, Verdict::Drop(resting));
        }
    }
    assert_eq!(test.port.counters().dropped(Direction::Out, resting), 6);
    // The guest's own end shows itself as the owner of its port; then that one is known, and the only one.
    let (verdict, outside) = {
        let outward = test.out((40_001, 443), flag::ACK);
        test.says(&outward)?
    };
    assert_eq!(verdict, Verdict::Forward);
    let elsewhere = test.out((40_001, 80), flag::SYN);
    assert_eq!(test.says(&elsewhere)?, (Verdict::Forward, outside));
    assert_eq!(test.says(&question)?, (Verdict::Forward, outside));
    test.wait(1);
    let (verdict, other) = test.says(&packet::udp(&test.there, (40_003, 53), b"who?"))?;
    assert_eq!(verdict, Verdict::Forward);
    assert_ne!(other, outside);
    test.port.shards_mut()[0].expire(test.now, 10);
    assert_eq!(test.port.shards()[0].ports_rest_until(), None);
    Ok(())
}

/// A port that was read back whole rests nothing, and its journal of now says what rested before.
#[test]
fn rest_outlives_another_kill() -> Result<(), Fault> {
    let mut test = Side::translated()?;
    test.forget()?;
    let mut memory = vec![0; test.port.shards()[0].journal_len()];
    test.port.shards_mut()[0].begin_journal(&mut memory, test.now)?;
    test.wait(60);
    let limits = test.scene.program(&test.config)?.limits;
    let program = test.scene.compile(&test.config)?;
    let recover = |now| Port::recover(1, SECRET, limits, &program, &[&memory], now);
    let (_, recovery) = recover(test.now)?;
    assert_eq!((recovery.is_clean(), recovery.resting_ports), (true, 1_024));
    let (_, recovery) = recover(test.now.after(Duration::from_mins(1)))?;
    assert_eq!((recovery.is_clean(), recovery.resting_ports), (true, 0));
    Ok(())
}
