//! What a node says of itself to its neighbours, and what it knows of them.

use core::time::Duration;
use std::sync::Arc;

use rackweave_trust::{Anchor, Assignment, Credentials};
use rackweave_types::{AzPrefix, RackPrefix, Role};

use crate::ddm::item::NodeId;

/// What a node says of itself in every session; one for all sessions of a process.
#[derive(Clone, Debug)]
pub struct Own {
    /// To be raised whenever another field changes: sessions then say hello anew when
    /// [`transmit`](super::Session::transmit) is called next, and lose nothing by it.
    pub revision: u64,
    /// Drawn at random at the start of the process: who shows another one has restarted.
    pub instance: u64,
    /// The node's hardware address.
    pub id: NodeId,
    /// The node's identity, for people and for its assignment: 1 to 64 printable characters.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// Its rack, once it knows.
    pub rack: Option<RackPrefix>,
    /// Its AZ, where it knows that without a rack (a spine).
    pub az: Option<AzPrefix>,
    /// Its role and /64 as its rack states them, once it has them.
    pub assignment: Option<Assignment>,
    /// How long silence lasts until control is taken for dead; of two neighbours the shorter one counts.
    pub hold: Duration,
    /// Whether sessions are signed, and with what.
    pub security: Security,
}

/// Whether sessions are signed.
#[derive(Clone, Debug)]
pub enum Security {
    /// Neighbours are believed; whoever signs is refused.
    Unsigned,
    /// Neighbours prove who they are; whoever does not is refused.
    Signed {
        /// What this node proves itself with.
        credentials: Arc<Credentials>,
        /// Whom it trusts.
        anchor: Arc<Anchor>,
    },
}

/// A neighbour, as it proved to be (signed mode) or says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Drawn at random at the start of its process.
    pub instance: u64,
    /// Its hardware address.
    pub id: NodeId,
    /// Its identity.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// Its rack, once it knows.
    pub rack: Option<RackPrefix>,
    /// Its AZ: that of its rack, or its own where it has none.
    pub az: Option<AzPrefix>,
    /// Its role and /64; in signed mode verified with its rack's key.
    pub assignment: Option<Assignment>,
    /// Why the assignment that it shows gives it nothing, where that is so: for people.
    pub unassigned: Option<String>,
    /// How long silence lasts in this session until control is taken for dead.
    pub hold: Duration,
    /// Whether all this is proven by signatures.
    pub proven: bool,
    /// The serial number of its certificate, in signed mode.
    pub certificate: Option<u64>,
}
