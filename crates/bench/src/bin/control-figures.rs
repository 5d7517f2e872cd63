//! Measures control for `cargo xtask figures control`: one figure, one JSON object a line.
#![forbid(unsafe_code)]

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use rackweave_bench::clock::Moment;
use rackweave_bench::control::Fleet;
use serde_json::json;

/// Measures control, one JSON object a line.
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
}

/// Names, units, and what they tell.
const FIGURES: [(&str, &str, &str); 4] = [
    (
        "plan_full_10k_ms",
        "ms",
        "Planning an AZ of 10,000 sleds, 200,000 ports and 2,000 VPCs from nothing",
    ),
    (
        "plan_full_10k_mb",
        "MB",
        "Memory of the program with that AZ and its plan",
    ),
    (
        "plan_port_add_10k_ms",
        "ms",
        "Planning one port more there, and writing what each sled is told; the slowest of 100",
    ),
    (
        "plan_rule_1000_ports_ms",
        "ms",
        "The same for a firewall rule that concerns 1,000 ports on as many sleds; the slowest of 20",
    ),
];

/// Sleds and VPCs in full, and of `--quick`.
const SIZES: [(u32, u32); 2] = [(10_000, 2_000), (2_000, 400)];

fn main() -> Result<()> {
    let start = Moment::now();
    let args = Args::parse();
    if args.list {
        for (figure, unit, about) in FIGURES {
            let known = json!({"figure": figure, "unit": unit, "about": about});
            print(&known.to_string());
        }
        return Ok(());
    }
    let (sleds, vpcs) = SIZES[usize::from(args.quick)];
    let scale = args
        .quick
        .then(|| format!("{sleds} of {} sleds", SIZES[0].0));
    let row = |figure: &str, value: f64| {
        let known = FIGURES.iter().find(|(name, ..)| *name == figure);
        let wanted = args.only.is_empty() || args.only.iter().any(|name| name == figure);
        if let Some((_, unit, _)) = known.filter(|_| wanted) {
            let mut row = json!({"figure": figure, "value": value, "unit": unit});
            if let Some(scale) = &scale {
                row["scale"] = json!(scale);
            }
            print(&row.to_string());
        }
    };
    let mut fleet = Fleet::new(sleds, vpcs)?;
    row("plan_full_10k_ms", fleet.plan().as_secs_f64() * 1e3);
    row("plan_full_10k_mb", resident_mb()?);
    let in_time = || {
        let left = args.seconds.map(Duration::from_secs);
        left.is_none_or(|left| start.elapsed() < left)
    };
    let mut slowest = 0.0_f64;
    for number in (0..100).take_while(|_| in_time()) {
        slowest = slowest.max(fleet.add_port(number)?.as_secs_f64() * 1e3);
    }
    row("plan_port_add_10k_ms", slowest);
    let mut slowest = 0.0_f64;
    for number in (0..20).take_while(|_| in_time()) {
        slowest = slowest.max(fleet.add_rule(number)?.as_secs_f64() * 1e3);
    }
    row("plan_rule_1000_ports_ms", slowest);
    Ok(())
}

/// The memory that this process has, in MB (`proc_pid_status(5)`, `VmRSS`).
fn resident_mb() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: f64 = kilobytes.context("no VmRSS")?.parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}

#[expect(
    clippy::print_stdout,
    reason = "the one place that talks to `cargo xtask figures`"
)]
fn print(line: &str) {
    println!("{line}");
}
