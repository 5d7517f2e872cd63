//! Every header that Rackweave touches, from Ethernet to Geneve.
//!
//! One module per header, all of one shape:
//!
//! - a *view* over bytes: `View::parse` checks once that the header and its lengths are consistent;
//!   from then on accessors cannot fail;
//! - a small *repr* that can only hold sense: `Repr::parse(&view)`, `buffer_len()`, and
//!   `emit(&mut [u8])`, which fails only where the buffer is smaller than `buffer_len()`. An `emit`
//!   writes one header; a checksum that covers what comes after it is filled in last by the
//!   module's `fill_checksum`;
//! - one error enum that says what was wrong and where.
//!
//! Any bytes give a value or a typed error. Headers with options share [`options`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod arp;
pub mod checksum;
pub mod dhcpv4;
pub mod dhcpv6;
pub mod domain;
pub mod ethernet;
pub mod geneve;
pub mod icmpv4;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
pub mod ipv6_extension;
pub mod ndp;
pub mod options;
pub mod pcapng;
pub mod protocol;
pub mod tcp;
pub mod tos;
pub mod udp;
pub mod virtio_net;
pub mod vlan;

mod error;
mod fragment_offset;
mod kind_length;
mod number;
mod raw;
#[cfg(test)]
mod testing;

pub use error::{BufferTooSmall, OutOfRange, Truncated};
pub use fragment_offset::FragmentOffset;
