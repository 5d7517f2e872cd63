//! `lab fabric`: from nothing to a fabric in which all reach all.

use std::process::ExitCode;

use clap::{Args, value_parser};
use rackweave_daemon::output::Failure;
use rackweave_types::AzPrefix;

use super::raise::raise;
use super::{AZ, Ended, Named};
use crate::lab::{self, Plan, Stage};
use crate::state::LIVENESS_MS;
use crate::topology;

/// Arguments of `lab fabric`.
#[derive(Debug, Args)]
pub(super) struct FabricArgs {
    #[command(flatten)]
    lab: Named,
    /// How many racks, 1 to 32; more than eight are joined by spines
    #[arg(long, default_value_t = 1)]
    racks: u8,
    /// How many sleds in each rack, 1 to 64
    #[arg(long, default_value_t = 3)]
    sleds: u8,
    /// The AZ that all racks are of
    #[arg(long, value_name = "PREFIX", default_value = AZ)]
    az: AzPrefix,
    /// Makes no keys, and has routers accept unsigned messages
    #[arg(long)]
    unsigned: bool,
    /// How often neighbours tell each other that frames pass; one that misses three is taken for dead
    #[arg(long, value_name = "MS", default_value_t = LIVENESS_MS, value_parser = value_parser!(u64).range(5..=10_000))]
    liveness_ms: u64,
    /// Stays until Ctrl-C, and takes the lab away then
    #[arg(long)]
    foreground: bool,
    /// Goes no further than this stage
    #[arg(long, value_name = "STAGE", default_value = "sleds")]
    until: Stage,
    /// Starts no router in this node; `lab start NODE` does it later
    #[arg(long, value_name = "NODE")]
    later: Vec<String>,
    /// Writes the lab as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn fabric(args: &FabricArgs) -> ExitCode {
    Ended::code(build(args))
}

fn build(args: &FabricArgs) -> Result<(), Ended> {
    let topology = topology::fabric(args.lab.name.clone(), args.az, args.racks, args.sleds)
        .map_err(|error| Failure::new(error.to_string()))?;
    if let Some(unknown) = args.later.iter().find(|name| topology.node(name).is_none()) {
        return Err(Failure::new(format!("--later {unknown}: there is no such node")).into());
    }
    let plan = Plan {
        topology,
        signed: !args.unsigned,
        liveness_ms: args.liveness_ms,
        until: args.until,
        later: args.later.clone(),
    };
    let place = args.lab.place();
    raise(&place, args.foreground, args.json, |interrupt, tell| {
        lab::up(&place, plan, interrupt, tell)
    })
}
