//! HTTP APIs: what is said when something is refused, and a typed client.
//!
//! Bodies are JSON. Every answer carries a request id (`x-request-id`), which the daemon's log has too; a refusal is a
//! [`Problem`] (RFC 9457). Streams are lines, one JSON value on each ([`Lines`]); empty ones only show that the stream
//! lives.
//!
//! ```text
//! let client = Client::new(Endpoint::Unix("/run/rackweave/mgs.sock".into()));
//! let sps: Vec<Sp> = client.get("/sps").answer().await?.body;
//! client.post(&format!("/sps/{}/reset", segment(name))).done().await?;
//! ```

mod blocking;
mod call;
mod client;
mod endpoint;
mod error;
mod lines;
mod problem;

pub use hyper::body::Bytes;
pub use hyper::header::{HeaderMap, HeaderName, HeaderValue};
pub use hyper::{Method, StatusCode};

pub use blocking::Blocking;
pub use call::{Answer, Call, segment};
pub use client::Client;
pub use endpoint::{BadEndpoint, Endpoint};
pub use error::ClientError;
pub use lines::{Lines, Octets};
pub use problem::{PROBLEM_JSON, Problem};

/// The header field of request ids. A client may send its own: 1 to 64 letters, digits, `-`, `_` and `.`.
pub const REQUEST_ID: &str = "x-request-id";
/// The media type of streams of JSON values, one on each line.
pub const JSON_LINES: &str = "application/x-ndjson";
/// The most octets of an answer that is read whole, where the caller says nothing else.
pub const ANSWER_MAX: usize = 64 * 1024 * 1024;
/// The most octets of a stream's line.
pub const LINE_MAX: usize = 16 * 1024 * 1024;
