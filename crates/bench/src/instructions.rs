//! Instructions that the engine executes, which no other program on the machine can disturb.
//!
//! A program counts its own: it starts itself again under valgrind (the tool callgrind) with
//! [`ARGUMENT`], runs each workload between two marks, and reads what callgrind wrote at them.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs, process};

use anyhow::{Context, Result, bail, ensure};
use rackweave_engine::Direction;

use crate::established::{Established, How};
use crate::lookup::{Lookups, Set};
use crate::opening::Opening;
use crate::traffic::Kind;

/// With this argument a program runs the workloads and nothing else.
pub const ARGUMENT: &str = "--run-counted-workloads";

/// New flows that are counted.
const OPENED: u32 = 1_024;
/// Rules of the set in which lookups are counted.
const RULES: usize = 10_000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    /// Packets of 16 established flows: place in [`Kind::ALL`], inbound, in batches.
    Hit(usize, bool, bool),
    /// First packets: place in [`Kind::ALL`], inbound.
    New(usize, bool),
    /// Lookups in 10,000 rules.
    Rules,
}

impl Workload {
    /// Every workload, in the order in which they run.
    pub fn all() -> impl Iterator<Item = Self> {
        let ways = || (0..Kind::ALL.len()).flat_map(|kind| [(kind, false), (kind, true)]);
        let hits = ways()
            .flat_map(|(kind, inbound)| [false, true].map(|batch| Self::Hit(kind, inbound, batch)));
        hits.chain(ways().map(|(kind, inbound)| Self::New(kind, inbound)))
            .chain([Self::Rules])
    }

    /// Runs it between three marks: after the first comes what is not the engine's, after the
    /// second the same with the engine. Says how many packets or lookups that were.
    fn run(self) -> Result<usize> {
        let way = |inbound| {
            if inbound {
                Direction::In
            } else {
                Direction::Out
            }
        };
        match self {
            Self::Hit(kind, inbound, batch) => {
                let mut flows = Established::open(Kind::ALL[kind], 16)?;
                let how = if batch { How::Batch } else { How::Single };
                flows.prepare(way(inbound));
                mark(0);
                flows.round_of(way(inbound), How::Copied)?;
                mark(1);
                flows.round_of(way(inbound), how)?;
                mark(2);
                Ok(flows.round())
            }
            Self::New(kind, inbound) => {
                let mut flows = Opening::new(Kind::ALL[kind], way(inbound), OPENED)?;
                mark(0);
                flows.send(How::Copied)?;
                mark(1);
                flows.send(How::Single)?;
                mark(2);
                Ok(usize::try_from(OPENED)?)
            }
            Self::Rules => {
                let lookups = Lookups::new(Set::Rules, RULES)?;
                mark(0);
                mark(1);
                black_box(lookups.round());
                mark(2);
                Ok(lookups.len())
            }
        }
    }
}

/// Where callgrind writes what it has counted since the last time.
#[inline(never)]
fn mark(step: u32) {
    black_box(step);
}

/// Runs the workloads, under callgrind; prints how many packets each had.
///
/// # Errors
/// Where one cannot be run.
pub fn run_workloads(mut each: impl FnMut(usize)) -> Result<()> {
    for workload in Workload::all() {
        each(workload.run()?);
    }
    Ok(())
}

/// Instructions for one packet, flow or lookup of each workload.
///
/// # Errors
/// Where valgrind is not there or does not count.
pub fn count() -> Result<BTreeMap<Workload, f64>> {
    let folder = env::temp_dir().join(format!("rackweave-instructions-{}", process::id()));
    fs::create_dir_all(&folder).context("cannot make a temporary folder")?;
    let counted = count_in(&folder);
    fs::remove_dir_all(&folder).context("cannot remove the temporary folder")?;
    counted
}

fn count_in(folder: &Path) -> Result<BTreeMap<Workload, f64>> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--dump-after=*instructions*mark*"]);
    command.arg(format!(
        "--callgrind-out-file={}",
        folder.join("out").display()
    ));
    command.arg(env::current_exe()?).arg(ARGUMENT);
    let output = command
        .stdin(Stdio::null())
        .output()
        .context("valgrind is needed to count")?;
    if !output.status.success() {
        bail!(
            "valgrind failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let printed = String::from_utf8(output.stdout)?;
    let packets: Vec<u32> = printed.lines().map(str::parse).collect::<Result<_, _>>()?;
    let mut counted = BTreeMap::new();
    for (at, (workload, packets)) in Workload::all().zip(&packets).enumerate() {
        let [without, with] =
            [3 * at + 2, 3 * at + 3].map(|part| instructions(&folder.join(format!("out.{part}"))));
        counted.insert(workload, (with? - without?) / f64::from((*packets).max(1)));
    }
    ensure!(
        counted.len() == Workload::all().count(),
        "{} workloads counted",
        counted.len()
    );
    Ok(counted)
}

/// The sum in one of callgrind's files.
fn instructions(file: &Path) -> Result<f64> {
    let text = fs::read_to_string(file).with_context(|| format!("no {}", file.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals:"));
    Ok(total
        .context("no total in callgrind's file")?
        .trim()
        .parse()?)
}
