//! Why packets were dropped.

use rackweave_types::{Direction, PortId};
use serde::{Deserialize, Serialize};

/// Asks why packets were dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropsRequest {
    /// At this port only: its number, MAC, an address, its device's or its instance's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
}

/// Every reason for which something was dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drops {
    /// The reasons, those of ports first.
    pub drops: Vec<Drop>,
}

/// A reason, at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// The port, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<PortId>,
    /// Who dropped: `engine`, `worker`, `guest`, `wire`, `agent`.
    pub by: String,
    /// Packets of which direction, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The reason's name, as it stands in counters.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// What the reason means.
    pub meaning: String,
    /// What can be done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
}
