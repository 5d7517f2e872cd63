//! Ports whose process is killed in the middle of their conversations, and which go on from their journals.

mod talking;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rackweave_engine::journal::{JournalError, Recovery};
use rackweave_engine::{Direction, DropReason, Existing, Frame, Port, Verdict};
use rackweave_testkit::exchange::{forwarded, from_boundary, from_guest, from_outside, send};
use rackweave_testkit::packet::{self, flag};
use rackweave_testkit::talk::Say;
use rackweave_testkit::vpc::{SECRET, Scene};
use rackweave_types::Instant;

use crate::talking::{Bench, Fault, Step, expire, flows, process, run_and, steps};

/// Where slots begin, and their length.
const SLOTS: usize = 8_192;
const SLOT: usize = 192;

/// The journals of a port's shards.
#[derive(Clone)]
struct Journals(Vec<Vec<u8>>);

impl Journals {
    /// In memory that was used for something else before.
    fn begin(port: &mut Port, now: Instant) -> Result<Self, Fault> {
        let begin = |shard: &mut rackweave_engine::Shard| {
            let mut memory = vec![0x5a; shard.journal_len()];
            shard.begin_journal(&mut memory, now).map(|()| memory)
        };
        let journals: Result<_, JournalError> = port.shards_mut().iter_mut().map(begin).collect();
        Ok(Self(journals?))
    }

    fn write(&mut self, port: &mut Port, now: Instant) {
        for (shard, memory) in port.shards_mut().iter_mut().zip(&mut self.0) {
            assert!(shard.journal(memory, now).is_ok());
        }
    }

    /// Lets time pass until everything was refreshed.
    fn settle(&mut self, port: &mut Port, now: &mut Instant) {
        for _ in 0..250 {
            *now = now.after(Duration::from_millis(100));
            expire(port, *now);
            self.write(port, *now);
        }
    }

    fn recover(&self, bench: &Bench, shards: u16, now: Instant) -> Result<(Port, Recovery), Fault> {
        let journals: Vec<&[u8]> = self.0.iter().map(Vec::as_slice).collect();
        // The secret of the port that was is in the journals.
        Ok(Port::recover(
            shards,
            [7, 9],
            bench.limits,
            &bench.program,
            &journals,
            now,
        )?)
    }

    /// Journal and place of each slot that holds something, but for what was written last.
    fn used(&self) -> Vec<(usize, usize)> {
        let of = |(journal, memory): (usize, &Vec<u8>)| {
            let drafted =
                u32::from_le_bytes([memory[4096], memory[4097], memory[4098], memory[4099]]);
            let high = u32::from_le_bytes([memory[64], memory[65], memory[66], memory[67]]);
            (0..high)
                .filter(|place| *place != drafted)
                .filter_map(|place| usize::try_from(place).ok())
                .filter(|place| memory[SLOTS + place * SLOT..][..8] != [0; 8])
                .map(|place| (journal, place))
                .collect::<Vec<_>>()
        };
        self.0.iter().enumerate().flat_map(of).collect()
    }

    fn octet(&mut self, (journal, place): (usize, usize), at: usize) -> &mut u8 {
        &mut self.0[journal][SLOTS + place * SLOT + at]
    }
}

/// Steps without fragments, of which journals know nothing, and where asked without long pauses.
fn kept(steps: Vec<Step>, quick: bool) -> Vec<Step> {
    let step = |mut step: Step| {
        step.say.part = 0;
        if quick {
            step.gap = step.gap.min(Duration::from_millis(40));
        }
        step
    };
    steps.into_iter().map(step).collect()
}

const START: u64 = 10_000_000_000_000;

/// A port that has lived through these steps, with its journals as its process left them.
struct Killed {
    bench: Bench,
    port: Port,
    journals: Journals,
    now: Instant,
}

