//! What is lost when something fails, ends, or comes back.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rackweave_rig::{Losses, Node, Probe, wait_until};

use crate::figure::{Value, median_of};
use crate::{Bench, pause, say};

/// The probe's port at the receiver; those of senders are tried until one takes the wanted path.
const PORT: u16 = 7100;
const PORTS: Range<u16> = 20_000..20_024;
/// How long a probe runs before the fault and after.
const BEFORE: Duration = Duration::from_millis(150);
const AFTER: Duration = Duration::from_millis(400);
/// How long a lab may take until all is well again.
const WELL: Duration = Duration::from_mins(1);

/// Sender, receiver, the sender's port, and the switch that is on the path.
struct Path {
    from: Node,
    to: Node,
    ports: (u16, u16),
    switch: String,
}

impl Path {
    /// The path of the run with this number: sleds take turns, and so do switches.
    fn of(bench: &Bench, run: usize) -> Result<Self> {
        let sleds = usize::from(bench.sleds);
        let (from, to) = (run % sleds + 1, (run + 1) % sleds + 1);
        let switch = ["r1a", "r1b"][run / sleds % 2];
        let path = Self::between(bench, &format!("r1s{from}"), &format!("r1s{to}"), switch)?;
        path.wait_until_well(bench)?;
        Ok(path)
    }

    fn between(bench: &Bench, from: &str, to: &str, switch: &str) -> Result<Self> {
        let (from, to) = (bench.fabric.node(from)?, bench.fabric.node(to)?);
        let mut path = Self {
            from,
            to,
            ports: (0, PORT),
            switch: switch.into(),
        };
        let link = format!("to-{switch}");
        wait_until(WELL, &format!("a path through {switch}"), || {
            let ways = path.from.ways(path.to.own()?, PORTS, PORT)?;
            let found = PORTS.zip(ways).find(|(_, way)| *way == link);
            path.ports.0 = found.as_ref().map_or(0, |(port, _)| *port);
            Ok(found.is_some())
        })?;
        Ok(path)
    }

    /// Waits until sender and receiver have both their links in use.
    fn wait_until_well(&self, bench: &Bench) -> Result<()> {
        let [from, to] = [&self.from, &self.to].map(|node| node.name.clone());
        wait_until(
            WELL,
            &format!("{from} and {to} use both their links"),
            || {
                let both = |node: &Node, other: &Node| -> Result<bool> {
                    let ways = node.ways(other.own()?, PORTS, PORT)?;
                    Ok(["to-r1a", "to-r1b"]
                        .iter()
                        .all(|link| ways.iter().any(|way| way == link)))
                };
                let switch = |name: &str| -> Result<bool> {
                    let ways = bench.fabric.node(name)?.ways(self.to.own()?, 1..2, PORT)?;
                    Ok(ways == [format!("to-{to}")])
                };
                Ok(both(&self.from, &self.to)?
                    && both(&self.to, &self.from)?
                    && switch("r1a")?
                    && switch("r1b")?)
            },
        )
    }

    /// What is lost while `event` happens.
    fn while_that(&self, event: impl FnOnce() -> Result<()>) -> Result<Losses> {
        let probe = Probe::start(&self.from, &self.to, self.ports)?;
        pause(BEFORE);
        event()?;
        pause(AFTER);
        let losses = probe.finish()?;
        ensure!(
            losses.lost < losses.sent,
            "nothing arrived from {} at {}",
            self.from.name,
            self.to.name
        );
        Ok(losses)
    }

    fn near(&self) -> String {
        format!("{}-{}", self.from.name, self.switch)
    }

    fn far(&self) -> String {
        format!("{}-{}", self.to.name, self.switch)
    }
}

pub(crate) fn link_down(bench: &Bench) -> Result<Value> {
    link(bench, "link down", &[])
}

pub(crate) fn silent_death(bench: &Bench) -> Result<Value> {
    link(bench, "silent death", &["--silent"])
}

