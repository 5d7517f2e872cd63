//! The commands that ask once.

use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use rackweave_api::local::{Client, ClientError};
use rackweave_api::sled::{
    Applied, ApplyRequest, Drops, DropsRequest, FlowFilter, Flows, FlowsRequest, Ports,
    PortsRequest, Request, Rules, RulesRequest, SERVICE, Status, StatusRequest, StopRequest,
    Stopped,
};
use rackweave_daemon::ask;
use rackweave_daemon::output::{Failure, Output};
use rackweave_types::Direction;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ShowArgs, explain, render};
use crate::host;

/// What the command says where the sled does not answer, or refuses.
pub(super) fn asking(error: ClientError) -> Failure {
    Failure::asking(SERVICE, error)
}

/// Connects to the sled.
pub(super) fn connect(args: &ShowArgs) -> Result<Client, Failure> {
    ask::connect(&args.socket(), SERVICE)
}

fn ask<T: DeserializeOwned + Serialize>(
    args: &ShowArgs,
    request: &Request,
    text: impl FnOnce(&T, bool) -> String,
) -> Result<(), Failure> {
    ask::show(&args.socket(), SERVICE, request, args.json, text)
}

pub(super) fn status(args: &ShowArgs) -> Result<(), Failure> {
    ask::<Status>(args, &Request::Status(StatusRequest {}), render::status)
}

pub(super) fn ports(args: &ShowArgs) -> Result<(), Failure> {
    ask::<Ports>(args, &Request::Ports(PortsRequest {}), render::ports)
}

/// Which connections are listed.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  rackweave sled flows
  rackweave sled flows web --address 192.0.2.0/24
  rackweave sled flows --proto udp --port-number 53 --json

GUEST and REMOTE are the ends as the guest sees them, OUTSIDE is the guest's end as the world sees it.")]
pub(super) struct FlowsArgs {
    /// Of this port only.
    port: Option<String>,
    /// One of their ends has this address, or lies in this prefix.
    #[arg(long, value_name = "ADDRESS[/LEN]", value_parser = net)]
    address: Option<IpNet>,
    /// One of their ends has this transport port.
    #[arg(long, value_name = "NUMBER")]
    port_number: Option<u16>,
    /// Their protocol: tcp, udp, icmp, icmpv6 or a number.
    #[arg(long, value_name = "PROTOCOL", value_parser = explain::protocol)]
    proto: Option<u8>,
    /// At most so many; 0 for all.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    limit: u64,
    #[command(flatten)]
    show: ShowArgs,
}

/// An address, or a prefix.
fn net(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<std::net::IpAddr>().map(IpNet::from);
    address
        .or_else(|_| text.parse::<IpNet>())
        .map_err(|_| "an address or a prefix, such as 10.0.1.5 or 10.0.1.0/24".to_owned())
}

pub(super) fn flows(args: &FlowsArgs) -> Result<(), Failure> {
    let request = Request::Flows(FlowsRequest {
        port: args.port.clone(),
        filter: FlowFilter {
            address: args.address,
            port: args.port_number,
            protocol: args.proto,
        },
        limit: (args.limit > 0).then_some(args.limit),
    });
    let mut client = connect(&args.show)?;
    let mut replies = client.request::<_, Flows>(&request).map_err(asking)?;
    let mut all = Flows::default();
    while let Some(part) = replies.next_reply().map_err(asking)? {
        all.flows.extend(part.flows);
        all.cut = part.cut;
    }
    Output::new(args.show.json).show(&all, render::flows)
}

/// Which rules are listed.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  rackweave sled rules web
  rackweave sled rules web --layer firewall --in
  rackweave sled rules web --hit

Packets of known connections are counted at their connection, not at rules.")]
pub(super) struct RulesArgs {
    /// The port.
    port: String,
    /// Of this layer only.
    #[arg(long)]
    layer: Option<String>,
    /// Only for packets of the guest.
    #[arg(long, conflicts_with = "inbound")]
    out: bool,
    /// Only for packets to the guest.
    #[arg(long = "in")]
    inbound: bool,
    /// Only those that a packet has met.
    #[arg(long)]
    hit: bool,
    #[command(flatten)]
    show: ShowArgs,
}

pub(super) fn rules(args: &RulesArgs) -> Result<(), Failure> {
    let request = Request::Rules(RulesRequest {
        port: args.port.clone(),
    });
    let mut rules: Rules = connect(&args.show)?.ask(&request).map_err(asking)?;
    rules.rules.retain(|rule| {
        let unwanted = (args.out && rule.direction == Direction::In)
            || (args.inbound && rule.direction == Direction::Out)
            || (args.hit && rule.hits == 0);
        !unwanted && args.layer.as_ref().is_none_or(|layer| *layer == rule.layer)
    });
    Output::new(args.show.json).show(&rules, render::rules)
}

/// Whose drops are listed.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  rackweave sled drops
  rackweave sled drops web --json")]
pub(super) struct DropsArgs {
    /// At this port only; without it, at all ports, and those of workers, devices and the agent.
    port: Option<String>,
    #[command(flatten)]
    show: ShowArgs,
}

pub(super) fn drops(args: &DropsArgs) -> Result<(), Failure> {
    let request = Request::Drops(DropsRequest {
        port: args.port.clone(),
    });
    ask::<Drops>(&args.show, &request, render::drops)
}

/// What is applied.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  rackweave sled apply host.json

All of it is applied or nothing; connections that the new rules allow go on.")]
pub(super) struct ApplyArgs {
    /// The host state (JSON).
    file: PathBuf,
    #[command(flatten)]
    show: ShowArgs,
}

pub(super) fn apply(args: &ApplyArgs) -> Result<(), Failure> {
    let state = host::read::read(&args.file).map_err(|errors| {
        let file = errors.file.clone().unwrap_or_default();
        let lines: Vec<String> = errors.errors.iter().map(ToString::to_string).collect();
        Failure::new(format!(
            "{file}: this is no host state; nothing has changed"
        ))
        .cause(lines.join("\n"))
        .next("correct the file and apply it again")
    })?;
    let request = Request::Apply(ApplyRequest {
        state: Box::new(state),
    });
    let applied = ask::<Applied>(&args.show, &request, render::applied);
    applied.map_err(|failure| Failure {
        what: format!("{}: {}", args.file.display(), failure.what),
        ..failure
    })
}

pub(super) fn stop(args: &ShowArgs) -> Result<(), Failure> {
    let text = |_: &Stopped, _| {
        "the sled ends; its guests' connections wait for the next one\n".to_owned()
    };
    ask::<Stopped>(args, &Request::Stop(StopRequest {}), text)
}
