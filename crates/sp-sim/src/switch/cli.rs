//! The commands `rackweave switch-sim …`.
//!
//! Exit codes: 0 it worked; 1 it did not, and standard error says what, why and what to do; 2 the command line is
//! wrong.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use rackweave_api::switch_sim::{
    ChipRequest, Chips, ChipsRequest, Counters, Done, PortKind, RUN_DIR, Request, SERVICE, SOCKET,
    StopRequest, Tables,
};
use rackweave_daemon::log::LogArgs;
use rackweave_daemon::output::Failure;
use rackweave_daemon::table::Table;
use rackweave_daemon::{ask, config};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::config::Config;

/// What stands under the help of `rackweave switch-sim`.
const EXAMPLES: &str = "\
Examples:
  rackweave switch-sim run --config switches.toml
  rackweave switch-sim tables sw-a
  rackweave switch-sim counters c05
  rackweave switch-sim subvert sw-a

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// The switches of a management network, simulated over real frames.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the switches in the foreground until SIGTERM, SIGINT or `stop`.
    Run(RunArgs),
    /// Shows what is programmed into chips, and what they learned.
    Tables(ChipsArgs),
    /// Shows what the ports of chips have seen.
    Counters(ChipsArgs),
    /// Programs a chip as a subverted service processor would: every VLAN reaches every port (needs root).
    Subvert(ChipArgs),
    /// Programs a chip as it was at the start (needs root).
    Restore(ChipArgs),
    /// Ends the switches (needs root).
    Stop(AskArgs),
}

/// How the switches are run.
#[derive(Clone, Debug, ClapArgs)]
struct RunArgs {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the switches have their socket.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    #[command(flatten)]
    log: LogArgs,
}

/// What all commands have that ask.
#[derive(Clone, Debug, ClapArgs)]
struct AskArgs {
    /// Where the switches have their socket.
    #[arg(long, value_name = "DIR", default_value = RUN_DIR)]
    run_dir: PathBuf,
    /// Writes the reply as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, ClapArgs)]
struct ChipsArgs {
    /// A chip; all where none is named.
    chip: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

#[derive(Clone, Debug, ClapArgs)]
struct ChipArgs {
    /// The chip.
    chip: String,
    #[command(flatten)]
    ask: AskArgs,
}

/// Does what the command line says.
#[must_use]
pub fn main(args: Args) -> ExitCode {
    let done = match args.command {
        Command::Run(args) => run(&args),
        Command::Tables(ChipsArgs { chip, ask: to }) => {
            ask(&to, &Request::Tables(ChipsRequest { chip }), tables)
        }
        Command::Counters(ChipsArgs { chip, ask: to }) => {
            ask(&to, &Request::Counters(ChipsRequest { chip }), counters)
        }
        Command::Subvert(ChipArgs { chip, ask: to }) => {
            change(&to, &Request::Subvert(ChipRequest { chip }))
        }
        Command::Restore(ChipArgs { chip, ask: to }) => {
            change(&to, &Request::Restore(ChipRequest { chip }))
        }
        Command::Stop(to) => change(&to, &Request::Stop(StopRequest {})),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn run(args: &RunArgs) -> Result<(), Failure> {
    args.log.start()?;
    let mut config: Config = config::read(&args.config)?;
    if let Some(dir) = &args.run_dir {
        config.run_dir.clone_from(dir);
    }
    Ok(super::run(&config)?)
}

fn change(args: &AskArgs, request: &Request) -> Result<(), Failure> {
    ask(args, request, |_: &Done, _| "done\n".into())
}

fn ask<T: DeserializeOwned + Serialize>(
    args: &AskArgs,
    request: &Request,
    text: impl FnOnce(&T, bool) -> String,
) -> Result<(), Failure> {
    ask::show(
        &args.run_dir.join(SOCKET),
        SERVICE,
        request,
        args.json,
        text,
    )
}

fn tables(chips: &Chips, bold: bool) -> String {
    let mut table = Table::new(&["CHIP", "VLAN", "PORTS", "LEARNED"]);
    for chip in &chips.chips {
        for (vlan, ports) in &chip.tables.vlans {
            let ports: Vec<String> = ports.iter().map(|port| of(&chip.tables, *port)).collect();
            let learned = chip.learned.iter().filter(|it| it.vlan == *vlan);
            let learned: Vec<String> = learned
                .map(|it| format!("{}@{}", it.mac, it.port))
                .collect();
            table.row(vec![
                chip.name.clone(),
                format!("{:#x}", vlan.get()),
                ports.join(" "),
                learned.join(" "),
            ]);
        }
    }
    table.render(bold)
}

/// A port, as the tables have it: those that take tagged frames are marked.
fn of(tables: &Tables, port: u8) -> String {
    match tables.ports.get(&port) {
        Some(PortKind::Trunk) => format!("{port}t"),
        _ => port.to_string(),
    }
}

fn counters(counters: &Counters, bold: bool) -> String {
    let mut table = Table::new(&["CHIP", ">PORT", "LINK", "UP", ">IN", ">OUT", "DROPPED"]);
    for port in &counters.ports {
        let drops: Vec<String> = port
            .drops
            .iter()
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        table.row(vec![
            port.chip.clone(),
            port.port.to_string(),
            port.link.clone(),
            if port.up { "yes" } else { "no" }.into(),
            port.frames_in.to_string(),
            port.frames_out.to_string(),
            drops.join(", "),
        ]);
    }
    table.render(bold)
}
