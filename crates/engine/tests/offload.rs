//! An executor that lags, loses and reorders what it says, beside a shard that does everything itself.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rackweave_engine::offload::{
    OffloadCounts, OffloadEntry, OffloadEvent, OffloadId, OffloadPolicy, OffloadReport, execute,
};
use rackweave_engine::program::Limits;
use rackweave_engine::{
    Direction, Existing, FlowInfo, Frame, Program, Settings, Shard, ShardId, Verdict,
};
use rackweave_testkit::packet::flag;
use rackweave_testkit::random::Random;
use rackweave_testkit::talk::{Say, Talks};
use rackweave_testkit::vpc::{SECRET, Scene};
use rackweave_types::Instant;
use rackweave_types::state::RuleSetId;

type Fault = Box<dyn Error>;

const LAG: Duration = Duration::from_secs(1);
const POLICY: OffloadPolicy = OffloadPolicy {
    after_packets: 3,
    limit: 4,
    lag: LAG,
    idle: Duration::from_secs(5),
};

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A frame of a conversation.
    Say(Say),
    /// Another program (the rules of now, or fewer), and what it does to connections.
    Change(bool, Existing),
    /// The executor is taken away, or given back.
    Switch(bool),
}

fn event() -> impl Strategy<Value = (Duration, Event)> {
    let flags = prop_oneof![
        24 => Just(flag::ACK),
        4 => Just(flag::SYN),
        4 => Just(flag::SYN | flag::ACK),
        1 => Just(flag::FIN | flag::ACK),
        1 => Just(flag::RST),
    ];
    let part = prop_oneof![20 => Just(0), 1 => Just(1), 1 => Just(2)];
    let say = (
        0..12_u8,
        any::<bool>(),
        flags,
        0..64_u8,
        part,
        prop::bool::weighted(0.03),
    )
        .prop_map(|(talk, answer, flags, len, part, error)| {
            Event::Say(Say {
                talk: talk % 7,
                answer,
                flags,
                len,
                part,
                error,
            })
        });
    let change = (prop::bool::weighted(0.7), any::<bool>()).prop_map(|(all, cut)| {
        Event::Change(all, if cut { Existing::Cut } else { Existing::Keep })
    });
    let event = prop_oneof![60 => say, 1 => change, 1 => any::<bool>().prop_map(Event::Switch)];
    // No sum of these comes within the lag behind a timeout.
    let gap = prop_oneof![40 => Just(5), 4 => Just(6_300), 1 => Just(400_000)];
    (gap.prop_map(Duration::from_millis), event)
}

/// A connection at the executor.
struct Stay {
    entry: OffloadEntry,
    report: OffloadReport,
}

/// The executor and its way of telling.
struct Executor {
    random: Random,
    stays: BTreeMap<OffloadId, Stay>,
    /// Reports under way, by when they arrive.
    under_way: Vec<(Instant, OffloadReport)>,
    executed: u64,
}

impl Executor {
    /// Carries out what the shard says.
    fn obey(&mut self, shard: &mut Shard, now: Instant) {
        while let Some(event) = shard.pop_offload(now) {
            match event {
                OffloadEvent::Install { id, entry } => {
                    let counts = [OffloadCounts::default(); 2];
                    let last_use = Instant::from_nanos(entry.last_use);
                    let report = OffloadReport {
                        id,
                        sequence: 0,
                        counts,
                        last_use,
                        tcp_flags: [0; 2],
                        last: false,
                    };
                    let stay = self.stays.entry(id).or_insert(Stay { entry, report });
                    stay.entry = entry;
                    stay.report.last_use = stay.report.last_use.max(last_use);
                }
                OffloadEvent::Revoke { id } => {
                    let stay = self.stays.remove(&id);
                    assert!(stay.is_some(), "revoked without having been installed");
                    if let Some(mut stay) = stay {
                        stay.report.sequence += 1;
                        stay.report.last = true;
                        self.tell(&stay.report, now);
                    }
                }
            }
            let room = usize::try_from(POLICY.limit).unwrap_or(usize::MAX);
            assert!(self.stays.len() <= room, "more than there is room for");
        }
    }

    /// Executes a packet, if it is one to execute.
    fn run(&mut self, direction: Direction, frame: &mut Frame, epoch: u32, now: Instant) -> bool {
        let mut told = None;
        for stay in self.stays.values_mut() {
            let Some(done) = execute(
                &stay.entry,
                direction,
                frame,
                epoch,
                stay.report.last_use,
                now,
            ) else {
                continue;
            };
            let side = usize::from(direction == Direction::In);
            stay.report.counts[side].count(&done);
            stay.report.tcp_flags[side] |= done.tcp_flags;
            stay.report.last_use = now;
            stay.report.sequence += 1;
            told = Some(stay.report);
            break;
        }
        self.executed += u64::from(told.is_some());
        if let Some(report) = told {
            self.tell(&report, now);
        }
        told.is_some()
    }

