//! `rackweave sp …`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use rackweave_api::http::{Blocking, segment};
use rackweave_api::mgs::{
    Power, PowerRequest, Sensors, SpList, SpState, UpdateStage, UpdateStatus, Where,
};
use rackweave_daemon::output::{Failure, Output, write_all, written};

use super::console::{self, ConsoleArgs};
use super::{AskArgs, asking, render};

/// How often a command looks how far an update is.
const LOOK: Duration = Duration::from_millis(500);
/// How long handing an image over may take.
const UPLOAD: Duration = Duration::from_mins(2);

/// What stands under the help of `rackweave sp`.
const EXAMPLES: &str = "\
Examples:
  rackweave sp list
  rackweave sp show cubby-5
  rackweave sp power cubby-5 off
  rackweave sp update cubby-5 sled-2.bin --image sled-2 --wait
  rackweave sp console cubby-5

A service processor is named by its place (cubby-5, psc-0, switch-a) or by the serial number of its unit.

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// Service processors: lists them, asks them, commands them.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SpArgs {
    #[command(flatten)]
    ask: AskArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the places of service processors, and who is there.
    List,
    /// Asks how a unit is, and what it is made of.
    Show(OneArgs),
    /// Switches a unit's host on or off (needs root).
    Power(PowerArgs),
    /// Starts a service processor anew; its host goes on (needs root).
    Reset(OneArgs),
    /// Reads the sensors of a unit.
    Sensors(OneArgs),
    /// Takes the serial console of a unit's host (needs root).
    Console(ConsoleArgs),
    /// Updates a service processor's firmware, or says how far that is (needs root).
    Update(UpdateArgs),
    /// Asks a service processor anew where it is.
    Where(OneArgs),
}

#[derive(Debug, Args)]
struct OneArgs {
    /// Its place, or the serial number of its unit.
    sp: String,
}

#[derive(Debug, Args)]
struct PowerArgs {
    /// Its place, or the serial number of its unit.
    sp: String,
    /// What the host is to be.
    power: OnOff,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnOff {
    On,
    Off,
}

#[derive(Debug, Args)]
struct UpdateArgs {
    /// Its place, or the serial number of its unit.
    sp: String,
    /// The file of the image; without it, how far the update is.
    file: Option<PathBuf>,
    /// What the image is called: what the service processor then says that it runs; the file's name where nothing is
    /// said.
    #[arg(long, value_name = "NAME", requires = "file")]
    image: Option<String>,
    /// Waits until the image runs, or does not.
    #[arg(long)]
    wait: bool,
    /// Forgets the update.
    #[arg(long, conflicts_with_all = ["file", "wait"])]
    abort: bool,
}

pub(super) fn main(args: SpArgs) -> Result<(), Failure> {
    let SpArgs { ask, command } = args;
    let path = |sp: &str, rest: &str| format!("/sps/{}{rest}", segment(sp));
    match command {
        Command::List => ask.show::<SpList>(|client| client.get("/sps"), render::sps),
        Command::Show(one) => {
            ask.show::<SpState>(|client| client.get(&path(&one.sp, "")), render::sp)
        }
        Command::Power(args) => {
            let power = match args.power {
                OnOff::On => Power::On,
                OnOff::Off => Power::Off,
            };
            let path = path(&args.sp, "/power");
            ask.done(|client| client.put(&path).json(&PowerRequest { power }))
        }
        Command::Reset(one) => ask.done(|client| client.post(&path(&one.sp, "/reset"))),
        Command::Sensors(one) => ask.show::<Sensors>(
            |client| client.get(&path(&one.sp, "/sensors")),
            render::sensors,
        ),
        Command::Console(args) => console::console(&ask, &args),
        Command::Update(args) => update(&ask, &args, &path(&args.sp, "/update")),
        Command::Where(one) => ask.show::<Where>(
            |client| client.get(&path(&one.sp, "/where")),
            render::located,
        ),
    }
}

fn update(ask: &AskArgs, args: &UpdateArgs, path: &str) -> Result<(), Failure> {
    let client = ask.client()?;
    if args.abort {
        return client.done(|client| client.delete(path)).map_err(asking);
    }
    let status = match &args.file {
        None => client.answer::<UpdateStatus>(|client| client.get(path)),
        Some(file) => {
            let octets = std::fs::read(file).map_err(|error| {
                Failure::new(format!("cannot read {}", file.display())).cause(error.to_string())
            })?;
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            let image = args.image.as_deref().unwrap_or(&stem);
            client.answer::<UpdateStatus>(|client| {
                let call = client.put(path).query("image", image);
                call.octets(octets.into()).patience(UPLOAD)
            })
        }
    };
    let mut status = status.map_err(asking)?.body;
    if args.wait {
        status = wait(&client, path, ask.json)?;
    }
    Output::new(ask.json).show(&status, render::update)?;
    match status.error {
        Some(error) if args.wait => Err(Failure::new("the update failed").cause(error)),
        _ => Ok(()),
    }
}

/// Waits until an update is over, and says how far it is.
fn wait(client: &Blocking, path: &str, quiet: bool) -> Result<UpdateStatus, Failure> {
    let mut said = None;
    loop {
        let status = client.answer::<UpdateStatus>(|client| client.get(path));
        let status = status.map_err(asking)?.body;
        if matches!(status.stage, UpdateStage::Done | UpdateStage::Failed) {
            return Ok(status);
        }
        if said.as_ref() != Some(&status) && !quiet {
            written(write_all(render::update(&status, false).as_bytes()))?;
        }
        said = Some(status);
        client.wait(async { tokio::time::sleep(LOOK).await });
    }
}
