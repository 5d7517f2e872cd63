//! What is shown of a lab.

use std::fmt::Write;

use clap::Args;
use rackweave_daemon::output::{Failure, Output};

use super::{Named, failure};
use crate::interrupt::Interrupt;
use crate::lab::{self, Status};

/// Arguments of `lab status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    lab: Named,
    /// Writes the reply as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn status(args: &StatusArgs) -> Result<(), Failure> {
    let status = lab::status(&args.lab.place()).map_err(failure)?;
    show(&status, args.json)
}

pub(super) fn cycle(args: &StatusArgs) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()
        .map_err(|error| Failure::new("cannot listen to signals").cause(error.to_string()))?;
    let cycle = lab::cycle(&args.lab.place(), &interrupt).map_err(failure)?;
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
    let how = if status.signed { "signed" } else { "unsigned" };
    let mut text = format!(
        "lab {}: AZ {}, {} nodes, {} links, {how}\n",
        status.lab,
        status.az,
        status.nodes.len(),
        status.links.len(),
    );
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
    let broken: Vec<_> = status.links.iter().filter(|link| !link.is_whole).collect();
    if broken.is_empty() {
        text.push_str("all links are whole\n");
    }
    for link in broken {
        let _never = writeln!(text, "  {:<15} {}", link.name, link.condition);
    }
    text
}
