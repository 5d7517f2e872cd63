//! People's door: the contracts of the local sockets, and their framing.
//!
//! [`local`] is what all daemons have in common, [`sled`] is what one can ask the host agent, [`router`] what one can
//! ask the routing daemon.

pub mod local;
pub mod router;
pub mod sled;
