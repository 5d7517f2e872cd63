//! What a worker moves frames between: guests' devices and the wire.

mod fit;
pub mod guest_tap;
pub mod guest_vhost;
mod joined;
#[cfg(test)]
pub(crate) mod memory;
mod offload;
pub mod pipe;
mod read;
pub mod wire_tap;
pub mod wire_udp;
pub mod wire_vhost;

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use rackweave_engine::Frame;
use rackweave_guest::{self as guest, Claim, Claims};

/// One queue pair of a device (a TAP, a pair of virtio rings, a set of sockets), owned by one worker.
///
/// A door knows no engine; the adapters in this crate make its queues look like this. Nothing here blocks.
pub trait Queue: Send + fmt::Debug {
    /// Fills `frames` from the front with what has arrived, whole, its offloads beside it; says how many.
    ///
    /// # Errors
    /// Where the device is gone. What a peer did wrong is counted by the queue and is no error.
    fn receive(&mut self, frames: &mut [Frame]) -> io::Result<usize>;

    /// Takes a frame for sending; it is on its way at the latest after [`flush`](Self::flush).
    fn send(&mut self, frame: &Frame) -> Sent;

    /// Sends what waits.
    fn flush(&mut self);

    /// Asks the other side to tell when there is something, because the worker is about to sleep. Whether there is
    /// something already: then it must not.
    fn arm(&mut self) -> bool {
        false
    }

    /// The worker is awake: nobody needs to tell.
    fn disarm(&mut self) {}

    /// Calls `wait` with each file descriptor that becomes readable when something arrives.
    fn wait_on(&self, wait: &mut dyn FnMut(BorrowedFd<'_>));

    /// What the queue refused or lost, by name, since it was made.
    fn losses(&self) -> Losses;
}

/// What became of a frame that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The queue has it.
    Taken,
    /// The other side takes nothing now; the frame is lost and counted under [`Losses::full`].
    Full,
    /// It cannot be sent on this device; counted under [`Losses::unsendable`].
    Unsendable,
}

/// Frames that a queue lost, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// The other side took nothing.
    pub full: u64,
    /// Sending failed, or the device cannot carry such a frame.
    pub unsendable: u64,
    /// What came in was no frame: a bad descriptor chain, a bad header, an overlong one.
    pub malformed: u64,
    /// Came in larger than there is room for.
    pub truncated: u64,
    /// Came in while nothing more could wait.
    pub overflow: u64,
}

impl From<guest::Sent> for Sent {
    fn from(sent: guest::Sent) -> Self {
        match sent {
            guest::Sent::Taken => Self::Taken,
            guest::Sent::Full => Self::Full,
            guest::Sent::Unsendable => Self::Unsendable,
        }
    }
}

impl Losses {
    /// Adds what another queue lost.
    pub fn add(&mut self, other: &Self) {
        self.full += other.full;
        self.unsendable += other.unsendable;
        self.malformed += other.malformed;
        self.truncated += other.truncated;
        self.overflow += other.overflow;
    }

    /// Counts what became of a frame.
    pub(crate) const fn count(&mut self, sent: Sent) {
        match sent {
            Sent::Taken => {}
            Sent::Full => self.full += 1,
            Sent::Unsendable => self.unsendable += 1,
        }
    }

    /// With what a guest said that was not so.
    pub(crate) fn with_claims(self, claims: &Claims) -> Self {
        let truncated = claims.of(Claim::TooLong);
        Self {
            malformed: self.malformed + claims.total().saturating_sub(truncated),
            truncated: self.truncated + truncated,
            ..self
        }
    }
}
