//! The controller over its API: a store in memory, real sockets, and all who ask.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod access;
mod common;
mod document;
mod hosts;
mod malformed;
mod nodes;
mod objects;
mod peers;
mod together;
