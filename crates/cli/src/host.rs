//! `rackweave fleet host …`: how far hosts are with what they are told.

use clap::{Args, Subcommand};
use rackweave_api::control::{BASE, NodeStatus};
use rackweave_api::http::ClientError;
use rackweave_daemon::output::Failure;
use rackweave_daemon::table::Table;
use serde::Serialize;
use serde_json::Value;

use crate::ask::{AskArgs, Asker, asking};
use crate::form::plain;
use crate::kinds::{SLED, SWITCH};
use crate::render::fact;
use crate::time::utc;

/// What stands under the help of `rackweave fleet host`.
const EXAMPLES: &str = "\
Examples:
  rackweave fleet host list
  rackweave fleet host show sled-1

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// Hosts, sleds and switches alike: whether they are connected, and what they have in force
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct HostArgs {
    #[command(flatten)]
    ask: AskArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Lists hosts
    List,
    /// Shows a host, and what it could not put into force
    Show {
        /// The name of its sled or switch, or its prefix
        host: String,
    },
}

/// A host by its name.
#[derive(Clone, Debug, Serialize)]
struct Host {
    name: String,
    #[serde(flatten)]
    status: NodeStatus,
}

impl HostArgs {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let asker = self.ask.asker()?;
        let hosts = hosts(&asker).map_err(asking)?;
        match self.command {
            Command::List => asker
                .output()
                .show(&hosts, |hosts, bold| table(hosts, bold)),
            Command::Show { host } => {
                let found = hosts
                    .into_iter()
                    .find(|one| one.name == host || one.status.node == host);
                let found = found.ok_or_else(|| {
                    Failure::new(format!("there is no host {host}"))
                        .next("`rackweave fleet host list` shows them by name and prefix")
                })?;
                asker.output().show(&found, |host, _| shown(host))
            }
        }
    }
}

fn hosts(asker: &Asker) -> Result<Vec<Host>, ClientError> {
    let nodes: Vec<NodeStatus> = asker
        .get(|client| client.get(&format!("{BASE}/nodes")))?
        .body;
    let mut known: Vec<Value> = asker.all(&SLED.collection(&[]))?;
    known.extend(asker.all::<Value>(&SWITCH.collection(&[]))?);
    let hosts = nodes.into_iter().map(|status| {
        let name = known
            .iter()
            .find(|object| object["spec"]["prefix"] == status.node.as_str());
        let name = name.map_or_else(|| status.node.clone(), |object| plain(&object["name"]));
        Host { name, status }
    });
    Ok(hosts.collect())
}

const fn connected(host: &Host) -> &'static str {
    if host.status.connected { "yes" } else { "no" }
}

fn table(hosts: &[Host], bold: bool) -> String {
    let heads = [
        "NAME",
        "PREFIX",
        "CONNECTED",
        ">IN FORCE",
        ">ERRORS",
        "REPORTED",
        "PROGRAM",
    ];
    let mut table = Table::new(&heads);
    for host in hosts {
        let report = host.status.report.as_ref();
        table.row(vec![
            host.name.clone(),
            host.status.node.clone(),
            connected(host).to_owned(),
            report
                .map(|report| report.generation.to_string())
                .unwrap_or_default(),
            report
                .map(|report| report.errors.len().to_string())
                .unwrap_or_default(),
            host.status.reported_ms.map(utc).unwrap_or_default(),
            report
                .map(|report| report.program.clone())
                .unwrap_or_default(),
        ]);
    }
    table.render(bold)
}

fn shown(host: &Host) -> String {
    let mut text = String::new();
    fact(&mut text, "name", &host.name);
    fact(&mut text, "prefix", &host.status.node);
    fact(&mut text, "connected", connected(host));
    fact(
        &mut text,
        "reported",
        host.status.reported_ms.map(utc).unwrap_or_default(),
    );
    if let Some(report) = &host.status.report {
        fact(
            &mut text,
            "in force",
            format!("revision {}", report.generation),
        );
        fact(&mut text, "digest", &report.digest);
        fact(&mut text, "program", &report.program);
        for error in &report.errors {
            fact(
                &mut text,
                "not in force",
                format!("{}: {}", error.object, error.error),
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use rackweave_api::control::{NodeReport, ObjectError};
    use rackweave_types::Generation;

    use super::*;

    #[test]
    fn a_host_says_what_it_has_not_in_force() {
        let error = ObjectError {
            object: "port 7".to_owned(),
            error: "no such device".to_owned(),
        };
        let report = NodeReport {
            generation: Generation::new(9),
            digest: "00".to_owned(),
            errors: vec![error],
            program: "rackweave 0.1.0".to_owned(),
        };
        let status = NodeStatus {
            node: "fd00:1:2:101::/64".to_owned(),
            connected: true,
            report: Some(report),
            reported_ms: Some(0),
            controller: None,
        };
        let host = Host {
            name: "sled-1".to_owned(),
            status,
        };
        assert!(shown(&host).contains("not in force         port 7: no such device\n"));
        let listed = table(&[host], false);
        assert!(
            listed.contains("sled-1  fd00:1:2:101::/64  yes               9       1"),
            "{listed}"
        );
    }
}
