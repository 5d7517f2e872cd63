//! Frames that a wire's datagrams were joined into, until the worker takes them.

use std::collections::VecDeque;
use std::mem;

use rackweave_engine::Frame;
use rackweave_engine::segment::Coalescer;

/// Frames kept for reuse.
const SPARE: usize = 64;
/// Octets of the largest frame that is joined: so much room spares an allocation.
const LARGE: usize = 66 * 1024;

/// A coalescer, and the frames that are complete.
#[derive(Debug)]
pub(super) struct Joined {
    coalescer: Coalescer,
    done: VecDeque<Frame>,
    spare: Vec<Frame>,
    /// Whether the coalescer may hold something back.
    holds: bool,
}

impl Joined {
    pub(super) fn new() -> Self {
        Self {
            coalescer: Coalescer::new(),
            done: VecDeque::new(),
            spare: Vec::new(),
            holds: false,
        }
    }

    /// Lets the coalescer take something in.
    pub(super) fn join(&mut self, job: impl FnOnce(&mut Coalescer, &mut dyn FnMut(&mut Frame))) {
        let Self {
            coalescer,
            done,
            spare,
            holds,
        } = self;
        *holds = true;
        job(coalescer, &mut |frame| {
            let empty = spare.pop().unwrap_or_else(|| Frame::with_capacity(LARGE));
            done.push_back(mem::replace(frame, empty));
        });
    }

    /// Ends a batch: what was held back is complete.
    pub(super) fn flush(&mut self) {
        if self.holds {
            self.join(Coalescer::flush);
            self.holds = false;
        }
    }

    /// How many frames are complete.
    pub(super) fn len(&self) -> usize {
        self.done.len()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.done.is_empty() && !self.holds
    }

    /// Moves complete frames into `frames`, from the front; how many.
    pub(super) fn take(&mut self, frames: &mut [Frame]) -> usize {
        let mut count = 0;
        while let Some(place) = frames.get_mut(count)
            && let Some(frame) = self.done.pop_front()
        {
            let old = mem::replace(place, frame);
            if self.spare.len() < SPARE {
                self.spare.push(old);
            }
            count += 1;
        }
        count
    }
}
