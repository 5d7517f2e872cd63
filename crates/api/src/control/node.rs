//! What hosts hear and say.

use rackweave_types::Generation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a host hears: where it stands, and what makes its state the newest one. A line of the stream, or the answer of
/// a long poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeUpdate<S, D> {
    /// Its whole state: it knows none, or one that cannot be mended.
    State(S),
    /// What has changed since the generation that it named, or was told last.
    Delta {
        /// The changes.
        delta: D,
        /// The digest of what comes out. A host that finds another one asks for its whole state.
        digest: String,
    },
    /// It has the newest state.
    Current {
        /// The newest generation.
        generation: Generation,
    },
    /// What if? Nothing changes; a host that can says what the changes would do to its connections
    /// ([`NodePreview`](super::NodePreview)).
    Preview {
        /// Names the question.
        id: String,
        /// The changes, against the newest state.
        delta: D,
    },
}

/// What a host says of itself, after each change and regularly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeReport {
    /// The generation that is in force.
    #[schema(value_type = u64)]
    pub generation: Generation,
    /// The digest of that state, in hexadecimal digits.
    pub digest: String,
    /// What could not be put into force.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub errors: Vec<ObjectError>,
    /// Name and version of the program.
    pub program: String,
}

/// An object that could not be put into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ObjectError {
    /// The object, as the state names it.
    pub object: String,
    /// Why.
    pub error: String,
}

/// What the controller knows of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeStatus {
    /// Its prefix.
    pub node: String,
    /// Whether it hears of changes now.
    pub connected: bool,
    /// The controller from which it hears of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// What it said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<NodeReport>,
    /// When it said so, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_ms: Option<u64>,
}
