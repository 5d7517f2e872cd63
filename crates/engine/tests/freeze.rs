//! Ports that are frozen and thawed in the middle of their conversations.

mod talking;

use std::collections::BTreeMap;
use std::time::Duration;

use minicbor::Decoder;
use proptest::prelude::*;
use rackweave_engine::freeze::ThawError;
use rackweave_engine::{Existing, Port, Verdict};
use rackweave_testkit::packet::flag;
use rackweave_testkit::talk::Say;
use rackweave_testkit::vpc::SECRET;
use rackweave_types::Instant;

use crate::talking::{Bench, Fault, Step, expire, flows, process, run_and, steps};

impl Bench {
    fn thaw(
        &self,
        shards: u16,
        secret: [u64; 2],
        frozen: &[Vec<u8>],
        now: Instant,
    ) -> Result<Port, ThawError> {
        let frozen: Vec<&[u8]> = frozen.iter().map(Vec::as_slice).collect();
        Port::thaw(shards, secret, self.limits, &self.program, &frozen, now)
    }
}

/// Runs the steps on a port; what came out.
fn run(
    bench: &mut Bench,
    port: &mut Port,
    now: &mut Instant,
    steps: &[Step],
) -> Vec<(Verdict, Vec<u8>)> {
    run_and(bench, port, now, steps, |_, _| {})
}

/// The items of a frozen shard, by section, in no order.
fn items(frozen: &[u8]) -> Result<BTreeMap<u16, Vec<Vec<u8>>>, Fault> {
    let mut sections = BTreeMap::new();
    let mut rest = &frozen[12..frozen.len() - 32];
    while let Some((&[i0, i1, l0, l1, l2, l3], after)) = rest.split_first_chunk() {
        let len = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3]))?;
        let mut decoder = Decoder::new(&after[..len]);
        let mut items = Vec::new();
        while decoder.position() < len {
            let start = decoder.position();
            decoder.skip()?;
            items.push(after[start..decoder.position()].to_vec());
        }
        items.sort();
        sections.insert(u16::from_be_bytes([i0, i1]), items);
        rest = &after[len..];
    }
    Ok(sections)
}

/// A later clock, as another host has.
fn elsewhere(now: Instant) -> Instant {
    now.after(Duration::from_secs(1_000_000))
}

fn goes_on_the_same(
    floating: bool,
    shards: u16,
    before: &[Step],
    after: &[Step],
) -> Result<(), Fault> {
    let mut plain = Bench::new(floating)?;
    let mut moved = Bench::new(floating)?;
    let mut port = plain.port(shards)?;
    let mut now = Instant::START.after(Duration::from_secs(10_000));
    run(&mut plain, &mut port, &mut now, before);
    let mut thawed = plain.thaw(shards, SECRET, &port.freeze(now), elsewhere(now))?;
    assert_eq!(thawed.counters(), port.counters());
    assert_eq!(flows(&thawed, elsewhere(now)), flows(&port, now));
    // A thawed connection meets the layers again, as after a change of program.
    port.install(&plain.program.clone(), Existing::Keep);
    moved.talks = plain.talks.clone();
    let mut then = elsewhere(now);
    let expected = run(&mut plain, &mut port, &mut now, after);
    let got = run(&mut moved, &mut thawed, &mut then, after);
    assert_eq!(got, expected);
    assert_eq!(thawed.counters(), port.counters());
    assert_eq!(flows(&thawed, then), flows(&port, now));
    let hits = |port: &Port| {
        let mut hits: BTreeMap<String, u64> = BTreeMap::new();
        for rule in port
            .shards()
            .iter()
            .flat_map(rackweave_engine::Shard::rule_hits)
        {
            let name = format!("{} {:?} {:?}", rule.layer, rule.direction, rule.rule);
            *hits.entry(name).or_default() += rule.hits;
        }
        hits
    };
    assert_eq!(hits(&thawed), hits(&port));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_thawed_port_goes_on_as_if_nothing_had_been(
        floating in any::<bool>(),
        more in any::<bool>(),
        before in steps(),
        after in steps(),
    ) {
        goes_on_the_same(floating, if more { 2 } else { 1 }, &before, &after).unwrap();
    }

    #[test]
    fn freezing_a_thawed_port_gives_the_same_items(floating in any::<bool>(), before in steps()) {
        let mut bench = Bench::new(floating).unwrap();
        let mut port = bench.port(1).unwrap();
        let mut now = Instant::START.after(Duration::from_secs(10_000));
        run(&mut bench, &mut port, &mut now, &before);
        let frozen = port.freeze(now);
        let thawed = bench.thaw(1, SECRET, &frozen, elsewhere(now)).unwrap();
        let again = thawed.freeze(elsewhere(now));
        prop_assert_eq!(items(&frozen[0]).unwrap(), items(&again[0]).unwrap());
    }

    /// Another secret and another number of shards: connections that are there go on, whichever shard has them.
    #[test]
    fn connections_go_on_in_other_shards(
        floating in any::<bool>(),
        (from, to) in (0..3_u32, 0..3_u32),
        before in steps(),
    ) {
        let mut bench = Bench::new(floating).unwrap();
        let mut port = bench.port(1 << from).unwrap();
        let mut now = Instant::START.after(Duration::from_secs(10_000));
        run(&mut bench, &mut port, &mut now, &before);
        let mut thawed = bench.thaw(1 << to, [7, 9], &port.freeze(now), elsewhere(now)).unwrap();
        prop_assert_eq!(thawed.flow_count(), port.flow_count());
        prop_assert_eq!(flows(&thawed, elsewhere(now)), flows(&port, now));
        let created = port.counters().flows_created;
        for talk in 0..12 {
            for answer in [false, true] {
                let say = Say { talk, answer, flags: flag::ACK, len: 9, part: 0, error: false };
                let Some((direction, bytes)) = bench.talks.frame(say) else { continue };
                let expected = process(&mut port, direction, &bytes, now);
                if port.counters().flows_created > created {
                    // A new connection may get another port.
                    return Ok(());
                }
                prop_assert_eq!(process(&mut thawed, direction, &bytes, elsewhere(now)), expected);
            }
        }
    }

    #[test]
    fn any_bytes_are_thawed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bench = Bench::new(false).unwrap();
        prop_assert!(bench.thaw(1, SECRET, &[bytes], Instant::START).is_err());
    }
}

