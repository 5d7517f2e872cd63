//! Rack setup, over the bootstrap network alone.
//!
//! Every node listens on its bootstrap address (TCP). Whoever runs `rackweave rack init` has its own router begin the
//! rack: that asks all nodes whose bootstrap prefixes it hears who they are, has the table chosen
//! ([`rackweave_routing::rack`]), and tells each its /64. A switch hears no other switch, so it asks a sled to do it.
//! A keeper that is dead or leaves is replaced by `rackweave rack replace-keeper`, which takes the majority of the keepers.
//! Nodes that come later look for keepers among the bootstrap prefixes and ask them, on their own.
//!
//! ```text
//! server → client   {"rackweave":"rack","version":1,"nonce":…}
//! client → server   {"nonce":…,"by":"node"|"rack","chain":…,"body":"a call, as JSON","signature":…}
//! server → client   {"chain":…,"body":"its answer, as JSON","signature":…}
//! ```
//!
//! A connection carries one call. In signed mode a call is signed by its node, or by the rack's key where it changes
//! something, over the server's nonce and hardware address; the answer by the server's node over the client's nonce: what
//! was recorded proves nothing on another connection, nor to another node. Secrets (the rack's key, for its keepers) go
//! [sealed](rackweave_trust::seal).

mod arrive;
mod begin;
mod call;
mod choose;
mod command;
mod control;
mod here;
mod kept;
mod local;
mod message;
mod proof;
mod replace;
mod serve;
mod service;
#[cfg(test)]
mod tests;

pub use command::{RackArgs, main};
pub(crate) use here::{Here, open};
pub(crate) use local::{Heard, Local, Surroundings};
pub(crate) use proof::Trust;
pub(crate) use service::{Rack, RackSettings};
