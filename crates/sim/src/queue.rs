//! What is to happen when.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rackweave_types::Instant;

/// Things with their time: what comes first is taken first, and of the same time what was put in first.
#[derive(Debug)]
pub struct Queue<T> {
    heap: BinaryHeap<Entry<T>>,
    count: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Instant,
    order: u64,
    thing: T,
}

impl<T> Queue<T> {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            count: 0,
        }
    }

    /// Puts a thing in.
    pub fn push(&mut self, at: Instant, thing: T) {
        self.count += 1;
        let order = self.count;
        self.heap.push(Entry { at, order, thing });
    }

    /// The time of what comes next.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// Takes what comes next, where that is not after `until`.
    pub fn pop(&mut self, until: Instant) -> Option<(Instant, T)> {
        if self.next()? > until {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.thing))
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives the greatest: the earliest is the greatest.
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_equals_in_their_order() {
        let mut queue = Queue::new();
        let at = Instant::from_nanos;
        for (time, thing) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b'), (9, 'e')] {
            queue.push(at(time), thing);
        }
        let mut taken = String::new();
        while let Some((_, thing)) = queue.pop(at(5)) {
            taken.push(thing);
        }
        assert_eq!(taken, "abcd");
        assert_eq!(queue.next(), Some(at(9)));
    }
}
