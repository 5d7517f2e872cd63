//! The figures: names, units, and who measures them.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use rackweave_rig::figures;
use serde_json::Value as Json;

pub(crate) use rackweave_rig::figures::{Value, median, median_of};

use crate::{Bench, losses, shares, start};

/// A figure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    unit: &'static str,
    about: &'static str,
    by: By,
}

#[derive(Clone, Copy, Debug)]
enum By {
    /// In a lab.
    Lab(fn(&Bench) -> Result<Value>),
    /// By the simulator, at this place of its reply.
    Simulator(&'static str),
}

/// All of them, in the order in which they are measured.
pub(crate) const FIGURES: [Figure; 12] = [
    Figure {
        name: "cold_start_ms",
        unit: "ms",
        about: "from the start of all routers until all sleds of 2 racks of 8 reach each other; median",
        by: By::Lab(start::cold_start),
    },
    Figure {
        name: "loss_link_down_ms",
        unit: "ms",
        about: "time without a packet when a link goes down, at the sender's or the receiver's sled; worse median",
        by: By::Lab(losses::link_down),
    },
    Figure {
        name: "loss_silent_death_ms",
        unit: "ms",
        about: "the same when frames vanish and the link stays up",
        by: By::Lab(losses::silent_death),
    },
    Figure {
        name: "loss_switch_death_ms",
        unit: "ms",
        about: "time without a packet when a switch dies without a word; median",
        by: By::Lab(losses::switch_death),
    },
    Figure {
        name: "loss_daemon_restart_packets",
        unit: "packets",
        about: "lost while a router is killed and started anew, on a single-homed and a dual-homed sled and a switch; most of all runs",
        by: By::Lab(losses::daemon_restart),
    },
    Figure {
        name: "loss_heal_packets",
        unit: "packets",
        about: "lost while a link comes back; most of all runs",
        by: By::Lab(losses::heal),
    },
    Figure {
        name: "equal_path_share",
        unit: "share",
        about: "TCP octets on one of two equal paths (what is farther from a half)",
        by: By::Lab(shares::equal),
    },
    Figure {
        name: "slow_path_share_after_1s",
        unit: "share",
        about: "TCP octets on the path that became 5 ms slower, from one second after on; median",
        by: By::Lab(shares::slow),
    },
    Figure {
        name: "lossy_path_share_after_1s",
        unit: "share",
        about: "TCP octets on the path that began to lose 10 %, from one second after on; median",
        by: By::Lab(shares::lossy),
    },
    Figure {
        name: "swapping_throughput_over_fast",
        unit: "ratio",
        about: "TCP throughput while the path that is 5 ms slower changes every 3 s, over that of the fast path alone",
        by: By::Lab(shares::swapping_throughput),
    },
    Figure {
        name: "swapping_weight_changes_over_swaps",
        unit: "ratio",
        about: "how often the weights of the route changed meanwhile, over how often the slow side did",
        by: By::Lab(shares::swapping_changes),
    },
    Figure {
        name: "switch_entries_256x64",
        unit: "entries",
        about: "most routes of a rack switch in 256 racks of 64 sleds, simulated",
        by: By::Simulator("/routers/switch/entries/total"),
    },
];

impl Figure {
    pub(crate) fn needs_lab(&self) -> bool {
        matches!(self.by, By::Lab(_))
    }

    pub(crate) fn measure(&self, bench: &Bench) -> Result<Value> {
        match self.by {
            By::Lab(measure) => measure(bench),
            By::Simulator(_) => self.measure_alone(),
        }
    }

    pub(crate) fn measure_alone(&self) -> Result<Value> {
        match self.by {
            By::Lab(_) => bail!("it takes a lab"),
            By::Simulator(place) => simulate(place),
        }
    }

    pub(crate) fn known(&self) -> Json {
        figures::known(self.name, self.unit, self.about)
    }

    pub(crate) fn row(&self, value: &Result<Value>, quick: bool) -> Json {
        figures::row(self.name, self.unit, value, quick)
    }
}

/// Runs the simulator, which stands beside this program, for 256 racks of 64 sleds, and reads a number of its reply.
fn simulate(place: &str) -> Result<Value> {
    let path = std::env::current_exe()?.with_file_name("rackweave-sim");
    let words = ["scale", "--racks", "256", "--sleds", "64", "--json"];
    let output = Command::new(&path)
        .args(words)
        .output()
        .with_context(|| format!("cannot run {}", path.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the simulator found something wrong: {}",
        said.trim()
    );
    let reply: Json =
        serde_json::from_slice(&output.stdout).context("the simulator said no JSON")?;
    let number = reply.pointer(place).and_then(Json::as_f64);
    Ok(Value {
        number: number.with_context(|| format!("the simulator said nothing at {place}"))?,
        note: "one run from a seed".to_owned(),
    })
}
