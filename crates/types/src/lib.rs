//! What every other crate agrees on: identifiers, addresses, units, and the state handed down to nodes.
//!
//! Nothing here behaves: types carry their invariants (a [`Vni`] cannot hold 2^24) and say how they are written.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod instant;
mod mac;
mod vni;

pub use instant::Instant;
pub use mac::{MacAddr, ParseMacError};
pub use vni::{Vni, VniOutOfRange};
