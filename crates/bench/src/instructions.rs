//! Instructions that the engine executes, which no other program on the machine can disturb.
//!
//! A program counts its own: it starts itself again under valgrind (the tool callgrind) with
//! [`ARGUMENT`], runs each workload between marks, and reads what callgrind wrote at them.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs, process};

use anyhow::{Context, Result, bail, ensure};
use rackweave_engine::Direction;

use crate::established::{Established, How};
use crate::lookup::{Lookups, Set};
use crate::opening::Opening;
use crate::rounds::Rounds;
use crate::traffic::Kind;

/// With this argument a program calls [`run_workloads`] and does nothing else.
pub const ARGUMENT: &str = "--run-counted-workloads";

/// Established flows whose packets are counted.
const ESTABLISHED: u32 = 16;
/// New flows that are counted.
const OPENED: u32 = 1_024;
/// Rules of the set in which lookups are counted.
const RULES: usize = 10_000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Packets of 16 established flows.
    Hit(Kind, Direction, How),
    /// First packets.
    New(Kind, Direction),
    /// Lookups in 10,000 rules.
    Rules,
}

impl Workload {
    /// Every workload, in the order in which they run.
    pub fn all() -> impl Iterator<Item = Self> {
        let ways = || {
            let both = |kind| [(kind, Direction::Out), (kind, Direction::In)];
            Kind::ALL.into_iter().flat_map(both)
        };
        let hits = ways().flat_map(|(kind, direction)| {
            [How::Single, How::Batch].map(|how| Self::Hit(kind, direction, how))
        });
        let news = ways().map(|(kind, direction)| Self::New(kind, direction));
        hits.chain(news).chain([Self::Rules])
    }

    /// Runs it between three marks: after the first comes what is not the engine's, after the
    /// second the same with the engine. Says how many packets or lookups that were.
    fn run(self) -> Result<u32> {
        match self {
            Self::Hit(kind, direction, how) => {
                let mut flows = Established::open(kind, ESTABLISHED)?;
                flows.prepare(direction);
                mark(0);
                flows.send(How::Copied)?;
                mark(1);
                flows.send(how)?;
                mark(2);
                Ok(flows.round())
            }
            Self::New(kind, direction) => {
                let mut flows = Opening::new(kind, direction, OPENED, OPENED)?;
                mark(0);
                flows.send(How::Copied)?;
                mark(1);
                flows.send(How::Single)?;
                mark(2);
                Ok(OPENED)
            }
            Self::Rules => {
                let lookups = Lookups::new(Set::Rules, RULES);
                mark(0);
                mark(1);
                lookups.look_up();
                mark(2);
                Ok(lookups.each())
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
#[expect(
    clippy::print_stdout,
    reason = "read by the program that started this one"
)]
pub fn run_workloads() -> Result<()> {
    for workload in Workload::all() {
        println!("{}", workload.run()?);
    }
    Ok(())
}

/// Instructions for one packet, flow or lookup of each workload.
///
/// # Errors
/// Where valgrind is not there or does not count.
pub fn count() -> Result<Vec<(Workload, f64)>> {
    let folder = env::temp_dir().join(format!("rackweave-instructions-{}", process::id()));
    fs::create_dir_all(&folder).context("cannot make a temporary folder")?;
    let counted = count_in(&folder);
    fs::remove_dir_all(&folder).context("cannot remove the temporary folder")?;
    counted
}

fn count_in(folder: &Path) -> Result<Vec<(Workload, f64)>> {
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
        bail!("valgrind did not count ({})", output.status);
    }
    let printed = String::from_utf8(output.stdout)?;
    let packets: Vec<u32> = printed.lines().map(str::parse).collect::<Result<_, _>>()?;
    ensure!(
        packets.len() == Workload::all().count(),
        "{} workloads ran",
        packets.len()
    );
    let pairs = Workload::all().zip(packets).enumerate();
    pairs
        .map(|(at, (workload, packets))| {
            // Three marks each, and callgrind counts its files from 1.
            let [without, with] = [3 * at + 2, 3 * at + 3]
                .map(|part| instructions(&folder.join(format!("out.{part}"))));
            Ok((workload, (with? - without?) / f64::from(packets)))
        })
        .collect()
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