    /// Sends a report three times: two may get lost, each takes its time, within the lag.
    fn tell(&mut self, report: &OffloadReport, now: Instant) {
        for copy in 0..3 {
            let late = Duration::from_millis(self.random.between(0, 999));
            if copy == 0 || self.random.one_in(2) {
                self.under_way.push((now.after(late), *report));
            }
        }
    }

    /// Hands over what has arrived until now.
    fn deliver(&mut self, shard: &mut Shard, now: Instant) {
        self.under_way.sort_by_key(|(at, _)| *at);
        let arrived = self.under_way.partition_point(|(at, _)| *at <= now);
        for (at, report) in self.under_way.drain(..arrived) {
            shard.offload_report(&report, at);
        }
    }
}

/// A shard that offloads and one that does not, which see the same frames.
struct Twins {
    alone: Shard,
    helped: Shard,
    executor: Executor,
    talks: Talks,
    programs: [Arc<Program>; 2],
    now: Instant,
    /// The executor hears of a change only after the next packet: until then the epoch alone must do.
    deaf: bool,
}

impl Twins {
    fn new(floating: bool, seed: u64) -> Result<Self, Fault> {
        let scene = Scene::new()?;
        let mut fewer = scene.clone();
        fewer.web.rule_sets = vec![RuleSetId::new(2)];
        fewer.test.rule_sets = vec![RuleSetId::new(2)];
        let pick = |scene: &Scene| {
            if floating {
                scene.web.clone()
            } else {
                scene.test.clone()
            }
        };
        let programs = [scene.compile(&pick(&scene))?, fewer.compile(&pick(&fewer))?];
        let limits = Limits {
            flows: 1_024,
            ..scene.program(&pick(&scene))?.limits
        };
        let settings = Settings {
            shard: ShardId::ONLY,
            secret: SECRET,
            limits,
        };
        let shard = || Shard::new(settings, Arc::clone(&programs[0]));
        let (alone, mut helped) = (shard()?, shard()?);
        helped.set_offload(Some(POLICY));
        let executor = Executor {
            random: Random::new(seed),
            stays: BTreeMap::new(),
            under_way: Vec::new(),
            executed: 0,
        };
        let talks = Talks::new(&scene, &pick(&scene))?;
        let now = Instant::START.after(Duration::from_secs(10_000));
        Ok(Self {
            alone,
            helped,
            executor,
            talks,
            programs,
            now,
            deaf: false,
        })
    }

    fn pass(&mut self, gap: Duration) {
        self.now = self.now.after(gap);
        self.executor.deliver(&mut self.helped, self.now);
        self.obey();
        for shard in [&mut self.alone, &mut self.helped] {
            shard.expire(self.now, 64);
        }
        self.obey();
    }

    fn obey(&mut self) {
        if !self.deaf {
            self.executor.obey(&mut self.helped, self.now);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Say(say) => self.say(say),
            Event::Change(all, existing) => {
                for shard in [&mut self.alone, &mut self.helped] {
                    shard.install(Arc::clone(&self.programs[usize::from(!all)]), existing);
                }
            }
            Event::Switch(on) => self.helped.set_offload(on.then_some(POLICY)),
        }
        self.deaf = matches!(event, Event::Change(..));
        self.obey();
    }

    fn say(&mut self, say: Say) {
        let Some((direction, bytes)) = self.talks.frame(say) else {
            return;
        };
        let (mut expected, mut frame) = (Frame::new(&bytes), Frame::new(&bytes));
        let verdict = self.alone.process(direction, &mut expected, self.now);
        let epoch = self.helped.epoch();
        if self.executor.run(direction, &mut frame, epoch, self.now) {
            assert_eq!(verdict, Verdict::Forward);
        } else {
            assert_eq!(
                self.helped.process(direction, &mut frame, self.now),
                verdict
            );
        }
        assert_eq!(frame.bytes(), expected.bytes());
        if (verdict, direction) == (Verdict::Forward, Direction::Out) {
            self.talks.learn(say, expected.bytes());
        }
    }

