//! Where a gateway is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which of a rack's two switches.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// The upper one.
    A,
    /// The lower one.
    B,
}

/// Where a gateway is, as far as service processors tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Location {
    /// Name and version of the program.
    pub program: String,
    /// How long it has run, in milliseconds.
    pub uptime_ms: u64,
    /// The type of rack; none while it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The switch; none while it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// What it may be, where several are as likely.
    #[serde(default)]
    pub in_doubt: Vec<Candidate>,
    /// Answers that do not fit.
    #[serde(default)]
    pub contradictions: Vec<Contradiction>,
    /// Service processors that are there.
    pub found: u32,
    /// Ports that lead to one.
    pub ports: u32,
    /// Milliseconds from the program's start until the last service processor was found that was not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovered_ms: Option<u64>,
}

/// A place where a gateway may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// The type of rack.
    pub rack: String,
    /// The switch.
    pub position: Position,
}

/// An answer that does not fit where the gateway is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contradiction {
    /// The port where it came from.
    pub port: u8,
    /// The unit that should be there, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What is wrong.
    pub text: String,
}
