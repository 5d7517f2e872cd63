//! Which path carries how much.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rackweave_rig::{Flows, Node, wait_until};
use serde_json::Value as Json;

use crate::figure::{Value, median, median_of};
use crate::{Bench, pause, say};

/// As many connections: chance alone moves an even share by three percent points.
const CONNECTIONS: usize = 256;
/// The sender's two links.
const LINKS: [&str; 2] = ["to-r1a", "to-r1b"];
/// Over how long octets are counted.
const COUNTED: Duration = Duration::from_secs(1);
/// How long a lab may take until both links are in even use again.
const WELL: Duration = Duration::from_mins(2);
/// How often the slow side changes.
const SWAP: Duration = Duration::from_secs(3);

/// From a sled of the first rack to one of the second.
fn ends(bench: &Bench) -> Result<(Node, Node)> {
    let ends = (bench.fabric.node("r1s1")?, bench.fabric.node("r2s1")?);
    let ways = || weights(&ends.0, &ends.1);
    wait_until(WELL, "r1s1 uses both its links evenly", || {
        let ways = ways()?;
        Ok(ways.len() == 2 && ways[0] == ways[1])
    })?;
    Ok(ends)
}

/// The weights of the ways of the sender's route to the other's rack.
fn weights(from: &Node, to: &Node) -> Result<Vec<u64>> {
    let octets = to.own()?.octets();
    let rack = std::net::Ipv6Addr::from({
        let mut rack = octets;
        rack[7..].fill(0);
        rack
    });
    let wanted = format!("{rack}/56");
    let routes = from.routes()?;
    let route = routes.iter().find(|route| route["dst"] == wanted.as_str());
    let route = route.with_context(|| format!("no route to {wanted}"))?;
    let hops = route["nexthops"].as_array().cloned().unwrap_or_default();
    Ok(hops
        .iter()
        .map(|hop| hop["weight"].as_u64().unwrap_or(1))
        .collect())
}

/// The share of the first link, a second after `fault`.
fn share_after(bench: &Bench, fault: &[&str]) -> Result<f64> {
    let (from, to) = ends(bench)?;
    let flows = Flows::start(&from, &to, 7200, CONNECTIONS)?;
    pause(Duration::from_secs(1));
    bench.fabric.lab(fault)?;
    pause(Duration::from_secs(1));
    let shares = Flows::shares(&from, &LINKS, COUNTED);
    bench.fabric.lab(&["heal", "r1s1-r1a"])?;
    flows.finish()?;
    Ok(shares?[0])
}

fn shares(bench: &Bench, what: &str, fault: &[&str]) -> Result<Value> {
    let mut found = Vec::new();
    let runs = if bench.quick { 1 } else { bench.runs };
    while found.len() < runs && (found.is_empty() || bench.has_time()) {
        let share = share_after(bench, fault)?;
        say(&format!("{what}: {share:.3}"));
        found.push(share);
    }
    median_of("", found)
}

pub(crate) fn slow(bench: &Bench) -> Result<Value> {
    shares(
        bench,
        "share of the slow path",
        &["delay", "r1s1-r1a", "5ms"],
    )
}

pub(crate) fn lossy(bench: &Bench) -> Result<Value> {
    shares(
        bench,
        "share of the lossy path",
        &["lossy", "r1s1-r1a", "10%"],
    )
}

/// Nothing is wrong: what is farther from a half.
pub(crate) fn equal(bench: &Bench) -> Result<Value> {
    let (from, to) = ends(bench)?;
    let flows = Flows::start(&from, &to, 7200, CONNECTIONS)?;
    pause(Duration::from_secs(1));
    let mut found = Vec::new();
    for _ in 0..bench.runs {
        let share = Flows::shares(&from, &LINKS, COUNTED)?[0];
        say(&format!("share of one of two equal paths: {share:.3}"));
        found.push(share);
    }
    flows.finish()?;
    let median = median(&mut found)?;
    let extremes = [found[0], found[found.len() - 1]];
    let far = |share: f64| (share - 0.5).abs();
    let number = if far(extremes[0]) > far(extremes[1]) {
        extremes[0]
    } else {
        extremes[1]
    };
    Ok(Value {
        number,
        note: format!("{} runs, median {median:.3}", found.len()),
    })
}

/// What swapping did: it is measured once, for two figures.
#[derive(Debug)]
pub(crate) struct Swapped {
    /// Throughput over that of the fast path alone.
    ratio: f64,
    note: String,
    changes: usize,
    swaps: usize,
}

