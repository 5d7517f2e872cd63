//! What workers give each other: frames that belong to another's shard or queue, through bounded rings.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};

use crossbeam_queue::ArrayQueue;
use rackweave_engine::{Direction, Frame, HandOver};
use rackweave_linux::wake::{Wake, WakeError};
use rackweave_types::PortId;

/// Frames that wait for one worker at most.
const RING: usize = 1024;
/// Empty frames that wait for the worker whose they were.
const EMPTIES: usize = 256;

/// A frame for another worker.
#[derive(Debug)]
pub(super) enum Mail {
    /// For its shard of a port.
    Process {
        port: PortId,
        direction: Direction,
        to: HandOver,
        /// How often it has been handed over.
        hops: u8,
        frame: Frame,
    },
    /// Processed, and for the port's guest, whose queue this worker may have.
    Deliver { port: PortId, frame: Frame },
    /// Processed, and for the wire, whose queue this worker may have.
    Transmit { frame: Frame },
}

/// A worker as others see it: what they give it, and how they wake it.
#[derive(Debug)]
pub(crate) struct Mailbox {
    /// With the index of the worker that gave it.
    ring: ArrayQueue<(u16, Mail)>,
    /// Frames whose octets are gone, back from where they were handed over to: large ones are dear to make.
    empties: ArrayQueue<Frame>,
    asleep: AtomicBool,
    wake: Wake,
}

impl Mailbox {
    pub(crate) fn new() -> Result<Self, WakeError> {
        Ok(Self {
            ring: ArrayQueue::new(RING),
            empties: ArrayQueue::new(EMPTIES),
            asleep: AtomicBool::new(false),
            wake: Wake::new()?,
        })
    }

    /// Puts a frame into the ring; it comes back where there is no room. The worker is not woken yet.
    pub(super) fn push(&self, from: u16, mail: Mail) -> Result<(), Mail> {
        self.ring.push((from, mail)).map_err(|(_, mail)| mail)
    }

    /// The next frame, and who gave it.
    pub(super) fn pop(&self) -> Option<(u16, Mail)> {
        self.ring.pop()
    }

    /// Gives the worker a frame back that it handed over; it comes back where there are enough.
    pub(super) fn give_back(&self, frame: Frame) -> Result<(), Frame> {
        self.empties.push(frame)
    }

    /// A frame that came back.
    pub(super) fn take_back(&self) -> Option<Frame> {
        self.empties.pop()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Wakes the worker if it sleeps, after something was put where it looks before it sleeps.
    pub(crate) fn wake(&self) {
        // Pairs with the fence in `lie_down`: either the worker sees what was put, or we see that it lies down.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) {
            self.wake.wake();
        }
    }

    /// Says that the worker is about to sleep: from now on others wake it. It looks for work once more after this.
    pub(super) fn lie_down(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Says that the worker is awake.
    pub(super) fn get_up(&self) {
        self.asleep.store(false, Ordering::Relaxed);
        self.wake.clear();
    }

    /// What becomes readable when the worker is woken.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
