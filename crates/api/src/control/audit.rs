//! Who changed what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Revision;

/// One change, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the log, as `after` takes it.
    pub sequence: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who.
    pub actor: Actor,
    /// The request, as answers and logs name it.
    pub request_id: String,
    /// What was done.
    pub action: Action,
    /// With what: the path of the object.
    pub path: String,
    /// The object's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The project that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The revision that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The holder of a token.
    Token {
        /// The token's id.
        id: String,
        /// Whose it is.
        subject: String,
    },
    /// A user of the controller's machine, over its unix socket.
    Local {
        /// The user's number.
        uid: u32,
    },
    /// A host, by its certificate.
    Node {
        /// Its identity.
        identity: String,
    },
}

/// What was done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It was made.
    Create,
    /// It was changed.
    Update,
    /// It was removed.
    Delete,
}
