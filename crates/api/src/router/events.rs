//! What happened.

use serde::{Deserialize, Serialize};

/// Asks what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsRequest {
    /// Not longer ago than this, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// Also what happens from now on, until the request is cancelled.
    #[serde(default)]
    pub follow: bool,
}

/// What happened, the oldest first; many replies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Events.
    pub events: Vec<Event>,
    /// How many were forgotten, because too many happened.
    #[serde(default)]
    pub forgotten: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// What kind: `link`, `neighbor`, `liveness`, `route`, `refused`, `conflict`, `repair`, `node`, `router`.
    pub kind: String,
    /// What.
    pub what: String,
}
