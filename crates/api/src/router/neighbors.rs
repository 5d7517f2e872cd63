//! Neighbours.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use rackweave_types::{MacAddr, NodePrefix, RackPrefix, Role};
use serde::{Deserialize, Serialize};

/// Asks for the neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighborsRequest {}

/// The neighbours, in the order of their links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbors {
    /// The neighbours.
    pub neighbors: Vec<Neighbor>,
}

/// A neighbour: one address on one link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is asked for by itself, and names its own field on the socket"
)]
pub struct Neighbor {
    /// The link.
    pub link: String,
    /// Its link-local address.
    pub address: Ipv6Addr,
    /// Its identity; none before its session stood for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Its hardware address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<MacAddr>,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Its /64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<NodePrefix>,
    /// Its rack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<RackPrefix>,
    /// Whether all this is proven by signatures.
    pub signed: bool,
    /// The session: `new` (never stood), `up`, `lost` (over; what it said is used while it forwards, for a while).
    pub session: String,
    /// For how long the session has been so, in milliseconds.
    pub session_ms: u64,
    /// Whether frames pass both ways, by liveness.
    pub live: bool,
    /// Whether its link is up.
    pub link_up: bool,
    /// Smoothed round trip in nanoseconds, once measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ns: Option<u32>,
    /// Lost of a million, in the worse direction, once measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_ppm: Option<u32>,
    /// What the link costs: a round trip in nanoseconds, loss included as the delay that it is worth.
    pub cost_ns: u32,
    /// How many announcements of it are held.
    pub announced: u64,
    /// How many of these are stale: of a session that is over.
    #[serde(default)]
    pub stale: u64,
    /// Whether it has said all that it knew when its session began.
    pub complete: bool,
    /// What of its announcements is refused.
    #[serde(default)]
    pub refused: Vec<RefusedPrefix>,
    /// How many of its messages were refused, by kind.
    #[serde(default)]
    pub refused_messages: Vec<RefusedMessages>,
    /// On a switch, the sources that its link lets in; none where that is everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<Ipv6Net>>,
}

/// An announcement that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPrefix {
    /// What was announced.
    pub prefix: Ipv6Net,
    /// Why it is refused.
    pub why: String,
}

/// Messages that were refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedMessages {
    /// Why.
    pub kind: String,
    /// How many.
    pub count: u64,
}

/// Asks for the sleds of the rack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SledsRequest {}

/// The sleds and switches of the rack that the local table knows, in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sleds {
    /// The sleds, this node among them if it is one.
    pub sleds: Vec<Sled>,
}

/// A sled or switch of the rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sled {
    /// Its hardware address: it tells its bootstrap prefix.
    pub hardware: MacAddr,
    /// Its identity, where it is a neighbour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// What it does, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Its first address on the bootstrap network.
    pub bootstrap: Ipv6Addr,
    /// Whether that can be reached now.
    pub reachable: bool,
    /// Its /64, once it announces one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<NodePrefix>,
    /// Whether it is this node.
    #[serde(default)]
    pub own: bool,
}
