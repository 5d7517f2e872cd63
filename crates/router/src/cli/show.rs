//! The commands that ask once.

use std::net::Ipv6Addr;

use clap::Args;
use ipnet::Ipv6Net;
use rackweave_api::local::{Client, ClientError};
use rackweave_api::router::{
    ExplainRequest, Explanation, LldpNeighbors, LldpRequest, Neighbors, NeighborsRequest, Paths,
    PathsRequest, Request, Routes, RoutesRequest, SERVICE, Sleds, SledsRequest, Status,
    StatusRequest, StopRequest, Stopped,
};
use rackweave_daemon::ask;
use rackweave_daemon::output::Failure;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ShowArgs, render};

/// What the command says where the router does not answer, or refuses.
pub(super) fn asking(error: ClientError) -> Failure {
    Failure::asking(SERVICE, error)
}

/// Connects to the router.
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

pub(super) fn neighbors(args: &ShowArgs) -> Result<(), Failure> {
    let request = Request::Neighbors(NeighborsRequest {});
    ask::<Neighbors>(args, &request, render::neighbors)
}

pub(super) fn routes(args: &ShowArgs) -> Result<(), Failure> {
    ask::<Routes>(args, &Request::Routes(RoutesRequest {}), render::routes)
}

pub(super) fn lldp(args: &ShowArgs) -> Result<(), Failure> {
    ask::<LldpNeighbors>(args, &Request::Lldp(LldpRequest {}), render::lldp)
}

pub(super) fn sleds(args: &ShowArgs) -> Result<(), Failure> {
    ask::<Sleds>(args, &Request::Sleds(SledsRequest {}), render::sleds)
}

/// Which paths are listed.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  rackweave router paths
  rackweave router paths fd00:1122:3344:200::/56
  rackweave router paths fd00:1122:3344:105::1 --json")]
pub(super) struct PathsArgs {
    /// Of this prefix, or of the longest one that holds this address; of all where none is named.
    #[arg(value_name = "PREFIX|ADDRESS", value_parser = net)]
    to: Option<Ipv6Net>,
    #[command(flatten)]
    show: ShowArgs,
}

pub(super) fn paths(args: &PathsArgs) -> Result<(), Failure> {
    let request = Request::Paths(PathsRequest { prefix: args.to });
    ask::<Paths>(&args.show, &request, render::paths)
}

/// What is explained.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  rackweave router explain fd00:1122:3344:105::1
  rackweave router explain fd00:1122:3344:200::/56 --json")]
pub(super) struct ExplainArgs {
    /// The destination.
    #[arg(value_name = "PREFIX|ADDRESS", value_parser = net)]
    to: Ipv6Net,
    #[command(flatten)]
    show: ShowArgs,
}

pub(super) fn explain(args: &ExplainArgs) -> Result<(), Failure> {
    let request = Request::Explain(ExplainRequest { to: args.to });
    ask::<Explanation>(&args.show, &request, render::explanation)
}

/// An address, or a prefix.
fn net(text: &str) -> Result<Ipv6Net, String> {
    let address = text.parse::<Ipv6Addr>().map(Ipv6Net::from);
    let net = address.or_else(|_| text.parse::<Ipv6Net>());
    net.map_err(|_| {
        "an IPv6 address or prefix, such as fd00:1122:3344:105::1 or fd00:1122:3344:100::/56"
            .to_owned()
    })
}

/// What ends.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  rackweave router stop         for a restart: neighbours keep what this node said, and packets go on
  rackweave router stop --all   takes the node out of the fabric")]
pub(super) struct StopArgs {
    /// Also ends liveness, so that neighbours send nothing to this node any more, and takes its routes out of the kernel.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    show: ShowArgs,
}

pub(super) fn stop(args: &StopArgs) -> Result<(), Failure> {
    let all = args.all;
    let text = move |_: &Stopped, _| {
        if all {
            "the router ends, and its node leaves the fabric\n".to_owned()
        } else {
            "the router ends; forwarding goes on, and neighbours wait 30 s for the next one\n"
                .to_owned()
        }
    };
    ask::<Stopped>(&args.show, &Request::Stop(StopRequest { all }), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_an_address_or_a_prefix() {
        assert_eq!(net("fd00::1").unwrap().prefix_len(), 128);
        assert_eq!(net("fd00::/56").unwrap().prefix_len(), 56);
        assert!(net("10.0.0.1").is_err());
    }

    #[test]
    fn a_router_that_does_not_run_is_told_with_how_to_start_it() {
        let dir = tempfile::tempdir().unwrap();
        let show = ShowArgs {
            run_dir: dir.path().to_owned(),
            json: false,
        };
        let failure = status(&show).unwrap_err();
        assert!(
            failure
                .to_string()
                .contains("systemctl start rackweave-router")
        );
    }
}
