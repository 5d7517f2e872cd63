//! Outside ports whose owner is not known, after the state of a port was lost in part.
//!
//! A process that was killed leaves a journal that knows every connection. Where that is damaged or gone, a remote end
//! may still have a connection with one of our outside ports of which nobody here knows: another connection of the
//! guest with the same port and remote end would meet the rest of it. So such a port is not given to a new connection
//! for a while (RFC 6888, REQ-8: 120 s). It is not refused to who may well be its owner: a TCP segment in the middle
//! of its connection.

use alloc::boxed::Box;
use alloc::vec;

use rackweave_types::Instant;

/// Outside ports that rest. By number alone: of whichever pool and protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resting {
    until: Instant,
    /// A bit for each port.
    ports: Box<[u64]>,
}

impl Resting {
    /// No port rests yet, and none will after this time.
    pub(crate) fn new(until: Instant) -> Self {
        Self {
            until,
            ports: vec![0; 1 << 10].into_boxed_slice(),
        }
    }

    /// Until when ports rest.
    pub(crate) const fn until(&self) -> Instant {
        self.until
    }

    /// Whether a port rests.
    pub(crate) fn rests(&self, port: u16, now: Instant) -> bool {
        let word = self.ports.get(usize::from(port / 64));
        now < self.until && word.is_some_and(|word| word >> (port % 64) & 1 == 1)
    }

    /// Lets a port rest.
    pub(crate) fn add(&mut self, port: u16) {
        if let Some(word) = self.ports.get_mut(usize::from(port / 64)) {
            *word |= 1 << (port % 64);
        }
    }

    /// The owner of a port is known.
    pub(crate) fn remove(&mut self, port: u16) {
        if let Some(word) = self.ports.get_mut(usize::from(port / 64)) {
            *word &= !(1 << (port % 64));
        }
    }

    /// How many ports rest.
    pub(crate) fn count(&self) -> u32 {
        self.ports.iter().map(|word| word.count_ones()).sum()
    }
}
