//! People's door: the contracts of the local sockets with their framing, and those of the HTTP APIs.
//!
//! [`local`] is what all daemons have in common, [`sled`] is what one can ask the host agent, [`router`] what one can
//! ask the routing daemon, [`sp_sim`] and [`switch_sim`] are what one can have the simulated service processors and
//! management switches do. [`http`] is what all HTTP APIs have in common, [`control`] is the controller's.

pub mod control;
pub mod http;
pub mod local;
pub mod mgs;
pub mod router;
pub mod sled;
pub mod sp_sim;
pub mod switch_sim;