/// The worse median of links at the sender and at the receiver.
fn link(bench: &Bench, what: &str, how: &[&str]) -> Result<Value> {
    let mut worst: Option<Value> = None;
    for (at, near) in [("sender's link", true), ("receiver's link", false)] {
        let mut times = Vec::new();
        for run in 0..bench.runs {
            if !times.is_empty() && !bench.has_time() {
                break;
            }
            let path = Path::of(bench, run)?;
            let link = if near { path.near() } else { path.far() };
            let words = [&["fail", link.as_str()], how].concat();
            let losses = path.while_that(|| bench.fabric.lab(&words).map(drop))?;
            bench.fabric.lab(&["heal", &link])?;
            let ms = losses.gap.as_secs_f64() * 1_000.0;
            say(&format!(
                "{what}, {at} {link}: {ms:.1} ms, {} packets",
                losses.lost
            ));
            times.push(ms);
        }
        let value = median_of(&format!("{at}: "), times)?;
        if worst
            .as_ref()
            .is_none_or(|worst| worst.number < value.number)
        {
            worst = Some(value);
        }
    }
    worst.context("two kinds were measured")
}

/// A switch that stops: its links are silent, and nothing runs in it.
pub(crate) fn switch_death(bench: &Bench) -> Result<Value> {
    let mut times = Vec::new();
    for run in 0..bench.runs {
        if !times.is_empty() && !bench.has_time() {
            break;
        }
        let path = Path::of(bench, run)?;
        let lab = |words: &[&str]| bench.fabric.lab(words).map(drop);
        let losses = path.while_that(|| lab(&["fail", &path.switch, "--silent"]));
        lab(&["kill", &path.switch, "--all"])?;
        lab(&["heal", &path.switch])?;
        lab(&["start", &path.switch])?;
        let ms = losses?.gap.as_secs_f64() * 1_000.0;
        say(&format!("death of switch {}: {ms:.1} ms", path.switch));
        times.push(ms);
    }
    median_of("", times)
}

/// A router is killed and started anew: of a sled with one link, of one with two, and of a switch.
pub(crate) fn daemon_restart(bench: &Bench) -> Result<Value> {
    let lab = |words: &[&str]| bench.fabric.lab(words).map(drop);
    let mut most: Vec<f64> = Vec::new();
    let mut runs = 0;
    for run in 0..bench.runs {
        if run > 0 && !bench.has_time() {
            break;
        }
        let path = Path::of(bench, run)?;
        let restart = |node: &str| {
            path.while_that(|| {
                lab(&["kill", node])?;
                pause(BEFORE);
                lab(&["start", node])?;
                // Until what the new one does to the kernel's table would have shown.
                pause(Duration::from_secs(2));
                Ok(())
            })
        };
        let mut lost = vec![restart(&path.from.name)?.lost, restart(&path.switch)?.lost];
        let other = if path.switch == "r1a" { "r1b" } else { "r1a" };
        let spare = format!("{}-{other}", path.from.name);
        lab(&["fail", &spare])?;
        pause(Duration::from_secs(1));
        let single = restart(&path.from.name);
        lab(&["heal", &spare])?;
        lost.push(single?.lost);
        say(&format!(
            "restart of sled, switch, sled with one link: {lost:?} packets lost"
        ));
        runs += 1;
        for lost in lost {
            most.push(f64::from(u32::try_from(lost)?));
        }
    }
    Ok(Value {
        number: most.iter().copied().fold(0.0, f64::max),
        note: format!("{runs} runs of three restarts"),
    })
}

/// A link that was down comes back.
pub(crate) fn heal(bench: &Bench) -> Result<Value> {
    let lab = |words: &[&str]| bench.fabric.lab(words).map(drop);
    let mut most: f64 = 0.0;
    let mut runs = 0;
    for run in 0..bench.runs {
        if run > 0 && !bench.has_time() {
            break;
        }
        let path = Path::of(bench, run)?;
        let link = [path.near(), path.far()][run % 2].clone();
        lab(&["fail", &link])?;
        pause(Duration::from_secs(1));
        let losses = path.while_that(|| {
            lab(&["heal", &link])?;
            // Until traffic has come back to it.
            path.wait_until_well(bench)
        })?;
        say(&format!(
            "{link} comes back: {} packets lost of {}",
            losses.lost, losses.sent
        ));
        most = most.max(f64::from(u32::try_from(losses.lost)?));
        runs += 1;
    }
    Ok(Value {
        number: most,
        note: format!("{runs} runs"),
    })
}
