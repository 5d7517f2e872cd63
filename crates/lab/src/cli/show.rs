//! What is shown of a lab.

use std::fmt::Write;

use clap::Args;
use rackweave_daemon::output::{Failure, Output};

use super::{Named, failure};
use crate::interrupt::Interrupt;
use crate::lab::{self, Status};
use crate::management::{self, ManagementStatus};

/// Arguments of `lab status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    lab: Named,
    /// Writes the reply as JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `lab cycle`.
#[derive(Debug, Args)]
pub(super) struct CycleArgs {
    #[command(flatten)]
    lab: Named,
    /// All programs of the management network instead
    #[arg(long)]
    management: bool,
    /// This program of the management network alone: mgs-a, sw-a, chips, sps
    #[arg(value_name = "PROGRAM")]
    program: Option<String>,
    /// Writes the reply as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn status(args: &StatusArgs) -> Result<(), Failure> {
    let status = lab::status(&args.lab.place()).map_err(failure)?;
    show(&status, args.json)
}

pub(super) fn cycle(args: &CycleArgs) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()
        .map_err(|error| Failure::new("cannot listen to signals").cause(error.to_string()))?;
    let place = args.lab.place();
    if args.management || args.program.is_some() {
        let program = args.program.as_deref();
        let cycle = management::cycle(&place, program, &interrupt).map_err(failure)?;
        return Output::new(args.json).show(&cycle, |cycle, _| {
            let (units, ms) = (cycle.units, cycle.found_ms);
            format!("{units} units are found after {ms} ms\n")
        });
    }
    let cycle = lab::cycle(&place, &interrupt).map_err(failure)?;
    Output::new(args.json).show(&cycle, |cycle, _| {
        let (pairs, ms) = (cycle.pairs, cycle.reached_ms);
        format!("{pairs} pairs of sleds reach each other after {ms} ms\n")
    })
}

/// Shows a lab: to people as racks of nodes, each with its links.
pub(super) fn show(status: &Status, json: bool) -> Result<(), Failure> {
    Output::new(json).show(status, |status, _| text(status))
}

fn text(status: &Status) -> String {
    let mut text = if status.nodes.is_empty() {
        format!("lab {}: {} links\n", status.lab, status.links.len())
    } else {
        let how = if status.signed { "signed" } else { "unsigned" };
        format!(
            "lab {}: AZ {}, {} nodes, {} links, {how}\n",
            status.lab,
            status.az,
            status.nodes.len(),
            status.links.len(),
        )
    };
    let mut rack = None;
    for node in &status.nodes {
        if node.rack != rack {
            rack = node.rack;
            if let Some(rack) = rack {
                let _never = writeln!(text, "rack {rack}");
            }
        }
        let address = node
            .address
            .map_or_else(|| "-".to_owned(), |address| address.to_string());
        let router = node
            .router
            .map_or_else(|| "no router".to_owned(), |pid| format!("router {pid}"));
        let _never = writeln!(
            text,
            "  {:<8} {:<7} {:<28} {:<24} {router}",
            node.name, node.role, node.bootstrap, address
        );
    }
    if let Some(management) = &status.management {
        managed(management, &mut text);
    }
    let broken: Vec<_> = status.links.iter().filter(|link| !link.is_whole).collect();
    if broken.is_empty() {
        text.push_str("all links are whole\n");
    }
    for link in broken {
        let _never = writeln!(text, "  {:<15} {}", link.name, link.condition);
    }
    text
}

fn managed(management: &ManagementStatus, text: &mut String) {
    let ManagementStatus { rack, units, .. } = management;
    let _never = writeln!(text, "management network: {rack}, {units} units");
    for program in &management.programs {
        let process = program
            .pid
            .map_or_else(|| "does not run".to_owned(), |pid| format!("process {pid}"));
        let look = program.look.map(|look| look.describe()).unwrap_or_default();
        let _never = writeln!(text, "  {:<8} {process:<16} {look}", program.name);
    }
}
