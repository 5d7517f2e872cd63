//! What a speaker is told, and what it has done.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use rackweave_types::Instant;
use serde::{Deserialize, Serialize};

use super::config::{Config, Marks};
use super::table::{PeerId, Way};
use crate::fabric::LinkId;

/// A connection's number, which who opens connections gives: never the same twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnId(pub u64);

/// What a speaker is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// The configuration from now on; it was [checked](Config::check).
    Config(Box<Config>),
    /// A link came or changed.
    Link {
        /// The kernel's name.
        name: String,
        /// The kernel's number.
        link: LinkId,
        /// Whether it is up and has carrier.
        up: bool,
    },
    /// A link is gone.
    LinkGone(LinkId),
    /// A router advertisement came.
    Neighbor {
        /// On which link.
        link: LinkId,
        /// From whom: a link-local address.
        address: Ipv6Addr,
    },
    /// A connection that was asked for is there.
    Connected {
        /// Whom to.
        peer: PeerId,
        /// Its number.
        conn: ConnId,
        /// Our end.
        local: IpAddr,
    },
    /// It could not be had.
    ConnectFailed {
        /// Whom to.
        peer: PeerId,
        /// Why, for people.
        why: String,
    },
    /// Somebody connected.
    Accepted {
        /// Its number.
        conn: ConnId,
        /// Our end.
        local: IpAddr,
        /// The other end.
        remote: IpAddr,
        /// The link that it came over, where that is known.
        link: Option<LinkId>,
    },
    /// Octets came.
    Received {
        /// Over which connection.
        conn: ConnId,
        /// The octets.
        bytes: Vec<u8>,
    },
    /// So many octets more can be sent. A new connection has [`ROOM`].
    Room {
        /// Over which connection.
        conn: ConnId,
        /// How many.
        octets: usize,
    },
    /// A connection is over.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why, for people.
        why: String,
    },
    /// What BFD says of an address that is watched.
    Liveness {
        /// The address.
        address: IpAddr,
        /// On which link.
        link: Option<LinkId>,
        /// Whether it lives.
        up: bool,
        /// Why, for people.
        why: String,
    },
    /// A program of this node has a prefix to announce.
    Originate {
        /// The prefix.
        prefix: IpNet,
        /// What is said of it.
        marks: Marks,
        /// Whether packets to it are served: only then it is announced.
        ready: bool,
    },
    /// It has it no longer.
    Withdraw(IpNet),
    /// The programs that were there before a restart have said again what they have.
    Originated,
    /// The kernel's answers to [`Output::Install`] and [`Output::Remove`], in their order for each prefix.
    Kernel(Vec<(IpNet, Result<(), String>)>),
    /// People want a session to begin anew, or (softly) all routes to be told again.
    Reset {
        /// The peer's name.
        peer: String,
        /// Whether the session stays.
        soft: bool,
    },
    /// The speaker ends. Who comes back soon says nothing to its peers, so that they keep its routes.
    Stop {
        /// Whether it comes back soon.
        restarting: bool,
    },
    /// The time has come that the speaker asked for.
    Tick,
}

/// How many octets a new connection takes.
pub const ROOM: usize = 256 * 1024;

/// What a speaker has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Open a connection.
    Connect {
        /// Whom to.
        peer: PeerId,
        /// Where to.
        target: Target,
    },
    /// A connection that was asked for is not wanted any more.
    Abandon(PeerId),
    /// Send octets.
    Send {
        /// Over which connection.
        conn: ConnId,
        /// The octets.
        bytes: Vec<u8>,
    },
    /// Close a connection, after what was to be sent over it.
    Close(ConnId),
    /// Have the kernel route this; it answers with [`Input::Kernel`].
    Install {
        /// Where it leads.
        prefix: IpNet,
        /// Its ways: at least one.
        ways: Arc<[Way]>,
    },
    /// Have the kernel no longer route this; it answers with [`Input::Kernel`].
    Remove(IpNet),
    /// Everything is known that was known before a restart: what the kernel has beside what it was asked is to go.
    Settled,
    /// Watch an address by BFD.
    Watch {
        /// The address.
        address: IpAddr,
        /// On which link.
        link: Option<LinkId>,
    },
    /// Watch it no longer.
    Unwatch {
        /// The address.
        address: IpAddr,
        /// On which link.
        link: Option<LinkId>,
    },
    /// Something that people may want to know.
    Told(Told),
}

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The peer's name.
    pub name: Arc<str>,
    /// The address.
    pub address: IpAddr,
    /// On which link, where the address does not say.
    pub link: Option<LinkId>,
}

/// Something that people may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Instant,
    /// Of which peer.
    pub peer: Arc<str>,
    /// What kind.
    pub happening: Happening,
    /// What, for people.
    pub what: String,
}

/// What people are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// A session is there.
    Up,
    /// A session is over.
    Down,
    /// A message, or a part of it, was refused.
    Refused,
    /// A connection could not be had, for another reason than before.
    Unreachable,
}
