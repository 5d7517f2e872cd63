//! Routes and paths.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use rackweave_types::MacAddr;
use serde::{Deserialize, Serialize};

/// Asks for the routes that the router gives the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutesRequest {}

/// The routes, in the order of their prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// The routes.
    pub routes: Vec<Route>,
}

/// A route that the router gives the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where it leads.
    pub prefix: Ipv6Net,
    /// How far it travels: `bootstrap`, `rack`, `summary`, `service`, `site`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Who offers it: `interior`, or `own` for what makes the rest of the own rack unreachable.
    pub protocol: String,
    /// Its ways; none makes the destination unreachable.
    pub ways: Vec<Way>,
    /// How many nodes lie on the way.
    pub hops: u64,
    /// The least cost of its ways: a round trip in nanoseconds, loss included as the delay that it is worth.
    pub cost_ns: u32,
    /// What the kernel has of it: `held`, `asked`, `refused`, `kept` (that of a process before).
    pub kernel: String,
    /// What the kernel said, where it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A way of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The link.
    pub link: String,
    /// The neighbour's link-local address.
    pub via: Ipv6Addr,
    /// The neighbour's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbor: Option<String>,
    /// Its share against the other ways: 1 to 255.
    pub weight: u8,
}

/// Asks for what neighbours announce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathsRequest {
    /// Of this prefix, or the longest one that holds this address, alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Ipv6Net>,
}

/// What neighbours announce, in the order of the prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// The paths.
    pub paths: Vec<Path>,
    /// What end-to-end probes to destinations in use found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verified: Vec<VerifiedPath>,
}

/// What end-to-end probes to a destination found, from one source port: such a port takes always the same path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedPath {
    /// The destination.
    pub to: Ipv6Addr,
    /// Which of the router's source ports.
    pub source: u64,
    /// The round trip in nanoseconds; none where nothing was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ns: Option<u32>,
    /// The announced cost of a way in use that is nearest to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_ns: Option<u32>,
    /// Whether the two are more than a millisecond and a quarter apart.
    #[serde(default)]
    pub differs: bool,
    /// Probes lost of the newest eight.
    #[serde(default)]
    pub lost: u32,
}

/// A prefix from one origin through one neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// Where it leads.
    pub prefix: Ipv6Net,
    /// Who originates it: its hardware address.
    pub origin: MacAddr,
    /// The link of the neighbour that announced it.
    pub link: String,
    /// The neighbour's link-local address.
    pub via: Ipv6Addr,
    /// The neighbour's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbor: Option<String>,
    /// The nodes that it passes, the origin first: their hardware addresses.
    pub nodes: Vec<MacAddr>,
    /// What it costs from here: a round trip in nanoseconds, loss included as the delay that it is worth.
    pub cost_ns: u32,
    /// Its share against the other ways; 0 where it is not used.
    pub weight: u8,
    /// Whether it was said in a session that is over.
    #[serde(default)]
    pub stale: bool,
    /// Why it is used, or is not.
    pub why: String,
}

/// Asks why packets to a destination go where they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainRequest {
    /// The destination: a prefix, or an address as /128.
    pub to: Ipv6Net,
}

/// Why packets to a destination go where they go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was asked for.
    pub to: Ipv6Net,
    /// What it comes down to, in one sentence.
    pub summary: String,
    /// Whether packets end at this node.
    #[serde(default)]
    pub local: bool,
    /// The route that packets take; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// Every way heard of, and why it is used or not.
    pub paths: Vec<Path>,
    /// Announcements of it that were refused.
    #[serde(default)]
    pub refused: Vec<RefusedAnnouncement>,
    /// What neighbours are told of it, for people.
    #[serde(default)]
    pub announced: Vec<String>,
}

/// An announcement that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedAnnouncement {
    /// Whose it was.
    pub neighbor: String,
    /// Why it was refused.
    pub why: String,
}
