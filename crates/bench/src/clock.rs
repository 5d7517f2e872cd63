//! The one place that reads the clock.

use std::time::{Duration, Instant};

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
        Self::now().0.duration_since(self.0)
    }
}

/// How long it takes to do this.
pub fn time(work: impl FnOnce()) -> Duration {
    let start = Moment::now();
    work();
    start.elapsed()
}

/// Nanoseconds for one of `count`.
#[must_use]
pub fn nanos_each(total: Duration, count: u32) -> f64 {
    total.as_secs_f64() * 1e9 / f64::from(count.max(1))
}
