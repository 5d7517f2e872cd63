//! The metadata service, as EC2's instance metadata service version 2 speaks and cloud-init asks.
//!
//! Who asks is known by the port that the request came through; nothing in a request can say otherwise. A `PUT` gives a
//! token of that port ([`token`]), and only who shows one may read ([`service`]) the tree ([`tree`]).

mod http;
mod service;
#[cfg(test)]
mod tests;
mod token;
mod tree;

pub(crate) use http::{Parsed, parse};
pub(crate) use service::{Asker, respond};
pub(crate) use token::Tokens;

/// The TCP port of the service.
pub(crate) const PORT: u16 = 80;
