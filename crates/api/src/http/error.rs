//! Why there is no answer, or what it refuses.

use std::io;
use std::time::Duration;

use super::{Endpoint, Problem, StatusCode};
use crate::local::LineTooLong;

/// Why a daemon could not be asked over HTTP, or what it refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers there, or not as TLS wants it.
    #[error("no connection to {endpoint}")]
    Connect {
        /// Where.
        endpoint: Endpoint,
        /// What the system or TLS says.
        source: io::Error,
    },
    /// The request cannot be written as HTTP.
    #[error("the request cannot be written")]
    Form(#[source] hyper::http::Error),
    /// The request's body cannot be written as JSON.
    #[error("the request's body cannot be written")]
    Body(#[source] serde_json::Error),
    /// The conversation broke off.
    #[error("the conversation with {endpoint} broke off")]
    Broken {
        /// With whom.
        endpoint: Endpoint,
        /// Why.
        source: hyper::Error,
    },
    /// No answer came in time.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Late(Duration),
    /// The answer is longer than the caller wants to read.
    #[error("the answer is longer than {0} octets")]
    TooLong(usize),
    /// A line of a stream is without end.
    #[error("a line of the answer is without end")]
    LineTooLong(#[source] LineTooLong),
    /// The answer is not understood.
    #[error("the answer with status {status} is not understood")]
    Garbled {
        /// The answer's status.
        status: StatusCode,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// What the daemon says.
    #[error("{0}")]
    Problem(Box<Problem>),
}

impl ClientError {
    /// The status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Problem(problem) => Some(problem.status_code()),
            _ => None,
        }
    }
}
