//! Measures the fabric for `cargo xtask figures fabric`: one figure, one JSON object a line.
//!
//! It stands here, beside the rig that tests use: figures and tests see a lab through the same probes.
//! Its command line is that of all such programs ([`rackweave_rig::figures`]); `--sleds` makes another lab than that of the figures, for a first look.

mod figure;
mod losses;
mod shares;
mod start;

use std::cell::OnceCell;

use anyhow::{Context, Result, bail};
use rackweave_rig::Fabric;
use rackweave_rig::figures::{Args, pause, print, program, say};

use figure::{FIGURES, Figure, Value};

/// Sleds of each rack of the lab, where `--sleds` says nothing.
const SLEDS: u8 = 8;

/// What measuring has at hand.
#[derive(Debug)]
struct Bench {
    /// Two racks.
    fabric: Fabric,
    /// The sleds of each.
    sleds: u8,
    /// How many runs make a median.
    runs: usize,
    /// Runs of a minute are made so much shorter.
    quick: bool,
    args: Args,
    swapped: OnceCell<shares::Swapped>,
}

impl Bench {
    /// Whether there is time for another run.
    fn has_time(&self) -> bool {
        self.args.has_time()
    }
}

fn main() -> Result<()> {
    let mut sleds = SLEDS;
    let args = Args::read(|word, next| {
        if word != "--sleds" {
            return Ok(false);
        }
        sleds = next.context("--sleds N")?.parse()?;
        Ok(true)
    })?;
    let wanted = |figure: &&Figure| args.wants(figure.name);
    let wanted: Vec<_> = FIGURES.iter().filter(wanted).collect();
    if args.list {
        for figure in wanted {
            print(&figure.known());
        }
        return Ok(());
    }
    if wanted.iter().any(|figure| figure.needs_lab()) && !rackweave_rig::may_run("fabric figures") {
        bail!("a lab is made of network namespaces: run this as root");
    }
    let program = program()?;
    let mut bench = None;
    for figure in wanted {
        let value = measure(figure, &args, sleds, &program, &mut bench);
        print(&figure.row(&value, args.quick));
    }
    Ok(())
}

fn measure(
    figure: &Figure,
    args: &Args,
    sleds: u8,
    program: &str,
    bench: &mut Option<Bench>,
) -> Result<Value> {
    if !args.has_time() {
        bail!("no time left");
    }
    if !figure.needs_lab() {
        return figure.measure_alone();
    }
    if bench.is_none() {
        *bench = Some(Bench {
            fabric: Fabric::start(program, 2, sleds, &[])?,
            sleds,
            runs: if args.quick { 2 } else { 10 },
            quick: args.quick,
            args: args.clone(),
            swapped: OnceCell::new(),
        });
    }
    figure.measure(bench.as_ref().context("a lab")?)
}
