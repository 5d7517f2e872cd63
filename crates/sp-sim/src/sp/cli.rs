//! The commands `rackweave sp-sim …`.
//!
//! Exit codes: 0 it worked; 1 it did not, and standard error says what, why and what to do; 2 the command line is
//! wrong.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use rackweave_api::sp_sim::{
    Done, FloodRequest, InjectRequest, ListRequest, RUN_DIR, Request, SERVICE, SOCKET,
    SetPowerRequest, SetPresenceRequest, SetSensorRequest, StopRequest, SubvertRequest,
    UnitRequest, Units,
};
use rackweave_daemon::log::LogArgs;
use rackweave_daemon::output::Failure;
use rackweave_daemon::table::Table;
use rackweave_daemon::{ask, config};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::config::Config;

/// What stands under the help of `rackweave sp-sim`.
const EXAMPLES: &str = "\
Examples:
  rackweave sp-sim run --config sps.toml
  rackweave sp-sim list
  rackweave sp-sim power c05 on
  rackweave sp-sim presence sw-a 5 off
  rackweave sp-sim sensor c05 inlet 45000
  rackweave sp-sim flood c05 100000000
  rackweave sp-sim subvert sw-a

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// The service processors of a rack, simulated over real frames.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the service processors in the foreground until SIGTERM, SIGINT or `stop`.
    Run(RunArgs),
    /// Lists service processors, and what they have counted.
    List {
        /// One unit; all where none is named.
        unit: Option<String>,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Switches a unit's host on or off, as a hand at its button would (needs root).
    Power {
        /// The unit.
        unit: String,
        /// How it is to be.
        state: Switch,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Has a switch's ignition controller feel a target at a port, or none (needs root).
    Presence {
        /// The switch.
        unit: String,
        /// Its port.
        port: u8,
        /// Whether a target is there.
        state: Switch,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Has a sensor read something (needs root).
    Sensor {
        /// The unit.
        unit: String,
        /// The sensor.
        sensor: String,
        /// The value, in thousandths of its unit.
        #[arg(allow_hyphen_values = true)]
        milli: i64,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Has a unit's host write to its console, as fast as it is read (needs root).
    Flood {
        /// The unit.
        unit: String,
        /// So many octets.
        octets: u64,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Sends a frame as it is, past everything that the service processor would do (needs root).
    Inject {
        /// The unit.
        unit: String,
        /// The whole frame in hexadecimal digits.
        frame: String,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Subverts a service processor: it attacks all who hear it (needs root).
    Subvert(UnitArgs),
    /// Heals a subverted service processor (needs root).
    Heal(UnitArgs),
    /// Starts a service processor anew, as a loss of power would (needs root).
    Reset(UnitArgs),
    /// Ends the service processors (needs root).
    Stop(AskArgs),
}

/// How the service processors are run.
#[derive(Clone, Debug, ClapArgs)]
struct RunArgs {
    /// Configuration file (TOML); it holds keys.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the service processors have their socket.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    #[command(flatten)]
    log: LogArgs,
}

/// What all commands have that ask.
#[derive(Clone, Debug, ClapArgs)]
struct AskArgs {
    /// Where the service processors have their socket.
    #[arg(long, value_name = "DIR", default_value = RUN_DIR)]
    run_dir: PathBuf,
    /// Writes the reply as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, ClapArgs)]
struct UnitArgs {
    /// The unit.
    unit: String,
    #[command(flatten)]
    ask: AskArgs,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// On, or there.
    On,
    /// Off, or not there.
    Off,
}

/// Does what the command line says.
#[must_use]
pub fn main(args: Args) -> ExitCode {
    let done = match args.command {
        Command::Run(args) => run(&args),
        Command::List { unit, ask: to } => ask(&to, &Request::List(ListRequest { unit }), list),
        Command::Power { unit, state, ask } => {
            let on = state == Switch::On;
            change(&ask, &Request::SetPower(SetPowerRequest { unit, on }))
        }
        Command::Presence {
            unit,
            port,
            state,
            ask,
        } => {
            let present = state == Switch::On;
            let request = SetPresenceRequest {
                unit,
                port,
                present,
            };
            change(&ask, &Request::SetPresence(request))
        }
        Command::Sensor {
            unit,
            sensor,
            milli,
            ask,
        } => {
            let request = SetSensorRequest {
                unit,
                sensor,
                milli,
            };
            change(&ask, &Request::SetSensor(request))
        }
        Command::Flood { unit, octets, ask } => {
            change(&ask, &Request::Flood(FloodRequest { unit, octets }))
        }
        Command::Inject { unit, frame, ask } => {
            change(&ask, &Request::Inject(InjectRequest { unit, frame }))
        }
        Command::Subvert(args) => subvert(args, true),
        Command::Heal(args) => subvert(args, false),
        Command::Reset(UnitArgs { unit, ask }) => {
            change(&ask, &Request::Reset(UnitRequest { unit }))
        }
        Command::Stop(ask) => change(&ask, &Request::Stop(StopRequest {})),
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

fn subvert(UnitArgs { unit, ask }: UnitArgs, subverted: bool) -> Result<(), Failure> {
    change(&ask, &Request::Subvert(SubvertRequest { unit, subverted }))
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

fn list(units: &Units, bold: bool) -> String {
    let mut table = Table::new(&[
        "UNIT",
        "KIND",
        "SERIAL",
        "WIRE",
        "HOST",
        "FIRMWARE",
        ">STARTS",
        ">ANSWERED",
        ">REFUSED",
        "CONSOLE",
        "PORT 1",
        "PORT 2",
    ]);
    let yes_no = |it, yes: &str, no: &str| if it { yes } else { no }.to_owned();
    for unit in &units.units {
        let trial = if unit.on_trial { " (on trial)" } else { "" };
        let told = |place: &Option<String>| place.clone().unwrap_or_else(|| "-".into());
        let [one, two] = &unit.told;
        table.row(vec![
            unit.unit.clone(),
            unit.kind.clone(),
            unit.serial.clone(),
            yes_no(unit.up, "up", "down"),
            yes_no(unit.powered, "on", "off"),
            format!("{}{trial}", unit.firmware),
            unit.starts.to_string(),
            unit.answered.to_string(),
            unit.refused.to_string(),
            unit.console.clone().unwrap_or_else(|| "-".into()),
            told(one),
            told(two),
        ]);
    }
    table.render(bold)
}
