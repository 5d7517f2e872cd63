//! The routing daemon of sleds and switches.
//!
//! It joins the node's machine (`rackweave_routing::fabric`) with the doors, and decides nothing itself. A door is a
//! task or a thread: it hands in what came from outside through an [`inbox::Inbox`], and takes the outputs that are its.

pub mod cli;
pub mod config;
mod control;
mod counts;
pub mod discovery;
mod doors;
pub mod fib;
pub mod filter;
pub mod history;
pub mod inbox;
pub mod keys;
pub mod links;
pub mod liveness;
pub mod lldp;
mod metrics;
pub mod originate;
pub mod rack;
pub mod record;
mod renew;
pub mod run;
mod uses;
pub mod verify;
mod view;
pub mod who;
mod world;

#[cfg(test)]
mod testing;