impl Killed {
    fn after(floating: bool, shards: u16, steps: &[Step]) -> Result<Self, Fault> {
        let mut bench = Bench::new(floating)?;
        let mut port = bench.port(shards)?;
        let mut now = Instant::from_nanos(START);
        let mut journals = Journals::begin(&mut port, now)?;
        run_and(&mut bench, &mut port, &mut now, steps, |port, now| {
            journals.write(port, now);
        });
        Ok(Self {
            bench,
            port,
            journals,
            now,
        })
    }
}

fn names(port: &Port, now: Instant) -> BTreeSet<String> {
    flows(port, now).into_keys().collect()
}

fn goes_on_the_same(
    (floating, shards): (bool, u16),
    before: Vec<Step>,
    after: Vec<Step>,
    long: bool,
) -> Result<(), Fault> {
    let Killed {
        mut bench,
        mut port,
        mut journals,
        mut now,
    } = Killed::after(floating, shards, &kept(before, !long))?;
    if long {
        journals.settle(&mut port, &mut now);
    }
    let (mut recovered, recovery) = journals.recover(&bench, shards, now)?;
    assert!(recovery.is_clean(), "{recovery:?}");
    assert_eq!(recovery.connections, port.flow_count());
    assert_eq!(names(&recovered, now), names(&port, now));
    if long {
        assert_eq!(flows(&recovered, now), flows(&port, now));
    }
    // A recovered connection meets the layers again, as after a change of program.
    port.install(&bench.program.clone(), Existing::Keep);
    let mut moved = Bench::new(floating)?;
    moved.talks = bench.talks.clone();
    let after = kept(after, true);
    let mut then = now;
    let expected = run_and(&mut bench, &mut port, &mut now, &after, |_, _| {});
    let got = run_and(&mut moved, &mut recovered, &mut then, &after, |_, _| {});
    assert_eq!(got, expected);
    assert_eq!(names(&recovered, now), names(&port, now));
    Ok(())
}

fn any_say(talk: u8, answer: bool) -> Say {
    Say {
        talk,
        answer,
        flags: flag::ACK,
        len: 9,
        part: 0,
        error: false,
    }
}

