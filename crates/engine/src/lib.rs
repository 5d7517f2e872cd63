//! The packet transformation engine: one packet in, the right packet out.
//!
//! The engine knows no VPC. It runs *programs*: ordered layers of rules, given as data, for the packets of one guest
//! NIC (a *port*).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod addr;
pub mod classify;
pub mod counters;
mod direction;
mod drop_reason;
pub mod fields;
pub mod flow;
mod fragment;
pub mod frame;
pub mod freeze;
pub mod hash;
mod intern;
pub mod journal;
pub mod mapping;
mod meter;
mod nat;
pub mod offload;
pub mod parse;
mod port;
pub mod program;
mod punt;
pub mod respond;
pub mod segment;
mod shard;
mod steer;
pub mod transform;
mod walk;

pub use direction::Direction;
pub use drop_reason::DropReason;
pub use frame::Frame;
pub use port::{Port, PortError};
pub use program::Program;
pub use punt::Punt;
pub use shard::{
    Existing, Explanation, FlowInfo, HandOver, ListedFlow, RuleHits, Settings, Shard, Verdict,
};
pub use steer::{ShardError, ShardId};
pub use walk::{LayerTrace, Trace};
