//! DNS for guests: names of their VPC are answered from its zones, all others by resolvers outside.
//!
//! ```text
//! octets ── message::read ──► Request ── answer ──► Reply ── message::encode ──► octets
//!                                          │ Forward                 ▲
//!                                          ▼                         │
//!                                    forward::Forwarder ── cache ── Done
//! ```

mod answer;
mod cache;
mod forward;
mod message;
#[cfg(test)]
mod tests;
mod zone;

pub(crate) use answer::{Outcome, answer};
pub(crate) use forward::{Client, Done, Forwarder, Outgoing, SubmitError};
pub(crate) use message::{Answer, OVERLOAD, TCP_MAX, Unreadable, compose, encode, read};
pub use zone::Zones;

/// The UDP and TCP port of DNS (RFC 1035, section 4.2).
pub(crate) const PORT: u16 = 53;
