//! Which way a packet goes through a port.

pub use rackweave_types::Direction;
