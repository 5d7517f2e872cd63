//! What nodes tell each other about prefixes.

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use rackweave_types::MacAddr;

/// A node of the fabric: its hardware address, from which its bootstrap prefix is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub MacAddr);

/// How far a prefix may travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// A bootstrap /64: node → switch → the other sleds of the rack, and no further.
    Bootstrap,
    /// A node's /64: within its rack; beyond it, the rack's summary stands for it.
    Rack,
    /// A rack's /56: through the AZ.
    Summary,
    /// A /64 of the service rack: through the AZ, from any number of origins (anycast).
    Service,
    /// An AZ's /48: between AZs, and through each.
    Site,
}

/// The nodes of a rack that the origin of a rack's /56 reaches itself: one bit for each node number.
///
/// What summaries hide, this says: where two origins of one /56 differ, receivers route the difference by /64
/// (automatic disaggregation).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Members(pub [u64; 4]);

/// The distance that is left, in nanoseconds of round trip, loss included as the delay that it is worth; it saturates.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Cost(pub u32);

/// One prefix from one origin: the key of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RouteKey {
    /// What can be reached.
    pub prefix: Ipv6Net,
    /// Who originates it.
    pub origin: NodeId,
}

/// A prefix can be reached through the sender.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Announcement {
    /// What, and from whom.
    pub key: RouteKey,
    /// How far it may travel.
    pub scope: Scope,
    /// The nodes that it passed, the origin first, the sender last; no node twice (path vector).
    pub path: Vec<NodeId>,
    /// From the sender to the origin.
    pub cost: Cost,
    /// With [`Scope::Summary`]: whom of the rack the origin reaches.
    pub members: Option<Members>,
}

/// What a session carries, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Item {
    /// New, or in the place of what was announced under its key.
    Announce(Announcement),
    /// What was announced under this key no longer holds.
    Withdraw(RouteKey),
    /// All that the sender knew when the session began has been said.
    EndOfRib,
    /// The sender, a switch, lets in from this link what the receiver, a sled, sends from its /64.
    LetIn(Ipv6Net),
}
