//! Packets for the agent: a bounded queue.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use crate::direction::Direction;

/// A packet that the agent is to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Punt {
    /// What kind of request it is, as the rule says.
    pub queue: u8,
    /// The way it came.
    pub direction: Direction,
    /// The inner Ethernet frame, as the guest or the wire sent it; a partial checksum is finished.
    pub bytes: Box<[u8]>,
}

/// Packets that wait for the agent; when it is full, further ones are dropped and counted.
#[derive(Debug)]
pub(crate) struct PuntQueue {
    waiting: VecDeque<Punt>,
    limit: usize,
}

impl PuntQueue {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            limit,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= self.limit
    }

    /// Adds a packet; says whether there was room.
    pub(crate) fn push(&mut self, punt: Punt) -> bool {
        if self.is_full() {
            return false;
        }
        self.waiting.push_back(punt);
        true
    }

    pub(crate) fn pop(&mut self) -> Option<Punt> {
        self.waiting.pop_front()
    }

    /// The packets that wait, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Punt> {
        self.waiting.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
