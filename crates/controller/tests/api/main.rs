//! The controller over its API: a store in memory, real sockets, and all who ask.

mod access;
mod common;
mod document;
mod hosts;
mod malformed;
mod objects;
