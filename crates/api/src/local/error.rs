//! Why a daemon did not do what it was asked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An error as it crosses the socket: what is wrong, why, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// What kind of error, for programs.
    pub code: Code,
    /// What could not be done.
    pub what: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What the person who asked can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Kinds of errors; a daemon of a later release may know more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// What was named is not there.
    NotFound,
    /// What was named is there more than once.
    Ambiguous,
    /// The client may not do this.
    NotPermitted,
    /// The request is not well-formed or its parts do not fit.
    BadRequest,
    /// The daemon knows no such request.
    UnknownRequest,
    /// The two sides have no version in common.
    Version,
    /// The socket is another daemon's.
    WrongService,
    /// A line is too long.
    TooLong,
    /// Too much is asked for at once.
    Busy,
    /// What was handed over is not accepted; nothing has changed.
    Refused,
    /// The daemon is about to end.
    Stopping,
    /// The daemon could not do it, and that is not the client's fault.
    Failed,
    /// A kind that this release does not know.
    #[serde(other)]
    Other,
}

impl ApiError {
    /// An error without cause and next step.
    #[must_use]
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self {
            code,
            what: what.into(),
            cause: None,
            next: None,
        }
    }

    /// With the reason.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// With what to do.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        if let Some(next) = &self.next {
            write!(f, "; {next}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}
