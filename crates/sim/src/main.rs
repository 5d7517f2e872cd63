//! `rackweave-sim`: whole racks in virtual time, from the command line.

mod measure;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use measure::Measure;
use rackweave_sim::campaign::campaign;
use rackweave_sim::fault::{parts, singles_and_pairs};
use rackweave_sim::scale::{self, Entries, Scale, Shape, Step};
use rackweave_sim::topology::Topology;
use serde_json::json;

/// Whole racks in virtual time, from a seed.
#[derive(Debug, Parser)]
#[command(name = "rackweave-sim")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Every single and every pair of link and switch failures, in a full mesh of racks
    Failures(Failures),
    /// What a router takes of memory, that was told this
    #[command(hide = true)]
    Measure(Measure),
    /// What a large fabric behind spines costs: entries of switches, time to converge, messages and memory of routers
    Scale(Large),
}

#[derive(Debug, Args)]
struct Failures {
    /// Racks
    #[arg(long, default_value_t = 3)]
    racks: usize,
    /// Sleds of each rack
    #[arg(long, default_value_t = 8)]
    sleds: usize,
    /// The seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Large {
    /// Racks
    #[arg(long, default_value_t = 256)]
    racks: usize,
    /// Sleds of each rack
    #[arg(long, default_value_t = 64)]
    sleds: usize,
    /// The seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// As JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let good = match Cli::parse().command {
        Command::Failures(args) => failures(&args),
        Command::Scale(args) => large(&args),
        Command::Measure(args) => match args.run() {
            Ok(octets) => {
                say(&octets.to_string());
                true
            }
            Err(error) => complain(&error),
        },
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn failures(args: &Failures) -> bool {
    let topology = Topology::mesh(args.racks, args.sleds);
    let cases = singles_and_pairs(&parts(&topology));
    let outcome = campaign(&topology, &cases, args.seed, 10);
    let mut took: Vec<_> = outcome.took.iter().map(|(failed, _)| *failed).collect();
    took.sort_unstable();
    let (median, worst) = (took.get(took.len() / 2), took.last());
    if args.json {
        print(&json!({
            "cases": outcome.cases,
            "failures": outcome.failures.len(),
            "converged_median_us": median.map(Duration::as_micros),
            "converged_worst_us": worst.map(Duration::as_micros),
        }));
    } else {
        say(&format!(
            "{} racks × {} sleds: {} cases, {} wrong; routes are calm after {median:?} (median), {worst:?} (worst)",
            args.racks,
            args.sleds,
            outcome.cases,
            outcome.failures.len(),
        ));
        say(&outcome.describe());
    }
    outcome.failures.is_empty()
}

fn large(args: &Large) -> bool {
    let shape = Shape {
        racks: args.racks,
        sleds: args.sleds,
        seed: args.seed,
    };
    let mut world = scale::world(shape);
    let (scale, tapes) = scale::scale(&mut world, shape, |step| {
        if !args.json {
            say(&describe(step));
        }
    });
    let memory = match measure::memory(shape, &world.topology, &tapes) {
        Ok(memory) => memory,
        Err(error) => return complain(&error),
    };
    if args.json {
        let mut reply = json!(scale);
        reply["memory_octets"] = json!(memory);
        print(&reply);
    } else {
        say(&summary(&scale));
        for (kind, octets) in memory {
            say(&format!("memory of a {kind}'s router: {octets} octets"));
        }
    }
    scale
        .steps
        .iter()
        .all(|step| step.converged_us.is_some() && step.violations.is_empty())
}

fn describe(step: &Step) -> String {
    let time = step
        .converged_us
        .map_or("not calm".into(), |us| format!("calm after {us} µs"));
    let Step {
        what,
        messages,
        routes,
        ..
    } = step;
    let entries = step.switch_entries.total;
    let mut lines = vec![format!(
        "{what}: {time}, {messages} messages, {routes} routes, at most {entries} entries a switch"
    )];
    lines.extend(step.violations.iter().map(|one| format!("  {one}")));
    lines.join("\n")
}

fn summary(scale: &Scale) -> String {
    let mut lines = vec![format!("{} nodes, {} cables", scale.nodes, scale.cables)];
    for (role, of) in &scale.routers {
        let Entries {
            own_sleds,
            racks,
            service,
            disaggregated,
            sites,
            bootstrap,
            total,
        } = of.entries;
        lines.push(format!(
            "{role}: {} of them, at most {} fabric ports",
            of.count, of.fabric_ports
        ));
        lines.push(format!(
            "  {total} entries: {own_sleds} own sleds, {racks} racks, {service} service, {disaggregated} disaggregated, \
             {sites} sites, {bootstrap} bootstrap; {} ways heard of",
            of.candidates_max
        ));
        lines.push(format!(
            "  {} messages (at most {}), {} octets",
            of.messages_mean, of.messages_max, of.octets_mean
        ));
    }
    lines.join("\n")
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where this program complains"
)]
fn complain(error: &std::io::Error) -> bool {
    eprintln!("rackweave-sim: cannot measure memory: {error}");
    false
}

fn print(value: &serde_json::Value) {
    say(&format!("{value:#}"));
}

#[expect(
    clippy::print_stdout,
    reason = "the one place where this program speaks"
)]
fn say(text: &str) {
    println!("{text}");
}
