//! `rackweave mgmt …`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use rackweave_api::mgs::{
    Cabling, Location, OverrideRequest, Selftest, SwitchStatus, Switches, Vlans,
};
use rackweave_daemon::output::{Failure, Output};

use super::{AskArgs, asking, render};
use crate::{racks, vlans};

/// How long a self-test may take.
const SELFTEST: Duration = Duration::from_secs(30);

/// What stands under the help of `rackweave mgmt`.
const EXAMPLES: &str = "\
Examples:
  rackweave mgmt location
  rackweave mgmt vlans --rack /etc/rackweave/racks/rack-1.toml
  rackweave mgmt cabling
  rackweave mgmt selftest
  rackweave mgmt override a --who ada --why 'cables checked by hand'

Exit codes: 0 it worked and all is well, 1 it did not or something is wrong, 2 the command line is wrong.";

/// The management network: where the gateway is, its VLANs, its cables, proof of isolation.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MgmtArgs {
    #[command(flatten)]
    ask: AskArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says where the gateway is, and what does not fit.
    Location,
    /// Shows the tables that are programmed into the switches' chips.
    Vlans(VlansArgs),
    /// Says what is wrong with cables; exit code 1 where something is.
    Cabling,
    /// Proves that no service processor reaches another; exit code 1 where one does (needs root).
    Selftest(SelftestArgs),
    /// Says whether the switches may be used.
    Switches,
    /// Puts a switch to use that is held; who and why is written down (needs root).
    Override(OverrideArgs),
}

#[derive(Debug, Args)]
struct VlansArgs {
    /// A file that describes a type of rack; without it, the rack that the gateway is in.
    #[arg(long, value_name = "FILE")]
    rack: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct SelftestArgs {
    /// Shows what came of the last one instead.
    #[arg(long)]
    last: bool,
}

#[derive(Debug, Args)]
struct OverrideArgs {
    /// Which switch.
    switch: Which,
    /// Who says so.
    #[arg(long, value_name = "NAME")]
    who: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    why: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    A,
    B,
}

pub(super) fn main(args: MgmtArgs) -> Result<(), Failure> {
    let MgmtArgs { ask, command } = args;
    match command {
        Command::Location => {
            ask.show::<Location>(|client| client.get("/location"), render::location)
        }
        Command::Vlans(args) => match args.rack {
            None => ask.show::<Vlans>(|client| client.get("/vlans"), render::vlans),
            Some(path) => {
                let rack = racks::read(&path).map_err(anyhow::Error::from)?;
                Output::new(ask.json).show(&vlans::of(&rack), render::vlans)
            }
        },
        Command::Cabling => cabling(&ask),
        Command::Selftest(args) => selftest(&ask, args.last),
        Command::Switches => {
            ask.show::<Switches>(|client| client.get("/switches"), render::switches)
        }
        Command::Override(args) => {
            let path = match args.switch {
                Which::A => "/switches/a/override",
                Which::B => "/switches/b/override",
            };
            let (who, why) = (args.who, args.why);
            ask.show::<SwitchStatus>(
                |client| client.post(path).json(&OverrideRequest { who, why }),
                render::switch,
            )
        }
    }
}

fn cabling(ask: &AskArgs) -> Result<(), Failure> {
    let answer = ask
        .client()?
        .answer::<Cabling>(|client| client.get("/cabling"));
    let cabling = answer.map_err(asking)?.body;
    Output::new(ask.json).show(&cabling, render::cabling)?;
    match (&cabling.incomplete_because, cabling.findings.len()) {
        (Some(why), _) => Err(Failure::new("nothing can be said of cables").cause(why)),
        (None, 0) => Ok(()),
        (None, 1) => Err(Failure::new("something is wrong with the cables")),
        (None, count) => Err(Failure::new(format!(
            "{count} things are wrong with the cables"
        ))),
    }
}

fn selftest(ask: &AskArgs, last: bool) -> Result<(), Failure> {
    let answer = ask.client()?.answer::<Selftest>(|client| {
        if last {
            client.get("/selftest")
        } else {
            client.post("/selftest").patience(SELFTEST)
        }
    });
    let selftest = answer.map_err(asking)?.body;
    Output::new(ask.json).show(&selftest, render::selftest)?;
    if !selftest.leaks.is_empty() {
        return Err(Failure::new("frames arrived where they must not")
            .next("look at the tables of the switches' chips: `rackweave mgmt vlans` shows what they are to be"));
    }
    if selftest.took_part == 0 || selftest.controls_arrived < selftest.controls {
        return Err(
            Failure::new("the test proves little: not all that must arrive arrived")
                .next("`rackweave sp list` and `rackweave mgmt cabling` show who is not reached"),
        );
    }
    Ok(())
}
