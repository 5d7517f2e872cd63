//! The commands `rackweave lab …`.
//!
//! Exit codes: 0 it worked; 1 it did not, and standard error says what, why, where there is more to read, and what to
//! do; 2 the command line is wrong; 130 it was interrupted.

mod change;
mod exec;
mod fabric;
mod management;
mod progress;
mod raise;
mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use rackweave_daemon::output::Failure;

use crate::place::Place;
use crate::relay::{self, RelayArgs};
use crate::step::StepError;
use crate::topology::LabName;

/// What stands under the help of `rackweave lab`.
const EXAMPLES: &str = "\
Examples:
  rackweave lab fabric --racks 2 --sleds 4
  rackweave lab status
  rackweave lab exec r1s1 -- rackweave router neighbors
  rackweave lab fail r1s1-r1a                  the cable is pulled
  rackweave lab fail r1s1-r1a --silent         frames vanish, the carrier stays
  rackweave lab delay r1s1-r1a 5ms --from r1s1 one direction gets slower
  rackweave lab lossy r1a 10%                  every link of a switch loses frames
  rackweave lab heal all
  rackweave lab management                     a management network beside it, or alone
  rackweave lab swap c05-1 c06-1               two of its cables in each other's connectors
  rackweave lab down

A link is called by its two nodes, in either order; a node stands for all its links.

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong, 130 it was interrupted.";

/// A rack on this machine: network namespaces joined by cables that can be made to fail. Needs root.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LabArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Builds racks of sleds and switches, starts a router in each, and waits until all reach all.
    Fabric(fabric::FabricArgs),
    /// Adds a management network: gateways, switch chips and service processors of a whole rack, found by each other.
    Management(management::ManagementArgs),
    /// Shows nodes and links, and what is wrong with them.
    Status(show::StatusArgs),
    /// Takes links down, or lets frames vanish on them.
    Fail(change::FailArgs),
    /// Makes links whole again.
    Heal(change::HealArgs),
    /// Lets frames on links come later.
    Delay(change::DelayArgs),
    /// Lets some frames on links vanish.
    Lossy(change::LossyArgs),
    /// Puts two cables of the management network into each other's connectors.
    Swap(change::SwapArgs),
    /// Ends the router of a node without asking; what watches links for it goes on.
    Kill(change::KillArgs),
    /// Starts the router of a node.
    Start(change::NodeArgs),
    /// Takes the power from all nodes, gives it back, and says how long it took until all sleds reach each other, or
    /// until the gateways of the management network have found all units.
    Cycle(show::CycleArgs),
    /// Runs a command in a node, where `/run/rackweave` is the node's own.
    Exec(exec::ExecArgs),
    /// Ends a lab, and removes every trace of it.
    Down(change::DownArgs),
    /// Carries the frames of a cable (the lab starts it).
    #[command(hide = true)]
    Relay(RelayArgs),
}

/// Where a shell says that a command was interrupted.
const INTERRUPTED: u8 = 130;
/// The AZ of a lab where nothing is said.
const AZ: &str = "fd00:1122:3344::/48";

/// Why there is no lab after all.
enum Ended {
    Interrupted,
    Failed(Failure),
}

impl Ended {
    fn code(done: Result<(), Self>) -> ExitCode {
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(Self::Interrupted) => ExitCode::from(INTERRUPTED),
            Err(Self::Failed(failure)) => failure.tell(),
        }
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Which lab is meant.
#[derive(Clone, Debug, Args)]
struct Named {
    /// The lab's name
    #[arg(long, value_name = "LAB", default_value = "lab")]
    name: LabName,
}

impl Named {
    fn place(&self) -> Place {
        Place::of(&self.name)
    }
}

/// Does what the command line says.
#[must_use]
pub fn main(args: LabArgs) -> ExitCode {
    let done = match args.command {
        Command::Fabric(args) => return fabric::fabric(&args),
        Command::Management(args) => return management::management(&args),
        Command::Exec(args) => return exec::exec(&args),
        Command::Status(args) => show::status(&args),
        Command::Fail(args) => change::fail(&args),
        Command::Heal(args) => change::heal(&args),
        Command::Delay(args) => change::delay(&args),
        Command::Lossy(args) => change::lossy(&args),
        Command::Swap(args) => change::swap(&args),
        Command::Cycle(args) => show::cycle(&args),
        Command::Kill(args) => change::kill(&args),
        Command::Start(args) => change::start(&args),
        Command::Down(args) => change::down(&args),
        Command::Relay(args) => relay::run(&args)
            .map_err(|error| Failure::new("cannot carry frames").cause(format!("{error:#}"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

/// What a failed step says on a terminal.
fn failure(error: StepError) -> Failure {
    let mut failure = Failure::new(error.what);
    failure.cause = error.cause;
    let log = error.log.map(|log| format!("read {}", log.display()));
    failure.next = match (log, error.next) {
        (Some(log), Some(next)) => Some(format!("{log}; {next}")),
        (log, next) => log.or(next),
    };
    failure
}
