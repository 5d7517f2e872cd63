//! How a lab is.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use rackweave_types::{BootstrapPrefix, MacAddr, RackNumber, Role};
use serde::{Deserialize, Serialize};

use crate::fault::Condition;
use crate::management::{self, ManagementStatus};
use crate::place::Place;
use crate::router;
use crate::spaces;
use crate::state::State;
use crate::step::StepError;
use crate::topology::{End, LabName, Link};

/// A lab as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its name.
    pub lab: LabName,
    /// The AZ.
    pub az: Ipv6Net,
    /// Whether nodes accept signed messages alone.
    pub signed: bool,
    /// The namespace of the cables.
    pub cables: String,
    /// Its nodes.
    pub nodes: Vec<NodeStatus>,
    /// Its links, those of the management network last.
    pub links: Vec<LinkStatus>,
    /// Its management network, if it has one.
    #[serde(default)]
    pub management: Option<ManagementStatus>,
}

/// A node as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// What it is to the fabric.
    pub role: Role,
    /// Its rack.
    pub rack: Option<RackNumber>,
    /// The hardware address of its bootstrap prefix.
    pub hardware: MacAddr,
    /// Its address on the bootstrap network.
    pub bootstrap: Ipv6Addr,
    /// Its own address, once its rack gave it one.
    pub address: Option<Ipv6Addr>,
    /// Its namespace.
    pub namespace: String,
    /// The process of its router.
    pub router: Option<i32>,
    /// The router's run directory.
    pub run_dir: String,
    /// What its router says.
    pub log: String,
}

/// A link as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// Its name.
    pub name: String,
    /// Its nodes.
    pub nodes: [String; 2],
    /// Its interfaces in the nodes.
    pub interfaces: [String; 2],
    /// Its ends in the namespace of the cables.
    pub middles: [String; 2],
    /// Whether nothing is wrong with it.
    pub is_whole: bool,
    /// What is wrong with it, in words.
    pub condition: String,
    /// What is wrong with it.
    pub fault: Condition,
}

/// How the lab is.
///
/// # Errors
/// Where there is no such lab.
pub fn status(place: &Place) -> Result<Status, StepError> {
    let state = State::read(place)?;
    let topology = &state.topology;
    let nodes = topology.nodes.iter().map(|node| NodeStatus {
        name: node.name.clone(),
        role: node.role,
        rack: node.rack,
        hardware: node.hardware,
        bootstrap: BootstrapPrefix::new(node.hardware).address(),
        address: spaces::node(place, &node.name)
            .ok()
            .and_then(|space| router::address(&space, topology.az)),
        namespace: place.space(&node.name),
        router: router::pid(place, node),
        run_dir: place.run_dir(&node.name).display().to_string(),
        log: place.log(&node.name).display().to_string(),
    });
    let management = state.management.as_ref();
    let links = state.target("all").unwrap_or_default();
    let links = links.into_iter().map(|link| link_status(&state, link));
    Ok(Status {
        lab: topology.lab.clone(),
        az: topology.az.net(),
        signed: state.signed,
        cables: place.cables(),
        nodes: nodes.collect(),
        links: links.collect(),
        management: management.map(|management| management::status(place, management)),
    })
}

fn link_status(state: &State, link: &Link) -> LinkStatus {
    let fault = state.condition(link);
    let crossed = state
        .management
        .as_ref()
        .and_then(|management| management.crossed_with(&link.name));
    let of = |what: fn(&End) -> &String| [what(&link.ends[0]).clone(), what(&link.ends[1]).clone()];
    LinkStatus {
        name: link.name.clone(),
        nodes: of(|end| &end.node),
        interfaces: of(|end| &end.interface),
        middles: of(|end| &end.middle),
        is_whole: fault.is_whole() && crossed.is_none(),
        condition: match crossed {
            None => fault.describe(link),
            Some(other) => format!("in the connector of {other}"),
        },
        fault,
    }
}
