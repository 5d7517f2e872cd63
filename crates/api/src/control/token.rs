//! Bearer tokens (RFC 6750) and what they open.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody may do in a project; each role may all that those before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Makes, changes and removes objects.
    Developer,
    /// Gives out tokens, reads the audit log.
    Admin,
}

/// What a token opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Grant {
    /// Everything: the fleet, and all projects.
    Operator {},
    /// A project.
    Project {
        /// Its name.
        project: String,
        /// What may be done there.
        role: Role,
    },
}

/// A token that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Whose it is, for the audit log.
    #[schema(min_length = 1, max_length = 64)]
    pub subject: String,
    /// What it opens.
    #[schema(min_items = 1, max_items = 64)]
    pub grants: Vec<Grant>,
    /// For how many seconds it is good; without end where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub lifetime_s: Option<u64>,
}

/// A token as it is known: what it is itself only its holder knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Names it: the beginning of its hash.
    pub id: String,
    /// Whose it is.
    pub subject: String,
    /// What it opens.
    pub grants: Vec<Grant>,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// When it ends, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_ms: Option<u64>,
}

/// A token that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenMade {
    /// What its holder shows. It is told this once.
    pub secret: String,
    /// What is known of it.
    pub token: Token,
}
