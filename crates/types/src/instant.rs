//! Points in time, as an argument.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: nanoseconds since a start that the caller chose (monotonic; 584 years fit).
///
/// The pure crates own no clock: whoever calls them says what time it is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Instant(u64);

impl Instant {
    /// The start.
    pub const START: Self = Self(0);

    /// The point `nanos` nanoseconds after the start.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero where it is not after.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The point `duration` later, or the last one there is.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_never_goes_below_zero() {
        let later = Instant::START.after(Duration::from_secs(2));
        assert_eq!(later.since(Instant::START), Duration::from_secs(2));
        assert_eq!(Instant::START.since(later), Duration::ZERO);
    }

    #[test]
    fn after_stops_at_the_last_point() {
        assert_eq!(
            Instant::START.after(Duration::MAX),
            Instant::from_nanos(u64::MAX)
        );
    }
}
