//! Two ends of a line in memory: a device without a kernel, for tests.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_queue::ArrayQueue;
use rackweave_engine::Frame;
use rackweave_linux::wake::Wake;

use super::{Losses, Queue, Sent};

/// One way of a line.
#[derive(Debug)]
struct Way {
    ring: ArrayQueue<Frame>,
    bell: Wake,
    armed: AtomicBool,
}

impl Way {
    fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            ring: ArrayQueue::new(capacity),
            bell: Wake::new().unwrap(),
            armed: AtomicBool::new(true),
        })
    }
}

/// One end of a line; the other end is alike.
#[derive(Debug)]
pub(crate) struct Memory {
    from: Arc<Way>,
    to: Arc<Way>,
    full: u64,
}

impl Memory {
    /// The two ends of a line that holds so many frames each way.
    pub(crate) fn line(capacity: usize) -> (Self, Self) {
        let (there, back) = (Way::new(capacity), Way::new(capacity));
        let end = |from, to| Self { from, to, full: 0 };
        (end(Arc::clone(&there), Arc::clone(&back)), end(back, there))
    }

    /// Takes the next frame off the line.
    pub(crate) fn take(&self) -> Option<Frame> {
        self.from.ring.pop()
    }

    /// How many frames this end has sent that nobody took yet.
    pub(crate) fn waiting(&self) -> usize {
        self.to.ring.len()
    }
}

impl Queue for Memory {
    fn receive(&mut self, frames: &mut [Frame]) -> io::Result<usize> {
        let mut count = 0;
        while let Some(place) = frames.get_mut(count)
            && let Some(frame) = self.take()
        {
            *place = frame;
            count += 1;
        }
        Ok(count)
    }

    fn send(&mut self, frame: &Frame) -> Sent {
        if self.to.ring.push(frame.clone()).is_err() {
            self.full += 1;
            return Sent::Full;
        }
        if self.to.armed.load(Ordering::SeqCst) {
            self.to.bell.wake();
        }
        Sent::Taken
    }

    fn flush(&mut self) {}

    fn arm(&mut self) -> bool {
        self.from.armed.store(true, Ordering::SeqCst);
        !self.from.ring.is_empty()
    }

    fn disarm(&mut self) {
        self.from.armed.store(false, Ordering::SeqCst);
        self.from.bell.clear();
    }

    fn wait_on(&self, wait: &mut dyn FnMut(BorrowedFd<'_>)) {
        wait(self.from.bell.as_fd());
    }

    fn losses(&self) -> Losses {
        Losses {
            full: self.full,
            ..Losses::default()
        }
    }
}
