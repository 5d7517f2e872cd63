//! The state of a cable.

use std::net::Ipv6Addr;

use crate::fault::Manner;

/// A cable, as it is now.
#[derive(Clone, Debug, Default)]
pub(crate) struct CableState {
    /// How it fails, where it does.
    pub(crate) manner: Option<Manner>,
    /// Grows with every change: what was under way before it is lost.
    pub(crate) epoch: u32,
    /// Whom those at its ends watch.
    pub(crate) watches: [Option<Watch>; 2],
}

/// One end watches the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    /// Whom.
    pub(crate) peer: Ipv6Addr,
    /// What it was told last.
    pub(crate) lives: bool,
}
