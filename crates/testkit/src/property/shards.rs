//! A port of several shards is a port.

use std::net::IpAddr;

use rackweave_engine::{Direction, Existing, Frame, Port, Verdict};
use rackweave_types::Instant;

use super::stage::{AMPLE, SECRET, Stage, balanced, ends, octets, summary};
use super::{Fault, hold};
use crate::number::{ICMP, ICMPV6};
use crate::program::Scope;
use crate::program::world::POOLS;
use crate::source::Source;
use crate::traffic::{Event, Manner, Traffic, inner_at};

/// A port of four shards decides as one of a single shard does, and leaves the same bytes, but for the ports that
/// source translation chose. The programs rewrite addresses by 1:1 and source translation only, as such ports demand.
///
/// # Errors
/// What does not hold.
pub fn shards(bytes: &[u8]) -> Result<(), Fault> {
    compare(bytes, false)
}

/// Compares a port of one shard with one of four; `moving` freezes and thaws the latter with each change.
pub(super) fn compare(bytes: &[u8], moving: bool) -> Result<(), Fault> {
    let mut source = Source::new(bytes);
    let scope = Scope {
        rewrites: false,
        scarce: false,
        forgotten: false,
    };
    let mut stage = Stage::draw(&mut source, scope)?;
    let port = |shards| {
        Port::new(shards, SECRET, AMPLE, &stage.program).map_err(|error| error.to_string())
    };
    let mut ports = [port(1)?, port(4)?];
    let manner = Manner {
        hostile: false,
        clear_times: false,
    };
    let mut traffic = [Traffic::new(manner), Traffic::new(manner)];
    while !source.is_empty() {
        // Each port's ends answer what it let pass.
        let mut same = source.clone();
        let [ours, theirs] = &mut traffic;
        match (ours.next(&mut source), theirs.next(&mut same)) {
            (Event::Packet(direction, frame), Event::Packet(other, alike)) => {
                hold(direction == other, || "directions differ".to_owned())?;
                let mut frames = [frame, alike];
                let verdicts = send(&mut ports, direction, &mut frames, stage.now)?;
                for at in 0..2 {
                    traffic[at].passed(direction, verdicts[at], &frames[at]);
                }
            }
            (Event::Wait(duration), _) => {
                stage.wait(duration);
                if moving && duration.as_secs() > 0 {
                    traffic.iter_mut().for_each(Traffic::forget);
                }
            }
            (Event::Change(existing), _) if moving => {
                // Of another number of shards, a port gives a connection that begins anew another port of the pool;
                // who speaks to the old one finds nobody there, or by chance the one.
                traffic.iter_mut().for_each(Traffic::forget);
                let count = source.pick(&[1, 2, 4]);
                ports[1] = moved(&ports[1], count, &stage)?;
                stage.change_a_little(&mut source)?;
                install(&mut ports, &stage, existing);
            }
            (Event::Change(existing), _) => {
                stage.change(&mut source)?;
                install(&mut ports, &stage, existing);
            }
            (Event::Packet(..), _) => return Err("the traffic differs".to_owned()),
        }
    }
    end(ports, stage.now)
}

/// Sends a frame through each port; the verdicts.
fn send(
    ports: &mut [Port; 2],
    direction: Direction,
    frames: &mut [Frame; 2],
    now: Instant,
) -> Result<[Verdict; 2], Fault> {
    let explained = [0, 1].map(|at| ports[at].explain(direction, &frames[at], now));
    let found = [0, 1].map(|at| ports[at].process(direction, &mut frames[at], now));
    let why = || explained.iter().flatten().map(summary).collect::<String>();
    hold(found[0] == found[1], || {
        format!("one shard {:?}, four {:?}: {}", found[0], found[1], why())
    })?;
    let [one, four] = [0, 1].map(|at| plain(direction, found[at], frames[at].bytes()));
    hold(one == four, || {
        let [one, four] = [octets(&one), octets(&four)];
        format!("one shard {one}\nfour {four}\n{}", why())
    })?;
    Ok(found)
}

fn install(ports: &mut [Port; 2], stage: &Stage, existing: Existing) {
    for port in ports {
        port.install(&stage.program, existing);
    }
}

/// Both hold as many connections, and come to an end.
fn end(mut ports: [Port; 2], now: Instant) -> Result<(), Fault> {
    for shard in ports.iter_mut().flat_map(Port::shards_mut) {
        while shard.expire(now, u32::MAX) > 0 {}
    }
    let counts = [0, 1].map(|at| ports[at].flow_count());
    hold(counts[0] == counts[1], || {
        let flows = |port: &Port| -> Vec<_> {
            let shards = port.shards().iter();
            shards
                .flat_map(|shard| shard.flows(0, u32::MAX).0)
                .collect()
        };
        let [one, four] = [0, 1].map(|at| flows(&ports[at]));
        format!("one shard {one:?}\nfour {four:?}")
    })?;
    for port in &mut ports {
        balanced(&port.counters())?;
        for shard in port.shards_mut() {
            ends(shard, now)?;
        }
    }
    Ok(())
}

/// The port, frozen and thawed.
fn moved(port: &Port, shards: u16, stage: &Stage) -> Result<Port, Fault> {
    let parts = port.freeze(stage.now);
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let thawed = Port::thaw(shards, SECRET, AMPLE, &stage.program, &parts, stage.now);
    thawed.map_err(|error| error.to_string())
}

/// The octets that do not depend on the port that source translation chose.
fn plain(direction: Direction, verdict: Verdict, frame: &[u8]) -> Vec<u8> {
    match (verdict, direction) {
        (Verdict::Forward, _) => without_port(direction, frame).unwrap_or_default(),
        (_, Direction::Out) => frame.to_vec(),
        // What the engine says to the wire may quote a translated packet.
        (_, Direction::In) => frame.len().to_be_bytes().to_vec(),
    }
}

/// A frame that left; where a pool's address stands in it, all is left out that goes with the port.
fn without_port(direction: Direction, frame: &[u8]) -> Option<Vec<u8>> {
    let mut plain = frame.to_vec();
    let at = inner_at(direction, frame);
    let inner = frame.get(at..)?;
    if !POOLS.iter().any(|pool| names(inner, *pool)) {
        return Some(plain);
    }
    let tag = if inner.get(12..14)? == [0x81, 0x00] {
        4
    } else {
        0
    };
    let packet = inner.get(14 + tag..)?;
    let (l4, protocol) = match packet.first()? >> 4 {
        4 => (4 * usize::from(packet[0] & 0xf), *packet.get(9)?),
        6 => (40, *packet.get(6)?),
        _ => return Some(plain),
    };
    let is_error = matches!(
        (protocol, packet.get(l4)),
        (ICMP, Some(3 | 11)) | (ICMPV6, Some(1..=3))
    );
    let start = at + 14 + tag + l4;
    if is_error {
        plain.truncate(start);
        return Some(plain);
    }
    // Ports, identifiers and checksums lie in the first 20 octets, perhaps behind an extension header.
    let end = plain.len().min(start + 28);
    plain.get_mut(start..end)?.fill(0);
    Some(plain)
}

fn names(frame: &[u8], addr: IpAddr) -> bool {
    let octets = match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    };
    frame.windows(octets.len()).any(|window| window == octets)
}
