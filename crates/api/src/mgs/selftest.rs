//! Proof of isolation.

use rackweave_types::MacAddr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What came of a self-test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Selftest {
    /// When it ended, in milliseconds since 1970.
    pub at_unix_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Service processors that took part.
    pub took_part: u32,
    /// Places whose service processor did not answer to the end.
    pub silent: Vec<String>,
    /// Frames that were sent.
    pub sent: u32,
    /// Of those that must arrive, how many there were: a test in which nothing can arrive proves nothing.
    pub controls: u32,
    /// How many of these arrived.
    pub controls_arrived: u32,
    /// What arrived where it must not: the first of them.
    pub leaks: Vec<Leak>,
    /// How many there were.
    pub leaks_total: u64,
}

/// A frame that arrived where it must not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Leak {
    /// Who sent it: a place, or `gateway`.
    pub from: String,
    /// The VLANs of its tags, the outermost first.
    pub tags: Vec<u16>,
    /// For which address.
    #[schema(value_type = String)]
    pub destination: MacAddr,
    /// Where it arrived.
    pub at: String,
    /// The VLANs of the tags that it arrived with.
    pub arrived_with: Vec<u16>,
}
