//! The commands `rackweave router …`: one that runs the router, and those that ask it and have it do things.
//!
//! Exit codes: 0 it worked; 1 it did not, and standard error says what, why and what to do; 2 the command line is
//! wrong.

mod events;
mod render;
mod replay;
mod run;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rackweave_api::router::{RUN_DIR, SOCKET};

pub use run::RunArgs;

use crate::liveness::LivenessArgs;

/// What stands under the help of `rackweave router`.
const EXAMPLES: &str = "\
Examples:
  rackweave router run --config /etc/rackweave/router.toml
  rackweave router status
  rackweave router neighbors
  rackweave router explain fd00:1122:3344:105::1
  rackweave router events --since 10m
  rackweave router paths fd00:1122:3344:100::/56 --json

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// The routing daemon of sleds and switches: brings the fabric up and keeps it so.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RouterArgs {
    #[command(subcommand)]
    command: Command,
}

/// What the router is to do, or is asked.
#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the router in the foreground until SIGTERM, SIGINT or `stop`.
    Run(RunArgs),
    /// Shows how the router is: node, links, sessions, routes, and what to look at.
    Status(ShowArgs),
    /// Lists the neighbours.
    Neighbors(ShowArgs),
    /// Lists the routes that the kernel is given.
    Routes(ShowArgs),
    /// Lists what neighbours announce, and why it is used or not.
    Paths(show::PathsArgs),
    /// Lists who is at the other end of each link, by what it says of itself (LLDP).
    Lldp(ShowArgs),
    /// Says why packets to a destination go where they go.
    Explain(show::ExplainArgs),
    /// Lists the sleds and switches of the rack.
    Sleds(ShowArgs),
    /// Lists what happened.
    Events(events::EventsArgs),
    /// Tells a node's machine again what was recorded, and shows what it does.
    Replay(replay::ReplayArgs),
    /// Watches neighbours on behalf of the router, which starts it.
    #[command(hide = true)]
    Liveness(LivenessArgs),
    /// Ends the router; forwarding goes on (needs root).
    Stop(show::StopArgs),
}

/// What all commands have that ask the router.
#[derive(Clone, Debug, Args)]
pub(crate) struct ShowArgs {
    /// Where the router has its sockets.
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

/// Does what the command line says.
#[must_use]
pub fn main(args: RouterArgs) -> ExitCode {
    let done = match args.command {
        Command::Run(args) => run::run(&args),
        Command::Status(args) => show::status(&args),
        Command::Neighbors(args) => show::neighbors(&args),
        Command::Routes(args) => show::routes(&args),
        Command::Paths(args) => show::paths(&args),
        Command::Lldp(args) => show::lldp(&args),
        Command::Explain(args) => show::explain(&args),
        Command::Sleds(args) => show::sleds(&args),
        Command::Events(args) => events::events(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Liveness(args) => run::liveness(&args),
        Command::Stop(args) => show::stop(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}
