//! What a node's machine is told.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use rackweave_trust::Assignment;
use rackweave_types::{Instant, MacAddr};

use super::Hop;
use crate::ddm::item::Scope;

/// The time of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Since the machine's boot: for all that waits.
    pub at: Instant,
    /// Seconds since 1970: for the validity of certificates alone.
    pub unix: u64,
}

/// The kernel's number of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinkId(pub u32);

/// A link that the fabric runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkState {
    /// The kernel's number.
    pub link: LinkId,
    /// The kernel's name.
    pub name: String,
    /// The link's hardware address.
    pub mac: MacAddr,
    /// The link-local address, where it has one yet.
    pub address: Option<Ipv6Addr>,
    /// Whether the link is up and has carrier.
    pub up: bool,
    /// The longest packet that it carries, in octets, where it is known: for people alone.
    #[serde(default)]
    pub mtu: Option<u32>,
}

/// What was measured on a link towards its neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Smoothed round trip, in nanoseconds.
    pub rtt_ns: u32,
    /// Lost of a million, in the worse direction.
    pub loss_ppm: u32,
}

/// The kernel's answer to an install or a removal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FibAnswer {
    /// The kernel has it as asked.
    Done,
    /// The kernel refused, with its error number and word.
    Refused(i32, String),
}

/// A route of ours that the kernel holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelRoute {
    /// Where it leads.
    pub prefix: Ipv6Net,
    /// The source address of what the node itself sends this way.
    pub source: Option<Ipv6Addr>,
    /// Its ways, as [`Installed`](super::Installed) has them; none where it is unreachable.
    pub hops: Vec<Hop>,
}

/// A program of the node that had a prefix originated, by the name it gave at the router's socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asker(pub String);

/// What a node's machine is told; can be recorded and replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Input {
    /// A link came, went up or down, or changed.
    Link(LinkState),
    /// A link is gone.
    LinkGone(LinkId),
    /// A router solicitation came from a neighbour (RFC 4861, 4.1), with hop limit 255.
    Solicited {
        /// On which link.
        link: LinkId,
        /// From whom: a link-local address.
        from: Ipv6Addr,
    },
    /// A router advertisement came from a neighbour (RFC 4861, 4.2), with hop limit 255.
    Advertised {
        /// On which link.
        link: LinkId,
        /// From whom: a link-local address.
        from: Ipv6Addr,
    },
    /// A message of the interior protocol came, with hop limit 255.
    Datagram {
        /// On which link.
        link: LinkId,
        /// From whom: a link-local address.
        from: Ipv6Addr,
        /// Its octets.
        bytes: Vec<u8>,
    },
    /// Forwarding towards a neighbour lives or is dead (BFD).
    Liveness {
        /// On which link.
        link: LinkId,
        /// The neighbour's link-local address.
        peer: Ipv6Addr,
        /// Whether frames pass both ways.
        up: bool,
        /// Why it is dead, for people.
        reason: String,
    },
    /// Delay or loss towards a neighbour moved.
    Measured {
        /// On which link.
        link: LinkId,
        /// The neighbour's link-local address.
        peer: Ipv6Addr,
        /// What was measured.
        measured: Measured,
    },
    /// The kernel's answer to [`Output::Install`](super::Output::Install) or `Remove`.
    Fib {
        /// The prefix that was installed or removed.
        prefix: Ipv6Net,
        /// What the kernel said.
        answer: FibAnswer,
    },
    /// The filter of a link lets in what [`Output::Filter`](super::Output::Filter) said, from now on.
    Filtered {
        /// The link.
        link: LinkId,
        /// The sources; `None` for anybody.
        allowed: Option<Vec<Ipv6Net>>,
    },
    /// All routes of ours that the kernel holds: at the start, and from time to time.
    Kernel(Vec<KernelRoute>),
    /// A program has a prefix originated, or changes whether it is ready.
    Originate {
        /// Who asks.
        asker: Asker,
        /// What.
        prefix: Ipv6Net,
        /// How far it travels.
        scope: Scope,
        /// Whether it is announced now.
        ready: bool,
    },
    /// A program takes back what it had originated.
    Withdraw {
        /// Who asks.
        asker: Asker,
        /// What.
        prefix: Ipv6Net,
    },
    /// The node's role and /64, as its rack's key says.
    Assigned(Assignment),
    /// The program is about to be started anew: neighbours keep what they know.
    Restarting,
    /// The time has come that the machine asked for.
    Tick,
}
