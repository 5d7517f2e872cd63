//! What is given out: addresses, Ethernet addresses, network identifiers, blocks of ports, places.
//!
//! Everything is found in a snapshot by its indexes, without a walk over the AZ.

pub(crate) mod address;
pub(crate) mod drawn;
pub mod nat;
pub(crate) mod place;
