//! Serial consoles.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsoleRequest {
    /// Who asks: what others are told while they hold it.
    pub operator: String,
    /// Takes it from whoever holds it.
    #[serde(default)]
    pub force: bool,
}

/// A console that is held. What comes out is read from its `output`, what is typed goes to its `input`; it is let go
/// when its output is read no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsoleSession {
    /// What the session is called in paths.
    pub session: u64,
}

/// Whether a console is still held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsoleStatus {
    /// Whether it is.
    pub held: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_because: Option<String>,
}
