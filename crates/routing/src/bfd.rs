//! Liveness of links: Bidirectional Forwarding Detection (RFC 5880) on single hops (RFC 5881).
//!
//! Asynchronous mode without authentication and echo. [`message`] is what is on the wire, [`Session`] the machine of one
//! neighbour, [`Sessions`] all of a node: it finds the session of a message. The C bit is set: liveness outlives the
//! router's own program, so that a dead session means a dead way.

pub mod message;
mod session;
mod sessions;

pub use session::{Cause, Change, Session, Settings};
pub use sessions::{Sessions, Unmatched};

/// Where control messages of single hops go (RFC 5881, section 4).
pub const PORT: u16 = 3784;
/// The lowest source port of control messages (RFC 5881, section 4).
pub const SOURCE_PORT: u16 = 49_152;
