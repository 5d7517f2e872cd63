//! What people and programs may see of a node's machine.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use rackweave_types::{AzPrefix, Instant, NodePrefix, RackPrefix, Role};

use super::{LinkId, Measured};
use crate::ddm::item::{Cost, NodeId, Scope};
use crate::ddm::session::RefusedKind;
use crate::rib::Protocol;

/// The node itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its hardware address.
    pub id: NodeId,
    /// Its identity.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// The first address of its bootstrap prefix.
    pub bootstrap: Ipv6Addr,
    /// Its /64, once assigned.
    pub prefix: Option<NodePrefix>,
    /// Its rack, once assigned.
    pub rack: Option<RackPrefix>,
    /// Its AZ, once known.
    pub az: Option<AzPrefix>,
    /// Whether forwarding of a process before is still kept.
    pub is_holding: bool,
    /// What its programs asked to originate.
    pub originated: Vec<OriginatedView>,
    /// How much it holds.
    pub counts: Counts,
}

/// A prefix that programs asked to originate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginatedView {
    /// The prefix.
    pub prefix: Ipv6Net,
    /// Each program that asked, and whether it serves.
    pub askers: Vec<(String, bool)>,
}

/// How much a node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Neighbours with a session.
    pub sessions: usize,
    /// Neighbours known.
    pub neighbors: usize,
    /// Prefixes with a route.
    pub routes: usize,
    /// Routes that the kernel has.
    pub held: usize,
    /// Ways heard of, over all prefixes, origins and neighbours.
    pub candidates: usize,
    /// Announcements kept to be told, over all classes of neighbours.
    pub announced: usize,
}

/// The state of the control of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlView {
    /// No session ever stood.
    New,
    /// A session stands.
    Up,
    /// The session is over; what it said is used while it forwards, for a while.
    Lost,
}

/// A neighbour.
#[expect(
    clippy::struct_excessive_bools,
    reason = "what people see of it, each bool on its own"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighborView {
    /// The link's number.
    pub link: LinkId,
    /// The link's name.
    pub link_name: String,
    /// The neighbour's link-local address.
    pub address: Ipv6Addr,
    /// Its hardware address, once it said so.
    pub id: Option<NodeId>,
    /// Its identity.
    pub name: Option<String>,
    /// What it does.
    pub role: Option<Role>,
    /// Its /64.
    pub prefix: Option<NodePrefix>,
    /// Its rack.
    pub rack: Option<RackPrefix>,
    /// Whether all this is proven by signatures.
    pub is_proven: bool,
    /// The state of its control.
    pub control: ControlView,
    /// Since when.
    pub since: Instant,
    /// Whether frames pass, by liveness.
    pub is_live: bool,
    /// Whether the link is up.
    pub is_link_up: bool,
    /// What was measured.
    pub measured: Option<Measured>,
    /// What the link costs.
    pub cost: Cost,
    /// How many announcements of it are held.
    pub routes: usize,
    /// How many of these are stale.
    pub stale: usize,
    /// Whether it has said all that it knew when its session began.
    pub is_complete: bool,
    /// Announcements that were refused, and why.
    pub refused: Vec<(Ipv6Net, String)>,
    /// How many of its messages were refused, by kind.
    pub refused_messages: Vec<(RefusedKind, u64)>,
    /// On a switch, the sources that its link lets in; `None` for everybody.
    pub allowed: Option<Vec<Ipv6Net>>,
}

/// One way of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayView {
    /// The link's number.
    pub link: LinkId,
    /// The link's name.
    pub link_name: String,
    /// The neighbour's link-local address.
    pub via: Ipv6Addr,
    /// The neighbour's identity.
    pub name: Option<String>,
    /// Its share against the other ways.
    pub weight: u8,
}

/// What the kernel has of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldView {
    /// It has it as it should be.
    Held,
    /// It has been asked, and has not answered yet.
    Asked,
    /// It refused, with these words.
    Refused(String),
    /// It has not been asked: forwarding of a process before is kept.
    Kept,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteView {
    /// Where it leads.
    pub prefix: Ipv6Net,
    /// What the prefix is.
    pub scope: Option<Scope>,
    /// Who offers it.
    pub protocol: Protocol,
    /// Its ways; none where it is unreachable.
    pub ways: Vec<WayView>,
    /// How many nodes lie on the way.
    pub hops: usize,
    /// The least cost of its ways.
    pub cost: Cost,
    /// What the kernel has of it.
    pub kernel: HeldView,
}

/// One way to a prefix that was heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathView {
    /// Where it leads.
    pub prefix: Ipv6Net,
    /// Who originates it.
    pub origin: NodeId,
    /// The neighbour that announced it.
    pub via: Ipv6Addr,
    /// The neighbour's identity.
    pub name: Option<String>,
    /// The link's name.
    pub link_name: String,
    /// The nodes that it passes, the origin first.
    pub path: Vec<NodeId>,
    /// What it costs from here.
    pub cost: Cost,
    /// Its share; 0 where it is not used.
    pub weight: u8,
    /// Whether it was said in a session that is over.
    pub is_stale: bool,
    /// Why it is used, or is not.
    pub why: String,
}

/// Why packets to a prefix or address go where they go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainView {
    /// What was asked.
    pub asked: Ipv6Net,
    /// The route that serves it: the longest prefix.
    pub route: Option<RouteView>,
    /// Whether packets end at this node.
    pub is_local: bool,
    /// What it comes down to, in one sentence.
    pub summary: String,
    /// Every way heard of, and why it is used or not.
    pub paths: Vec<PathView>,
    /// Announcements of it that were refused, with neighbour and reason.
    pub refused: Vec<(String, String)>,
    /// To what neighbours it is announced, and how: class, path, cost.
    pub announced: Vec<String>,
}

/// A node of the rack, as the local table shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SledView {
    /// Its hardware address.
    pub id: NodeId,
    /// Its identity, where it is a neighbour.
    pub name: Option<String>,
    /// What it does, where that is known.
    pub role: Option<Role>,
    /// The first address of its bootstrap prefix.
    pub bootstrap: Ipv6Addr,
    /// Whether that can be reached now.
    pub is_reachable: bool,
    /// Its /64, where it is announced.
    pub prefix: Option<NodePrefix>,
    /// Whether it is this node.
    pub is_self: bool,
}
