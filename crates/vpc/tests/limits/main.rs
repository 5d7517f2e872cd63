//! What a port may hold, send and answer, and what it counts: nothing is unbounded, and nothing is
//! refused silently.

mod counters;
mod meters;
mod nat;
mod state;

use std::error::Error;
use std::time::Duration;

use rackweave_engine::Direction;
use rackweave_engine::counters::Counters;
use rackweave_types::Instant;

/// How a test ends.
pub(crate) type TestResult = Result<(), Box<dyn Error>>;

/// So many milliseconds after the start.
pub(crate) fn millis(millis: u64) -> Instant {
    Instant::START.after(Duration::from_millis(millis))
}

/// Every packet that was received went somewhere, or was dropped under a name.
pub(crate) fn adds_up(counters: &Counters) {
    for (at, direction) in [Direction::Out, Direction::In].into_iter().enumerate() {
        let ends = [
            counters.forwarded[at],
            counters.hairpinned[at],
            counters.punted[at],
            counters.handed_over[at],
            counters.dropped_total(direction),
        ];
        let ended: u64 = ends.iter().sum();
        assert_eq!(counters.received[at], ended, "{direction:?}: {ends:?}");
    }
}