    /// Both have seen everything by now.
    fn compare(&mut self) {
        self.deaf = false;
        self.pass(LAG);
        self.pass(LAG);
        let flows = |shard: &Shard| -> BTreeMap<String, FlowInfo> {
            let infos = shard.flows(0, u32::MAX).0;
            infos
                .into_iter()
                .map(|info| (format!("{:?}", info.guest), info))
                .collect()
        };
        let (alone, helped) = (flows(&self.alone), flows(&self.helped));
        for (key, info) in &alone {
            if let Some(other) = helped.get(key) {
                assert_eq!(info, other);
            }
        }
        for kind in [Duration::from_secs(8_000), LAG] {
            self.pass(kind);
            for _ in 0..100 {
                self.pass(Duration::from_millis(1));
            }
        }
        assert_eq!((self.alone.flow_count(), self.helped.flow_count()), (0, 0));
        assert_eq!(self.alone.counters(), self.helped.counters());
        assert_eq!(self.alone.rule_hits(), self.helped.rule_hits());
        assert!(
            self.executor.stays.is_empty(),
            "what is gone was called back"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_executor_changes_no_verdict_no_byte_and_no_count(
        floating in any::<bool>(),
        seed in any::<u64>(),
        events in proptest::collection::vec(event(), 1..250),
    ) {
        let mut twins = Twins::new(floating, seed).unwrap();
        for (gap, event) in events {
            twins.pass(gap);
            twins.happen(event);
        }
        twins.compare();
    }
}

fn say(talk: u8, answer: bool, flags: u8) -> Event {
    Event::Say(Say {
        talk,
        answer,
        flags,
        len: 10,
        part: 0,
        error: false,
    })
}

/// A TCP connection with its handshake and then some, of which both shards know.
fn established() -> Result<Twins, Fault> {
    let mut twins = Twins::new(false, 1)?;
    twins.happen(say(1, false, flag::SYN));
    twins.happen(say(1, true, flag::SYN | flag::ACK));
    for _ in 0..4 {
        twins.happen(say(1, false, flag::ACK));
        twins.happen(say(1, true, flag::ACK));
    }
    Ok(twins)
}

#[test]
fn an_established_connection_runs_elsewhere_until_it_ends() -> Result<(), Fault> {
    let mut twins = established()?;
    assert_eq!(twins.executor.stays.len(), 1);
    let before = twins.executor.executed;
    for _ in 0..10 {
        twins.happen(say(1, false, flag::ACK));
    }
    assert_eq!(
        twins.executor.executed,
        before + 10,
        "both halves are there"
    );
    twins.happen(say(1, true, flag::FIN | flag::ACK));
    assert_eq!(
        twins.executor.stays.len(),
        0,
        "it comes back with the first FIN"
    );
    twins.compare();
    Ok(())
}

#[test]
fn a_change_of_program_calls_back_and_announces_again() -> Result<(), Fault> {
    let mut twins = established()?;
    twins.happen(Event::Change(true, Existing::Keep));
    let before = twins.executor.executed;
    twins.happen(say(1, false, flag::ACK));
    assert_eq!(
        twins.executor.executed, before,
        "the entry is of an old epoch"
    );
    assert_eq!(
        twins.executor.stays.len(),
        0,
        "the last report is still awaited"
    );
    // It arrives before the lag is over.
    twins.pass(Duration::from_millis(999));
    twins.happen(say(1, false, flag::ACK));
    twins.happen(say(1, true, flag::ACK));
    assert_eq!(twins.executor.stays.len(), 1, "announced again");
    let before = twins.executor.executed;
    twins.happen(say(1, true, flag::ACK));
    assert_eq!(twins.executor.executed, before + 1);
    twins.compare();
    Ok(())
}

#[test]
fn what_is_forbidden_and_kept_stays_here() -> Result<(), Fault> {
    let mut twins = Twins::new(true, 1)?;
    twins.happen(say(9, true, flag::SYN));
    twins.happen(say(9, false, flag::SYN | flag::ACK));
    twins.happen(say(9, true, flag::ACK));
    twins.happen(say(9, true, flag::ACK));
    assert_eq!(
        twins.executor.stays.len(),
        1,
        "a connection of the other end"
    );
    twins.happen(Event::Change(false, Existing::Keep));
    twins.pass(LAG);
    for _ in 0..4 {
        twins.happen(say(9, true, flag::ACK));
        twins.happen(say(9, false, flag::ACK));
    }
    assert_eq!(twins.executor.stays.len(), 0);
    assert_eq!(twins.helped.flow_count(), 1);
    twins.compare();
    Ok(())
}

/// More connections than places: who is idle gives its place to who is not.
#[test]
fn an_idle_connection_gives_its_place() -> Result<(), Fault> {
    let mut twins = established()?;
    twins
        .helped
        .set_offload(Some(OffloadPolicy { limit: 1, ..POLICY }));
    twins.pass(LAG);
    twins.happen(say(1, false, flag::ACK));
    let first = twins.executor.stays.keys().next().copied();
    let other = |twins: &mut Twins| {
        for answer in [false, true, false, true] {
            twins.happen(say(3, answer, 0));
        }
    };
    other(&mut twins);
    assert_eq!(
        twins.executor.stays.keys().next().copied(),
        first,
        "the first is not idle yet"
    );
    twins.pass(Duration::from_secs(10));
    other(&mut twins);
    twins.pass(LAG);
    other(&mut twins);
    assert_eq!(twins.executor.stays.len(), 1);
    assert_ne!(
        twins.executor.stays.keys().next().copied(),
        first,
        "its place is the other's"
    );
    twins.compare();
    Ok(())
}

/// A report counts once, whatever comes after it; counts never go back.
#[test]
fn only_the_newest_report_counts() -> Result<(), Fault> {
    let mut twins = established()?;
    twins.pass(LAG);
    let Some((id, stay)) = twins.executor.stays.first_key_value() else {
        return Err("nothing is out".into());
    };
    let mut report = OffloadReport {
        id: *id,
        ..stay.report
    };
    let packets = |shard: &Shard| shard.flows(0, 10).0[0].packets;
    let before = packets(&twins.helped);
    report.sequence += 2;
    report.counts[0].packets += 5;
    report.counts[0].bytes += 500;
    assert!(twins.helped.offload_report(&report, twins.now));
    assert_eq!(packets(&twins.helped), [before[0] + 5, before[1]]);
    assert!(
        !twins.helped.offload_report(&report, twins.now),
        "the same again"
    );
    report.sequence -= 1;
    report.counts[0].packets += 1;
    assert!(
        !twins.helped.offload_report(&report, twins.now),
        "an older one"
    );
    report.sequence += 2;
    report.counts[0].packets = 0;
    assert!(twins.helped.offload_report(&report, twins.now));
    assert_eq!(
        packets(&twins.helped),
        [before[0] + 5, before[1]],
        "counts never go back"
    );
    report.id.round += 1;
    assert!(
        !twins.helped.offload_report(&report, twins.now),
        "a stay that never was"
    );
    Ok(())
}

/// Offloading ends and begins anew; a repeated last report of before comes late and ends nothing.
#[test]
fn a_late_report_finds_no_stay_of_a_new_executor() -> Result<(), Fault> {
    let mut twins = established()?;
    let (old, mut last) = match twins.executor.stays.pop_first() {
        Some((id, stay)) => (id, stay.report),
        None => return Err("nothing is out".into()),
    };
    last.sequence += 1;
    last.last = true;
    twins.helped.set_offload(None);
    let revoked = OffloadEvent::Revoke { id: old };
    assert_eq!(twins.helped.pop_offload(twins.now), Some(revoked));
    assert!(twins.helped.offload_report(&last, twins.now));
    assert_eq!(twins.helped.pop_offload(twins.now), None);

    twins.happen(Event::Switch(true));
    twins.happen(say(1, false, flag::ACK));
    let new = twins.executor.stays.keys().next().copied();
    assert_eq!(new.map(|id| id.flow), Some(old.flow));
    last.sequence += 100;
    assert!(
        !twins.helped.offload_report(&last, twins.now),
        "the stay that it tells of is over"
    );
    twins.compare();
    Ok(())
}

#[test]
fn an_executor_that_saw_a_reset_tells_of_it() -> Result<(), Fault> {
    let mut twins = established()?;
    let Some((id, stay)) = twins.executor.stays.first_key_value() else {
        return Err("nothing is out".into());
    };
    let mut report = OffloadReport {
        id: *id,
        ..stay.report
    };
    report.sequence += 1;
    report.tcp_flags[1] |= flag::RST;
    assert!(twins.helped.offload_report(&report, twins.now));
    let flow = twins.helped.flows(0, 10).0[0];
    assert_eq!(flow.class, rackweave_engine::flow::FlowClass::Closing);
    let listed = |shard: &Shard| {
        let flow = shard.list_flows(0, 10).0[0];
        (flow.info.guest, flow.epochs, flow.offloaded)
    };
    let epoch = twins.helped.epoch();
    assert_eq!(listed(&twins.helped), (flow.guest, [epoch; 2], true));
    assert_eq!(listed(&twins.alone), (flow.guest, [epoch; 2], false));
    assert!(matches!(
        twins.helped.pop_offload(twins.now),
        Some(OffloadEvent::Revoke { .. })
    ));
    Ok(())
}

#[test]
fn entries_are_plain_data() {
    assert_eq!(size_of::<OffloadEntry>(), 256);
}
