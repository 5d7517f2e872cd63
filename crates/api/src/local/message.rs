//! The lines of a conversation.

use serde::{Deserialize, Serialize};

use super::{ApiError, Hello};

/// A line of the client; `R` is the daemon's own request.
///
/// A daemon reads it with [`serde_json::Value`] as `R` first, so that a request it does not know can be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToDaemon<R> {
    /// Who the client is; its first line.
    Hello(Hello),
    /// Asks for something.
    Request(Request<R>),
    /// Wants no more replies to a request: what is a stream ends with a last reply.
    Cancel(Cancel),
}

/// Asks for something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request<R> {
    /// The client's own number of it; replies carry it.
    pub id: u64,
    /// What is asked for.
    pub body: R,
}

/// Wants no more replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// The number of the request.
    pub id: u64,
}

/// A line of the daemon; `T` is its own reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromDaemon<T> {
    /// What the daemon is; its first line.
    Hello(Hello),
    /// What was asked for, or a part of it.
    Reply(Reply<T>),
    /// Why there is no (further) reply.
    Error(Failure),
}

/// What was asked for, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply<T> {
    /// The number of the request.
    pub id: u64,
    /// The reply.
    pub body: T,
    /// Whether another reply to the same request follows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub more: bool,
}

/// Why there is no (further) reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The number of the request; none where it could not be read, and then the conversation is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The reason.
    #[serde(flatten)]
    pub error: ApiError,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}
