//! What one can ask the routing daemon, at `RUN_DIR/router.sock`.
//!
//! | request | reply | who |
//! |---|---|---|
//! | [`status`](Request::Status) | [`Status`] | the group |
//! | [`node`](Request::Node) | [`Node`] | the group |
//! | [`neighbors`](Request::Neighbors) | [`Neighbors`] | the group |
//! | [`routes`](Request::Routes) | [`Routes`] | the group |
//! | [`paths`](Request::Paths) | [`Paths`] | the group |
//! | [`lldp`](Request::Lldp) | [`LldpNeighbors`] | the group |
//! | [`explain`](Request::Explain) | [`Explanation`] | the group |
//! | [`sleds`](Request::Sleds) | [`Sleds`] | the group |
//! | [`events`](Request::Events) | many [`Events`] | the group |
//! | [`originate`](Request::Originate) | many [`Originated`] | root |
//! | [`withdraw`](Request::Withdraw) | [`Withdrawn`] | root |
//! | [`use`](Request::Use) | [`Used`] | root |
//! | [`rack_show`](Request::RackShow) | [`RackTable`] | the group |
//! | [`rack_init`](Request::RackInit) | [`RackTable`] | root |
//! | [`stop`](Request::Stop) | [`Stopped`] | root |
//! | [`rack_replace`](Request::RackReplace) | [`RackTable`] | root |
//!
//! Words that a later release may add to (sessions, scopes, kinds of events) are texts, so that an older client shows
//! them.

mod change;
mod events;
mod lldp;
mod neighbors;
mod node;
mod rack;
mod routes;

use serde::{Deserialize, Serialize};

pub use change::{
    OriginScope, OriginateRequest, Originated, Origination, StopRequest, Stopped, UseRequest, Used,
    WithdrawRequest, Withdrawn,
};
pub use events::{Event, Events, EventsRequest};
pub use lldp::{LldpManagement, LldpNeighbor, LldpUnknown};
pub use neighbors::{
    Neighbor, Neighbors, NeighborsRequest, RefusedMessages, RefusedPrefix, Sled, Sleds,
    SledsRequest,
};
pub use node::{Link, Node, NodeRequest, OriginatedPrefix, Status, StatusRequest};
pub use rack::{RackInitRequest, RackNode, RackReplaceRequest, RackShowRequest, RackTable};
pub use routes::{
    ExplainRequest, Explanation, Path, Paths, PathsRequest, RefusedAnnouncement, Route, Routes,
    RoutesRequest, VerifiedPath, Way,
};

/// The service of the router's socket, as its hello names it.
pub const SERVICE: &str = "router";
/// The socket's name in the run directory.
pub const SOCKET: &str = "router.sock";
/// Where the router has its sockets where nothing else is said.
pub const RUN_DIR: &str = "/run/rackweave/router";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// How the router is.
    Status(StatusRequest),
    /// Who the node is.
    Node(NodeRequest),
    /// Its neighbours.
    Neighbors(NeighborsRequest),
    /// The routes that it gives the kernel.
    Routes(RoutesRequest),
    /// What neighbours announce.
    Paths(PathsRequest),
    /// Who is at the other end of each link.
    Lldp(LldpRequest),
    /// Why packets go where they go.
    Explain(ExplainRequest),
    /// The sleds and switches of the rack.
    Sleds(SledsRequest),
    /// What happened.
    Events(EventsRequest),
    /// Has prefixes originated.
    Originate(OriginateRequest),
    /// Takes back what was originated.
    Withdraw(WithdrawRequest),
    /// Tells which destinations a program sends to.
    Use(UseRequest),
    /// The table of the rack.
    RackShow(RackShowRequest),
    /// Begins the rack.
    RackInit(RackInitRequest),
    /// Ends the router.
    Stop(StopRequest),
    /// Has another node keep the table of the rack.
    RackReplace(RackReplaceRequest),
}

impl Request {
    /// The names of all requests, as they stand on the socket.
    pub const NAMES: [&'static str; 16] = [
        "status",
        "node",
        "neighbors",
        "routes",
        "paths",
        "lldp",
        "explain",
        "sleds",
        "events",
        "originate",
        "withdraw",
        "use",
        "rack_show",
        "rack_init",
        "stop",
        "rack_replace",
    ];
}

/// Asks who is at the other end of each link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LldpRequest {}

/// Who is at the other end of each link, in the order of the links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LldpNeighbors {
    /// The systems.
    pub neighbors: Vec<LldpNeighbor>,
}
