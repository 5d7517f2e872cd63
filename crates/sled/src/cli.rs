//! The commands `rackweave sled …`: one that runs the sled, and those that ask it and have it do things.
//!
//! Exit codes: 0 it worked; 1 it did not, and standard error says what, why and what to do; 2 the command line is
//! wrong.

mod capture;
mod explain;
mod render;
mod run;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rackweave_api::sled::{RUN_DIR, SOCKET};

use crate::config::Config;

pub use run::RunArgs;

/// What stands under the help of `rackweave sled`.
const EXAMPLES: &str = "\
Examples:
  rackweave sled run --config /etc/rackweave/sled.toml
  rackweave sled status
  rackweave sled flows web --proto tcp --port-number 443
  rackweave sled explain web --in --from 192.0.2.7:40000 --to 203.0.113.10:80
  rackweave sled capture web -w - | tshark -r -

A port is called by its number, MAC, an address, its instance's name or its device's.

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// The host agent: joins guests to the overlay.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SledArgs {
    #[command(subcommand)]
    command: Command,
}

/// What the sled is to do, or is asked.
#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the sled in the foreground until SIGTERM, SIGINT or `stop`.
    Run(RunArgs),
    /// Shows how the sled is: release, underlay, host state, workers.
    Status(ShowArgs),
    /// Lists the ports.
    Ports(ShowArgs),
    /// Lists connections.
    Flows(show::FlowsArgs),
    /// Lists the rules of a port in their order, with how many packets met each.
    Rules(show::RulesArgs),
    /// Lists why packets were dropped, and what to do about it.
    Drops(show::DropsArgs),
    /// Says what would become of a packet, and which layer and rule decide.
    Explain(explain::ExplainArgs),
    /// Captures the packets of a port, before and after the engine, as pcapng (needs root).
    Capture(capture::CaptureArgs),
    /// Replaces the host state (needs root).
    Apply(show::ApplyArgs),
    /// Ends the sled; guests' devices and connections wait for the next one (needs root).
    Stop(ShowArgs),
}

/// What all commands have that ask the sled.
#[derive(Clone, Debug, Args)]
struct ShowArgs {
    /// Where the sled has its sockets.
    #[arg(long, value_name = "DIR", default_value = RUN_DIR)]
    run_dir: PathBuf,
    /// Writes the reply as JSON.
    #[arg(long)]
    json: bool,
}

impl ShowArgs {
    fn socket(&self) -> PathBuf {
        self.run_dir.join(SOCKET)
    }
}

/// Does what the command line says; `run` runs a sled.
#[must_use]
pub fn main(args: SledArgs, run: impl FnOnce(&Config) -> anyhow::Result<()>) -> ExitCode {
    let done = match args.command {
        Command::Run(args) => run::run(&args, run),
        Command::Status(args) => show::status(&args),
        Command::Ports(args) => show::ports(&args),
        Command::Flows(args) => show::flows(&args),
        Command::Rules(args) => show::rules(&args),
        Command::Drops(args) => show::drops(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Capture(args) => capture::capture(&args),
        Command::Apply(args) => show::apply(&args),
        Command::Stop(args) => show::stop(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}
