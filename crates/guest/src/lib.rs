//! The guest's door: TAP devices and vhost-user network devices, with their offloads.
//!
//! A guest's memory and descriptors are claims: what they say is checked here, and a packet is copied once into a
//! buffer that the guest cannot change. Both kinds of device look alike from inside: a device object that lives as
//! long as the port, and one queue for each worker, which reads with `receive`, writes with `send` and never blocks.

pub mod tap;
pub mod vhost_user;

mod check;
mod claims;
mod offloads;
mod queue;

pub use claims::{Claim, Claims};
pub use offloads::Offloads;
pub use queue::{MAX_FRAME, Received, Sent};
