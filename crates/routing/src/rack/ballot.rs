//! Which of two attempts goes before the other.

use rackweave_types::MacAddr;
use serde::{Deserialize, Serialize};

/// The number of an attempt. No two attempts have the same: a node counts its own up, and is named in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ballot {
    /// Counts up.
    pub round: u64,
    /// The node that makes the attempt, by its hardware address.
    pub by: MacAddr,
}

impl Ballot {
    /// The first attempt of this node.
    #[must_use]
    pub const fn first(by: MacAddr) -> Self {
        Self { round: 1, by }
    }

    /// This node's attempt that goes before `other`.
    #[must_use]
    pub fn above(other: Self, by: MacAddr) -> Self {
        Self {
            round: other.round.saturating_add(1),
            by,
        }
    }
}