/// The golden bytes, under a digest that is right again after they were changed anywhere.
#[test]
fn changed_bytes_never_stop_a_port() -> Result<(), Fault> {
    let golden = include_bytes!("golden/frozen-v1.bin");
    let signed = &golden[..golden.len() - 32];
    let bench = Bench::new(false)?;
    let frames: Vec<_> = (0..12)
        .filter_map(|talk| {
            let say = Say {
                talk,
                answer: false,
                flags: flag::ACK,
                len: 1,
                part: 0,
                error: false,
            };
            bench.talks.frame(say)
        })
        .collect();
    let now = Instant::START.after(Duration::from_secs(1));
    let mut thawed = 0;
    for at in 12..signed.len() {
        for octet in [0, 1, 0x17, 0x80, 0xff] {
            let mut bytes = signed.to_vec();
            bytes[at] = octet;
            // The golden shard is the second of two; its number is the octet behind its section's head.
            let mut first = bytes.clone();
            first[19] = 0;
            let both = [first, bytes].map(|mut bytes| {
                bytes.extend_from_slice(blake3::hash(&bytes).as_bytes());
                bytes
            });
            let Ok(mut port) = bench.thaw(2, SECRET, &both, now) else {
                continue;
            };
            thawed += 1;
            for (direction, frame) in &frames {
                process(&mut port, *direction, frame, now);
            }
            expire(&mut port, now);
            assert_eq!(port.freeze(now).len(), 2);
        }
    }
    assert!(thawed > 100, "{thawed} of the changes were thawed");
    Ok(())
}

#[test]
fn shards_of_a_port_are_thawed_all_or_not_at_all() -> Result<(), Fault> {
    let bench = Bench::new(false)?;
    let frozen = bench.port(2)?.freeze(Instant::START);
    let thaw = |parts: &[Vec<u8>]| {
        bench
            .thaw(1, SECRET, parts, Instant::START)
            .map(|port| port.flow_count())
    };
    assert_eq!(thaw(&frozen), Ok(0));
    assert_eq!(thaw(&[]), Err(ThawError::Incomplete { parts: 0 }));
    assert_eq!(thaw(&frozen[..1]), Err(ThawError::Incomplete { parts: 1 }));
    let twice = [frozen[0].clone(), frozen[0].clone()];
    assert_eq!(thaw(&twice), Err(ThawError::Incomplete { parts: 2 }));
    Ok(())
}

/// What has no room is counted, and the most valuable connections stay.
#[test]
fn a_smaller_table_keeps_the_most_valuable() -> Result<(), Fault> {
    let mut bench = Bench::new(false)?;
    let mut port = bench.port(1)?;
    let mut now = Instant::START.after(Duration::from_secs(10_000));
    let say = |talk, answer, flags| Step {
        gap: Duration::from_millis(1),
        say: Say {
            talk,
            answer,
            flags,
            len: 0,
            part: 0,
            error: false,
        },
    };
    let established = [
        say(0, false, flag::SYN),
        say(0, true, flag::SYN | flag::ACK),
        say(0, false, flag::ACK),
    ];
    let others = [
        say(1, false, flag::SYN),
        say(3, false, 0),
        say(4, false, 0),
        say(6, false, 0),
    ];
    run(&mut bench, &mut port, &mut now, &established);
    run(&mut bench, &mut port, &mut now, &others);
    assert_eq!(port.flow_count(), 5);
    bench.limits.flows = 2;
    let thawed = bench.thaw(1, SECRET, &port.freeze(now), now)?;
    assert_eq!(
        (thawed.flow_count(), thawed.counters().flows_evicted),
        (2, 3)
    );
    let (kept, _) = thawed.shards()[0].flows(0, 10);
    assert!(
        kept.iter()
            .any(|info| info.tcp == Some(rackweave_engine::flow::TcpState::Established))
    );
    Ok(())
}
