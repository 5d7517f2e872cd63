//! What a node's machine has done.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use rackweave_types::Instant;

use super::LinkId;

/// One way of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hop {
    /// The link.
    pub link: LinkId,
    /// The neighbour's link-local address.
    pub via: Ipv6Addr,
    /// Its share against the other ways: 1 to 255.
    pub weight: u8,
}

/// A route that the kernel is to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// Where it leads.
    pub prefix: Ipv6Net,
    /// The source address of what the node itself sends this way.
    pub source: Option<Ipv6Addr>,
    /// Its ways in order; none makes the destination unreachable.
    pub hops: Vec<Hop>,
}

/// What a node's machine has done by its program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Output {
    /// Send a router solicitation to all routers of the link (`ff02::2`), hop limit 255.
    Solicit {
        /// On which link.
        link: LinkId,
    },
    /// Send a router advertisement of lifetime 0 to one neighbour, hop limit 255.
    Advertise {
        /// On which link.
        link: LinkId,
        /// To whom.
        to: Ipv6Addr,
    },
    /// Send a message of the interior protocol, hop limit 255.
    Send {
        /// On which link.
        link: LinkId,
        /// To whom.
        to: Ipv6Addr,
        /// Its octets, at most 1,232.
        bytes: Vec<u8>,
    },
    /// Watch liveness and measure delay towards a neighbour; again with a new key where it changed.
    Watch {
        /// On which link.
        link: LinkId,
        /// The neighbour's link-local address.
        peer: Ipv6Addr,
        /// What beacons of the two are tagged with: known to them alone.
        key: [u8; 32],
    },
    /// No more watching.
    Unwatch {
        /// On which link.
        link: LinkId,
        /// The neighbour's link-local address.
        peer: Ipv6Addr,
    },
    /// Have the kernel route this; it answers with [`Input::Fib`](super::Input::Fib).
    Install(Installed),
    /// Have the kernel no longer route this; it answers with [`Input::Fib`](super::Input::Fib).
    Remove(Ipv6Net),
    /// Have this address on loopback.
    AddAddress(Ipv6Addr),
    /// No longer have this address on loopback.
    RemoveAddress(Ipv6Addr),
    /// Let in from this link packets of these sources alone, beside link-local ones (a switch, from its sleds' links);
    /// with `None`, from anybody.
    Filter {
        /// The link.
        link: LinkId,
        /// Who is at its other end, for counters.
        owner: String,
        /// The sources.
        allowed: Option<Vec<Ipv6Net>>,
    },
    /// Something that people want to know happened.
    Event(Event),
}

/// Something that happened, for the history and the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// What kind, for programs.
    pub kind: EventKind,
    /// What, for people: names link, neighbour and prefix, cause and, where there is one, next step.
    pub what: String,
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A link came, went, or changed.
    Link,
    /// A neighbour was found, lost, came back, or restarts.
    Neighbor,
    /// Liveness towards a neighbour changed.
    Liveness,
    /// The ways to a prefix changed, or their weights.
    Route,
    /// A message or announcement was refused.
    Refused,
    /// Two claim what one can have.
    Conflict,
    /// The kernel's table was not what it should be, and was mended.
    Repair,
    /// The node's own role, prefix or keys changed.
    Node,
}
