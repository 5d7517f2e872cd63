//! The figures: names, units, and who measures them.

use anyhow::{Result, ensure};
use rackweave_rig::figures::{self, Value};
use serde_json::Value as Json;

use crate::{Bench, cables, isolation, live, rack};

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
    /// In the model alone.
    Model(fn() -> Result<Value>),
}

/// All of them, in the order in which they are measured.
pub(crate) const FIGURES: [Figure; 9] = [
    Figure {
        name: "swaps_named",
        unit: "faults",
        about: "single faults of cables that are named for what they are, and alone: every swap of two at one switch, every left/right swap, every missing cable",
        by: By::Model(|| counted(|named| named.named)),
    },
    Figure {
        name: "swaps_total",
        unit: "faults",
        about: "such faults in a rack of 32 cubbies, two switches and two PSCs",
        by: By::Model(|| counted(|named| named.total)),
    },
    Figure {
        name: "isolation_leaks",
        unit: "frames",
        about: "frames that arrive where they must not: from every service processor and into every port, every id with none, one and two tags, to one and to all",
        by: By::Model(isolated),
    },
    Figure {
        name: "discover_cold_ms",
        unit: "ms",
        about: "from the start of all programs until both gateways have found and located 36 service processors; median",
        by: By::Lab(live::cold),
    },
    Figure {
        name: "discover_restart_ms",
        unit: "ms",
        about: "from the start of a gateway that was killed until it has found and located all of them; median",
        by: By::Lab(live::restart),
    },
    Figure {
        name: "discover_lossy_ms",
        unit: "ms",
        about: "the same while 20 % of the frames of every cable vanish; median",
        by: By::Lab(live::lossy),
    },
    Figure {
        name: "swap_named_ms",
        unit: "ms",
        about: "from two cables swapped at a switch until both gateways name them; worst run",
        by: By::Lab(live::swap_named),
    },
    Figure {
        name: "mgs_cpu_percent",
        unit: "%",
        about: "of one core, of a gateway of 36 service processors with nothing else to do",
        by: By::Lab(live::cpu),
    },
    Figure {
        name: "mgs_memory_mib",
        unit: "MiB",
        about: "that the same gateway holds",
        by: By::Lab(live::memory),
    },
];

impl Figure {
    pub(crate) fn needs_lab(&self) -> bool {
        matches!(self.by, By::Lab(_))
    }

    pub(crate) fn measure(&self, bench: Option<&Bench>) -> Result<Value> {
        match (self.by, bench) {
            (By::Lab(measure), Some(bench)) => measure(bench),
            (By::Lab(_), None) => anyhow::bail!("it takes a lab"),
            (By::Model(measure), _) => measure(),
        }
    }

    pub(crate) fn known(&self) -> Json {
        figures::known(self.name, self.unit, self.about)
    }

    pub(crate) fn row(&self, value: &Result<Value>, quick: bool) -> Json {
        figures::row(self.name, self.unit, value, quick && self.needs_lab())
    }
}

fn counted(of: fn(&cables::Named) -> u32) -> Result<Value> {
    let named = cables::all(&rack()?)?;
    Ok(Value {
        number: of(&named).into(),
        note: "all of them, in the model of the chips".to_owned(),
    })
}

fn isolated() -> Result<Value> {
    let isolation = isolation::all(&rack()?);
    ensure!(isolation.frames > 0, "no frame was sent");
    Ok(Value {
        number: u32::try_from(isolation.leaks)?.into(),
        note: format!("{} frames, in the model of the chips", isolation.frames),
    })
}
