//! Liveness and delay of links, in a process of its own.
//!
//! BFD (RFC 5880, 5881) and beacons run in `rackweave router liveness`, which [`Client`] finds or starts and which does
//! not end with the router: so a router that is killed and started anew costs no session, and BFD's C bit is the truth.
//! One process for each run directory; it ends 30 s after nothing is watched any more, or when it is told to.
//!
//! ```text
//! router ── Client ──(RUN_DIR/liveness.sock: JSON lines)── process ── sockets of each link: BFD 3784, beacons 6091
//! ```
//!
//! The process is one thread, in real time where it may: a round of it (`process`) is reading what waits, telling the
//! machines (`rackweave_routing::bfd`, `probe`) what came and what time it is, and sending what they want sent. While all
//! sessions are up it wakes by its timer alone, about every 9 ms, and does the work of all sessions at once; what waits
//! meanwhile has the kernel's stamp. While one is not up, every datagram wakes it.

mod args;
mod client;
mod clients;
mod doors;
mod message;
mod process;
mod watched;

pub use args::LivenessArgs;
pub use client::{Client, ClientSettings};
pub use message::{SOCKET, SessionStatus};

/// The ports of liveness, the same on all nodes of a fabric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LivenessPorts {
    /// BFD.
    pub bfd: u16,
    /// Beacons.
    pub beacons: u16,
}

#[cfg(test)]
mod tests;