/// Each conversation goes on in the port that was recovered as in the one that lived, where its connection came back.
fn the_rest_goes_on(killed: &mut Killed, recovered: &mut Port) -> Result<(), Fault> {
    let back = names(recovered, killed.now);
    for (talk, answer) in (0..12).flat_map(|talk| [(talk, false), (talk, true)]) {
        let Some((direction, bytes)) = killed.bench.talks.frame(any_say(talk, answer)) else {
            continue;
        };
        let frame = Frame::new(&bytes);
        let explained = killed.port.explain(direction, &frame, killed.now);
        let explained = explained.ok_or("a port has a shard")?;
        let Some(flow) = explained.flow else { continue };
        if back.contains(&format!("{:?}", flow.guest)) {
            let expected = process(&mut killed.port, direction, &bytes, killed.now);
            assert_eq!(process(recovered, direction, &bytes, killed.now), expected);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_recovered_port_goes_on_as_if_nothing_had_been(
        floating in any::<bool>(),
        more in any::<bool>(),
        before in steps(),
        after in steps(),
        long in prop::bool::weighted(0.3),
    ) {
        goes_on_the_same((floating, if more { 2 } else { 1 }), before, after, long).unwrap();
    }

    #[test]
    fn connections_go_on_in_other_shards(
        floating in any::<bool>(),
        (from, to) in (0..3_u32, 0..3_u32),
        before in steps(),
    ) {
        let mut killed = Killed::after(floating, 1 << from, &kept(before, true)).unwrap();
        let found = killed.journals.recover(&killed.bench, 1 << to, killed.now).unwrap();
        let (mut recovered, recovery) = found;
        prop_assert!(recovery.is_clean());
        prop_assert_eq!(names(&recovered, killed.now), names(&killed.port, killed.now));
        the_rest_goes_on(&mut killed, &mut recovered).unwrap();
    }

    #[test]
    fn a_damaged_slot_costs_its_connection_alone(
        floating in any::<bool>(),
        before in steps(),
        damage in proptest::collection::vec(
            (any::<prop::sample::Index>(), 0..SLOT, 1..=255_u8), 1..4,
        ),
    ) {
        let mut killed = Killed::after(floating, 1, &kept(before, true)).unwrap();
        let used = killed.journals.used();
        let mut damaged = BTreeSet::new();
        for (which, at, octet) in damage.into_iter().take(used.len()) {
            let slot = used[which.index(used.len())];
            if damaged.insert(slot) {
                *killed.journals.octet(slot, at) ^= octet;
            }
        }
        let found = killed.journals.recover(&killed.bench, 1, killed.now).unwrap();
        let (mut recovered, recovery) = found;
        let lost = u32::try_from(damaged.len()).unwrap();
        prop_assert_eq!(recovery.damaged, lost);
        prop_assert_eq!(recovery.connections + lost, killed.port.flow_count());
        let all = names(&killed.port, killed.now);
        prop_assert!(names(&recovered, killed.now).is_subset(&all));
        the_rest_goes_on(&mut killed, &mut recovered).unwrap();
    }

    /// Whatever the bytes are, the port starts.
    #[test]
    fn damaged_bytes_never_stop_a_port(
        before in steps(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..60),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut killed = Killed::after(false, 2, &kept(before, true)).unwrap();
        for (at, octet) in damage {
            // Most of it where something stands.
            let memory = &mut killed.journals.0[usize::from(octet & 1)];
            let at = at.index(SLOTS + 8 * SLOT);
            memory[at] = octet;
        }
        if let Some(cut) = cut {
            let memory = &mut killed.journals.0[0];
            memory.truncate(cut.index(memory.len()));
        }
        let found = killed.journals.recover(&killed.bench, 2, killed.now).unwrap();
        let (mut recovered, recovery) = found;
        prop_assert!(recovery.connections <= killed.port.flow_count());
        for (talk, answer) in (0..12).flat_map(|talk| [(talk, false), (talk, true)]) {
            if let Some((direction, bytes)) = killed.bench.talks.frame(any_say(talk, answer)) {
                process(&mut recovered, direction, &bytes, killed.now);
            }
        }
    }
}

/// A process that ends while it writes a slot has the draft, and one that ends while it writes the draft has the slot.
#[test]
fn a_write_that_is_cut_short_costs_nothing() -> Result<(), Fault> {
    let say = |flags| Step {
        gap: Duration::from_millis(1),
        say: Say {
            flags,
            ..any_say(1, false)
        },
    };
    let before = Killed::after(false, 1, &[say(flag::SYN)])?;
    let after = Killed::after(false, 1, &[say(flag::SYN), say(flag::RST)])?;
    let (old, new) = (&before.journals.0[0], &after.journals.0[0]);
    for slot_first in [false, true] {
        let (draft, slot) = (4_096 + 64, SLOTS);
        for done in 0..SLOT {
            let mut torn = old.clone();
            if slot_first {
                torn[draft..draft + SLOT].copy_from_slice(&new[draft..draft + SLOT]);
                torn[slot..slot + done].copy_from_slice(&new[slot..slot + done]);
            } else {
                torn[draft..draft + done].copy_from_slice(&new[draft..draft + done]);
            }
            let (_, recovery) = Journals(vec![torn]).recover(&after.bench, 1, after.now)?;
            assert!(recovery.is_clean(), "{done} octets: {recovery:?}");
            assert_eq!(recovery.connections, 1, "{done} octets");
        }
    }
    Ok(())
}

/// What a change of program asked to cut is cut, also where the process ends right after it.
#[test]
fn a_cut_is_not_forgotten() -> Result<(), Fault> {
    let scene = Scene::new()?;
    let mut closed = scene.clone();
    closed.web.rule_sets.pop();
    let closed = closed.compile(&closed.web)?;
    let limits = scene.program(&scene.web)?.limits;
    let there = from_outside(&scene.web, "192.0.2.99", "203.0.113.10")?;
    let back = from_guest(&scene.web, "10.0.1.6", "192.0.2.99")?;
    let now = Instant::from_nanos(START);
    let data = packet::tcp(&there, (50_001, 80), flag::ACK, b"more");
    for existing in [Existing::Keep, Existing::Cut] {
        let mut port = scene.start(&scene.web)?;
        let mut journals = Journals::begin(&mut port, now)?;
        let syn = packet::tcp(&there, (50_001, 80), flag::SYN, b"");
        forwarded(from_boundary(&scene, &scene.web, &mut port, &syn, now)?)?;
        let answer = packet::tcp(&back, (80, 50_001), flag::SYN | flag::ACK, b"");
        forwarded(send(&mut port, Direction::Out, &answer, now)?)?;
        forwarded(from_boundary(&scene, &scene.web, &mut port, &data, now)?)?;
        journals.write(&mut port, now);
        port.install(&closed, existing);
        journals.write(&mut port, now);
        let memory: Vec<&[u8]> = journals.0.iter().map(Vec::as_slice).collect();
        let (mut port, recovery) = Port::recover(1, SECRET, limits, &closed, &memory, now)?;
        assert_eq!(recovery.connections, 1);
        let (verdict, _) = from_boundary(&scene, &scene.web, &mut port, &data, now)?;
        match existing {
            Existing::Keep => assert_eq!(verdict, Verdict::Forward),
            Existing::Cut => assert_eq!(verdict, Verdict::Drop(DropReason::RuleDenied)),
        }
    }
    Ok(())
}

/// Connections that are gone leave the journal, and it grows where it must.
#[test]
fn a_journal_follows_its_table() -> Result<(), Fault> {
    let bench = Bench::new(false)?;
    let scene = Scene::new()?;
    let mut port = bench.port(1)?;
    let mut now = Instant::from_nanos(START);
    let mut journals = Journals::begin(&mut port, now)?;
    let ends = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    for port_number in 0..1_500 {
        let syn = packet::tcp(&ends, (1_024 + port_number, 22), flag::SYN, b"");
        process(&mut port, Direction::Out, &syn, now);
        if port_number % 100 == 99 {
            journals.write(&mut port, now);
            let (recovered, recovery) = journals.recover(&bench, 1, now)?;
            assert!(recovery.is_clean(), "{recovery:?}");
            assert_eq!(names(&recovered, now), names(&port, now));
        }
    }
    assert_eq!(
        port.flow_count(),
        1_024,
        "the table is full, and others gave way"
    );
    journals.settle(&mut port, &mut now);
    assert_eq!(port.flow_count(), 0, "half-open ones end");
    assert_eq!(journals.recover(&bench, 1, now)?.1.connections, 0);
    Ok(())
}

#[test]
fn a_journal_is_begun_and_has_room() -> Result<(), Fault> {
    let bench = Bench::new(false)?;
    let mut port = bench.port(1)?;
    let now = Instant::from_nanos(START);
    let shard = &mut port.shards_mut()[0];
    let needed = shard.journal_len();
    assert_eq!(needed, SLOTS + 1_024 * SLOT);
    let mut memory = vec![0; needed];
    assert_eq!(shard.journal(&mut memory, now), Err(JournalError::NotBegun));
    let len = needed - 1;
    let no_room = JournalError::NoRoom { len, needed };
    assert_eq!(shard.begin_journal(&mut memory[1..], now), Err(no_room));
    shard.begin_journal(&mut memory, now)?;
    assert_eq!(shard.journal(&mut memory[1..], now), Err(no_room));
    assert_eq!(shard.journal(&mut memory, now), Ok(0));
    shard.end_journal();
    assert_eq!(shard.journal(&mut memory, now), Err(JournalError::NotBegun));
    let other = Arc::clone(&bench.program);
    let found = Port::recover(1, SECRET, bench.limits, &other, &[&memory[..100]], now)?.1;
    assert_eq!((found.unreadable.len(), found.is_clean()), (1, false));
    Ok(())
}
