//! The one place that reads a clock.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A moment of the machine's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Moment(Instant);

impl Moment {
    /// Reads the clock.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "measuring time is what this crate is for"
    )]
    pub fn now() -> Self {
        Self(Instant::now())
    }

    /// The time since then.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now().since(self)
    }

    /// The time from then to this moment.
    #[must_use]
    pub fn since(self, then: Self) -> Duration {
        self.0.duration_since(then.0)
    }
}

/// How long this thread is on a processor for this: what other programs take in between does not
/// count.
pub fn time(work: impl FnOnce()) -> Duration {
    let start = on_processor();
    work();
    on_processor().saturating_sub(start)
}

fn on_processor() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
