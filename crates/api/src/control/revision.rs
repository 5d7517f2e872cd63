//! Which hosts have a change in force.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ObjectError;

/// The order of all changes: of two changes the later one has the higher number.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl std::fmt::Display for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a change has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevisionStatus {
    /// The change.
    pub revision: Revision,
    /// Hosts that it concerns.
    pub concerned: usize,
    /// Those of them, by prefix, that have not said that they have it in force; at most 100 are named.
    #[serde(default)]
    pub pending: Vec<String>,
    /// How many these are.
    pub pending_count: usize,
    /// What hosts could not put into force.
    #[serde(default)]
    pub errors: Vec<HostError>,
}

impl RevisionStatus {
    /// Whether it is in force wherever it should be.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.pending_count == 0 && self.errors.is_empty()
    }
}

/// An object that a host could not put into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostError {
    /// The host's prefix.
    pub node: String,
    /// What and why.
    #[serde(flatten)]
    pub error: ObjectError,
}
