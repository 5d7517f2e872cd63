//! The one clock: time since boot; and the date, for certificates alone.

use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use rackweave_types::Instant;

/// Time since the machine booted, its sleeps included (`CLOCK_BOOTTIME`): the same in every process and namespace of
/// the machine, so what one process wrote down the next one understands.
///
/// Answered in the vDSO, without a system call.
#[must_use]
pub fn now() -> Instant {
    // The kernel knows this clock since 2.6.39 and reading it cannot fail for a valid pointer; time that stands still
    // at the start would be the answer of a kernel that we do not run on.
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map_or(Instant::START, |time| Instant::START.after(time.into()))
}

/// Seconds since 1970 (`CLOCK_REALTIME`): for the validity of certificates, never to wait by; somebody may set it.
#[must_use]
pub fn unix_seconds() -> u64 {
    unix_millis() / 1000
}

/// Milliseconds since 1970 (`CLOCK_REALTIME`), for people.
#[must_use]
pub fn unix_millis() -> u64 {
    clock_gettime(ClockId::CLOCK_REALTIME)
        .ok()
        .and_then(|time| u64::try_from(time.num_milliseconds()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_back() {
        let first = now();
        assert!(first > Instant::START);
        assert!(now() >= first);
    }

    #[test]
    fn the_date_is_after_this_was_written() {
        assert!(unix_seconds() > 1_790_000_000);
    }
}
