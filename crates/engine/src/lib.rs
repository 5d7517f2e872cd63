//! The packet transformation engine: one packet in, the right packet out.
//!
//! The engine knows no VPC. It runs *programs*: ordered layers of rules, given as data, for the packets of one guest
//! NIC (a *port*).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod addr;
mod direction;
mod drop_reason;
pub mod fields;
pub mod flow;
pub mod frame;
pub mod hash;
pub mod mapping;
pub mod parse;
pub mod program;
pub mod respond;

pub use direction::Direction;
pub use drop_reason::DropReason;
