//! Measures the engine for `cargo xtask figures engine`: one figure, one JSON object a line.
//!
//! `--list` names the figures, `--only` picks some, `--quick` makes the same measurements shorter and
//! `--seconds` says after how many seconds the rest is left out.
#![forbid(unsafe_code)]

mod figures;

use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use rackweave_bench::clock::Moment;
use rackweave_bench::instructions;
use serde::Serialize;

use crate::figures::{Figure, Measurer};

/// Measures the engine, one JSON object a line.
#[derive(Debug, Parser)]
struct Args {
    /// Name the figures and measure nothing
    #[arg(long)]
    list: bool,
    /// Measure these figures alone
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// The same measurements made shorter
    #[arg(long)]
    quick: bool,
    /// Be done after so many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    #[arg(long = "run-counted-workloads", hide = true)]
    run_counted_workloads: bool,
}

fn main() -> Result<()> {
    let start = Moment::now();
    let args = Args::parse();
    if args.run_counted_workloads {
        return instructions::run_workloads();
    }
    let wanted = |figure: &Figure| args.only.is_empty() || args.only.contains(&figure.name);
    let figures = figures::all().into_iter().filter(wanted);
    if args.list {
        for figure in figures {
            print(&json(&figure.known())?);
        }
        return Ok(());
    }
    let mut measurer = Measurer::new(args.quick);
    for figure in figures {
        let left = args.seconds.map(|seconds| {
            Duration::from_secs(seconds)
                .saturating_sub(start.elapsed())
                .as_secs_f64()
        });
        print(&json(&measurer.measure(&figure, left))?);
    }
    Ok(())
}

fn json(row: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(row)?)
}

#[expect(
    clippy::print_stdout,
    reason = "the one place that talks to `cargo xtask figures`"
)]
fn print(line: &str) {
    println!("{line}");
}
