//! People's door: the contracts of the local sockets with their framing, and those of the HTTP APIs.
//!
//! [`local`] is what all daemons have in common, [`sled`] is what one can ask the host agent, [`router`] what one can
//! ask the routing daemon. [`http`] is what all HTTP APIs have in common, [`control`] is the controller's.

pub mod control;
pub mod http;
pub mod local;
pub mod router;
pub mod sled;
