//! `lab management`: from nothing to a management network in which both gateways have found all units.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use rackweave_daemon::output::Failure;
use rackweave_types::AzPrefix;

use super::raise::raise;
use super::{AZ, Ended, Named};
use crate::management::{self, Management, Until};
use crate::topology;

/// The rack where nothing is said: 32 cubbies, two switches, two power shelf controllers.
const RACK: &str = include_str!("../../../../dist/racks/rack-1.toml");

/// Arguments of `lab management`.
#[derive(Debug, Args)]
pub(super) struct ManagementArgs {
    #[command(flatten)]
    lab: Named,
    /// The description of the rack; that of 32 cubbies, two switches and two PSCs where nothing is said
    #[arg(long, value_name = "FILE")]
    rack: Option<PathBuf>,
    /// The AZ, where there is no lab yet
    #[arg(long, value_name = "PREFIX", default_value = AZ, hide = true)]
    az: AzPrefix,
    /// Goes no further than this stage
    #[arg(long, value_name = "STAGE", default_value = "found")]
    until: Until,
    /// Stays until Ctrl-C, and takes the lab away then
    #[arg(long)]
    foreground: bool,
    /// Writes the lab as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn management(args: &ManagementArgs) -> ExitCode {
    Ended::code(build(args))
}

fn build(args: &ManagementArgs) -> Result<(), Ended> {
    let management = describe(args)?;
    let otherwise = topology::nothing(args.lab.name.clone(), args.az);
    let place = args.lab.place();
    raise(&place, args.foreground, args.json, |interrupt, tell| {
        management::up(&place, &management, otherwise, args.until, interrupt, tell)
    })
}

fn describe(args: &ManagementArgs) -> Result<Management, Failure> {
    let (name, text) = match &args.rack {
        None => ("the built-in rack".to_owned(), RACK.to_owned()),
        Some(path) => {
            let name = path.display().to_string();
            let text = fs::read_to_string(path).map_err(|error| {
                Failure::new(format!("cannot read {name}")).cause(error.to_string())
            })?;
            (name, text)
        }
    };
    Management::new(&text).map_err(|error| {
        let failure = Failure::new(format!("{name} is of no use"));
        let error = anyhow::Error::new(error);
        failure.cause(format!("{error:#}"))
    })
}
