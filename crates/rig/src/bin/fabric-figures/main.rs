//! Measures the fabric for `cargo xtask figures fabric`: one figure, one JSON object a line.
//!
//! It stands here, beside the rig that tests use: figures and tests see a lab through the same probes.
//! `--list` names the figures, `--only` picks some, `--quick` makes the same measurements shorter and `--seconds` says
//! after how many seconds the rest is left out. `--sleds` makes another lab than that of the figures, for a first look.

mod figure;
mod losses;
mod shares;
mod start;

use std::cell::OnceCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rackweave_rig::Fabric;

use figure::{FIGURES, Figure, Value};

/// Sleds of each rack of the lab, where `--sleds` says nothing.
const SLEDS: u8 = 8;

/// What the command line says.
#[derive(Debug, Default)]
struct Args {
    list: bool,
    quick: bool,
    until: Option<Instant>,
    only: Vec<String>,
    sleds: u8,
}

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
    until: Option<Instant>,
    swapped: OnceCell<shares::Swapped>,
}

impl Bench {
    /// Whether there is time for another run.
    fn has_time(&self) -> bool {
        self.until.is_none_or(|until| now() < until)
    }
}

fn main() -> Result<()> {
    let args = args()?;
    let wanted =
        |figure: &&Figure| args.only.is_empty() || args.only.iter().any(|name| name == figure.name);
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
        let value = measure(figure, &args, &program, &mut bench);
        print(&figure.row(&value, args.quick));
    }
    Ok(())
}

fn measure(
    figure: &Figure,
    args: &Args,
    program: &str,
    bench: &mut Option<Bench>,
) -> Result<Value> {
    if args.until.is_some_and(|until| now() >= until) {
        bail!("no time left");
    }
    if !figure.needs_lab() {
        return figure.measure_alone();
    }
    if bench.is_none() {
        *bench = Some(Bench {
            fabric: Fabric::start(program, 2, args.sleds, &[])?,
            sleds: args.sleds,
            runs: if args.quick { 2 } else { 10 },
            quick: args.quick,
            until: args.until,
            swapped: OnceCell::new(),
        });
    }
    figure.measure(bench.as_ref().context("a lab")?)
}

fn args() -> Result<Args> {
    let mut args = Args {
        sleds: SLEDS,
        ..Args::default()
    };
    let mut words = std::env::args().skip(1).peekable();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--list" => args.list = true,
            "--quick" => args.quick = true,
            "--sleds" => args.sleds = words.next().context("--sleds N")?.parse()?,
            "--seconds" => {
                let seconds = words.next().context("--seconds N")?.parse()?;
                args.until = Some(now() + Duration::from_secs(seconds));
            }
            "--only" => {
                while let Some(name) = words.next_if(|word| !word.starts_with("--")) {
                    args.only.push(name);
                }
            }
            other => bail!("unknown argument {other}"),
        }
    }
    Ok(args)
}

/// The program that is measured: built beside this one.
fn program() -> Result<String> {
    let own: PathBuf = std::env::current_exe()?;
    let program = own.with_file_name("rackweave");
    if !program.exists() {
        bail!(
            "{} is not there: cargo build --release -p rackweave",
            program.display()
        );
    }
    Ok(program.display().to_string())
}

#[expect(clippy::disallowed_methods, reason = "what is measured is time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "between a fault and its end real time passes"
)]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

#[expect(
    clippy::print_stdout,
    reason = "the one place that talks to `cargo xtask figures`"
)]
fn print(line: &serde_json::Value) {
    println!("{line}");
}

/// Tells who waits how far it is.
#[expect(clippy::print_stderr, reason = "standard error is for people")]
fn say(text: &str) {
    eprintln!("{text}");
}
