//! The one binary: `main` and the argument tree, nothing else.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use rackweave_cli::Commands;
use rackweave_controller::cli::{self as controller, ControllerArgs};
use rackweave_lab::cli::LabArgs;
use rackweave_mgs::cli::{self as gateway, MgmtArgs, MgsArgs, SpArgs};
use rackweave_router::cli::{self as router, RouterArgs};
use rackweave_router::keys::{self, KeysArgs};
use rackweave_router::rack::{self, RackArgs};
use rackweave_sled::cli::{self, SledArgs};
use rackweave_sp_sim::{sp as sp_sim, switch as switch_sim};

/// The network of a rack: everything between a guest's virtual NIC and the customer's router.
#[derive(Debug, Parser)]
#[command(
    name = "rackweave",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Rackweave {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The host agent: runs it, asks it, changes it.
    Sled(SledArgs),
    /// The routing daemon: runs it, asks it, changes it.
    Router(RouterArgs),
    /// The tree of keys that nodes trust each other by: AZ root, racks, nodes.
    Keys(KeysArgs),
    /// Rack setup: which node of the rack has which prefix.
    Rack(RackArgs),
    /// The controller: runs it, backs up and restores what was asked for.
    Controller(ControllerArgs),
    /// The management gateway: runs it.
    Mgs(MgsArgs),
    /// Service processors: lists, shows and commands them through a management gateway.
    Sp(SpArgs),
    /// The management network: its VLANs, its cables, and the proof that it isolates.
    Mgmt(MgmtArgs),
    /// Service processors of a rack, simulated over real frames.
    SpSim(sp_sim::cli::Args),
    /// Switch chips of a management network, simulated over real frames.
    SwitchSim(switch_sim::cli::Args),
    /// What users ask for and operators run: a client of the controller's API.
    #[command(flatten)]
    Control(Commands),
    /// Racks on this machine, in network namespaces, and faults in them.
    Lab(LabArgs),
    /// Writes a completion script for a shell to standard output.
    ///
    /// Example: `rackweave completion bash > /etc/bash_completion.d/rackweave`
    Completion {
        /// The shell.
        shell: Shell,
    },
    /// Writes the manual pages, one for each command, into a directory.
    ///
    /// Example: `rackweave man /usr/local/share/man/man1`
    Man {
        /// The directory; it is made where it is not there.
        dir: PathBuf,
    },
}

fn main() -> ExitCode {
    match Rackweave::parse().command {
        Command::Sled(args) => cli::main(args, rackweave_sled::run::run),
        Command::Router(args) => router::main(args),
        Command::Keys(args) => keys::main(&args),
        Command::Rack(args) => rack::main(&args),
        Command::Controller(args) => controller::main(args),
        Command::Mgs(args) => gateway::mgs(args),
        Command::Sp(args) => gateway::sp(args),
        Command::Mgmt(args) => gateway::mgmt(args),
        Command::SpSim(args) => sp_sim::cli::main(args),
        Command::SwitchSim(args) => switch_sim::cli::main(args),
        Command::Control(commands) => commands.run(),
        Command::Lab(args) => rackweave_lab::cli::main(args),
        Command::Completion { shell } => {
            let mut command = Rackweave::command();
            clap_complete::generate(shell, &mut command, "rackweave", &mut io::stdout());
            ExitCode::SUCCESS
        }
        Command::Man { dir } => match man(&dir) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => rackweave_cli::tell(failure),
        },
    }
}

/// Writes the manual pages of all commands.
fn man(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Rackweave::command(), dir))
        .with_context(|| format!("cannot write manual pages into {}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_tree_holds_together() {
        Rackweave::command().debug_assert();
    }

    #[test]
    fn each_command_has_its_manual_page() {
        let dir = tempfile::tempdir().unwrap();
        man(dir.path()).unwrap();
        for page in [
            "rackweave",
            "rackweave-sled-run",
            "rackweave-subnet-create",
            "rackweave-fleet-sled-list",
        ] {
            let text = std::fs::read_to_string(dir.path().join(format!("{page}.1"))).unwrap();
            assert!(text.starts_with(".ie"), "{page}: {text}");
        }
    }
}