fn swapping(bench: &Bench) -> Result<Swapped> {
    let swaps: u32 = if bench.quick { 3 } else { 20 };
    let (from, to) = ends(bench)?;
    let lab = |words: &[&str]| bench.fabric.lab(words).map(drop);
    lab(&["fail", "r1s1-r1b"])?;
    pause(Duration::from_secs(1));
    let alone = throughput(&from, &to, if bench.quick { 3 } else { 10 }, || Ok(()));
    lab(&["heal", "all"])?;
    let alone = alone?;
    let _both = ends(bench)?;
    let log = std::env::temp_dir().join(format!("rackweave-routes-{}", std::process::id()));
    let watched = format!("exec ip -6 monitor route > {}", log.display());
    let mut monitor = std::process::Command::new("ip")
        .args(["netns", "exec", &from.namespace, "sh", "-c", &watched])
        .spawn()?;
    let seconds = swaps * u32::try_from(SWAP.as_secs())?;
    let swapped = throughput(&from, &to, seconds, || {
        for swap in 0..swaps {
            let (slow, fast) = if swap % 2 == 0 {
                ("r1a", "r1b")
            } else {
                ("r1b", "r1a")
            };
            lab(&["delay", &format!("r1s1-{fast}"), "0ms"])?;
            lab(&["delay", &format!("r1s1-{slow}"), "5ms"])?;
            pause(SWAP);
        }
        Ok(())
    });
    monitor.kill()?;
    monitor.wait()?;
    lab(&["heal", "all"])?;
    let text = std::fs::read_to_string(&log)?;
    std::fs::remove_file(&log)?;
    let octets = to.own()?.octets();
    let rack = format!(
        "{:x}:{:x}:{:x}:",
        word(octets, 0),
        word(octets, 2),
        word(octets, 4)
    );
    let changes = text
        .lines()
        .filter(|line| line.starts_with(&rack) && line.contains("/56"))
        .count();
    let swapped = swapped?;
    let (swaps, ratio) = (usize::try_from(swaps)?, swapped / alone);
    say(&format!(
        "swapping: {swapped:.2} of {alone:.2} Gbit/s, {changes} changes of weights for {swaps} swaps"
    ));
    let note = format!("{swaps} swaps, {swapped:.2} of {alone:.2} Gbit/s");
    Ok(Swapped {
        ratio,
        note,
        changes,
        swaps,
    })
}

fn word(octets: [u8; 16], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

/// What swapping did, measured now or before.
fn swapped(bench: &Bench) -> Result<&Swapped> {
    if bench.swapped.get().is_none() {
        // Nobody else is there who could have set it.
        let _ = bench.swapped.set(swapping(bench)?);
    }
    bench.swapped.get().context("it was measured")
}

pub(crate) fn swapping_throughput(bench: &Bench) -> Result<Value> {
    let swapped = swapped(bench)?;
    Ok(Value {
        number: swapped.ratio,
        note: swapped.note.clone(),
    })
}

pub(crate) fn swapping_changes(bench: &Bench) -> Result<Value> {
    let swapped = swapped(bench)?;
    let [changes, swaps] =
        [swapped.changes, swapped.swaps].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    Ok(Value {
        number: f64::from(changes) / f64::from(swaps),
        note: format!("{changes} changes for {swaps} swaps"),
    })
}

/// Gbit/s of TCP for so many seconds, while something else happens.
fn throughput(
    from: &Node,
    to: &Node,
    seconds: u32,
    meanwhile: impl FnOnce() -> Result<()>,
) -> Result<f64> {
    let (target, seconds) = (to.own()?.to_string(), seconds.to_string());
    to.must(&["iperf3", "-s", "-D", "-1", "-B", &target])?;
    pause(Duration::from_millis(300));
    let text = std::thread::scope(|scope| {
        let words = [
            "iperf3", "-6", "-J", "-P", "4", "-t", &seconds, "-c", &target,
        ];
        let client = scope.spawn(move || from.must(&words));
        let done = meanwhile();
        let text = client.join().ok().context("iperf3's thread panicked")??;
        done?;
        Ok::<_, anyhow::Error>(text)
    })?;
    let reply: Json = serde_json::from_str(&text)?;
    let rate = reply["end"]["sum_received"]["bits_per_second"].as_f64();
    let rate = rate.context("iperf3 says how much arrived")?;
    ensure!(rate > 0.0, "nothing arrived");
    Ok(rate / 1e9)
}
