//! People's door: the contracts of the local sockets, and their framing.
//!
//! [`local`] is what all daemons have in common, [`sled`] is what one can ask the host agent.

pub mod local;
pub mod sled;
