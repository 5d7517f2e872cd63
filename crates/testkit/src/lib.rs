//! What tests and benchmarks share: inputs drawn from a seed, the same on every machine.
//!
//! Nothing that is shipped depends on this crate.
#![forbid(unsafe_code)]

pub mod attack;
pub mod capture;
pub mod conversation;
pub mod ends;
pub mod exchange;
pub mod keys;
mod number;
pub mod packet;
pub mod program;
pub mod property;
pub mod random;
pub mod reference;
pub mod rules;
pub mod source;
pub mod state;
pub mod talk;
pub mod traffic;
pub mod verify;
pub mod vpc;
