//! Token buckets: how often a guest may ask.

use std::time::Duration;

use rackweave_types::Instant;

/// A token bucket as virtual scheduling (ITU-T I.371): the time at which all that passed would have passed at the rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    interval: u64,
    tolerance: u64,
    due: Instant,
}

impl Bucket {
    /// A full bucket: `per_second` tokens come in a second, and `burst` fit in.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let interval = 1_000_000_000 / u64::from(per_second.max(1));
        Self {
            interval,
            tolerance: interval * u64::from(burst.max(1)),
            due: Instant::START,
        }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let due = self.due.max(now).after(Duration::from_nanos(self.interval));
        let passes = due.since(now) <= Duration::from_nanos(self.tolerance);
        if passes {
            self.due = due;
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut bucket = Bucket::new(10, 5);
        let start = Instant::from_nanos(7);
        let passed = (0..20).filter(|_| bucket.take(start)).count();
        assert_eq!(passed, 5);
        let later = start.after(Duration::from_millis(200));
        let passed = (0..20).filter(|_| bucket.take(later)).count();
        assert_eq!(passed, 2);
    }
}
