//! A timer that can be waited for beside sockets.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use rackweave_types::Instant;

/// Why there is no timer, or it cannot be set.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} a timer")]
pub struct TimerError {
    /// What was tried: `create` or `set`.
    what: &'static str,
    source: io::Error,
}

/// A timer of the one clock ([`crate::clock::now`]), exact to what the scheduler allows: readable from its time on.
#[derive(Debug)]
pub struct Timer(TimerFd);

impl Timer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// Where the process has no file descriptor left.
    pub fn new() -> Result<Self, TimerError> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)
            .map(Self)
            .map_err(|e| TimerError {
                what: "create",
                source: e.into(),
            })
    }

    /// Sets it to this time alone, past ones at once; `None` stops it. It is unreadable until then.
    ///
    /// # Errors
    /// The kernel's word.
    pub fn set(&self, at: Option<Instant>) -> Result<(), TimerError> {
        let set = match at {
            // Zero would stop it.
            Some(at) => {
                let at =
                    TimeSpec::from_duration(at.max(Instant::from_nanos(1)).since(Instant::START));
                let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
                self.0.set(Expiration::OneShot(at), flags)
            }
            None => self.0.unset(),
        };
        set.map_err(|e| TimerError {
            what: "set",
            source: e.into(),
        })
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;
    use crate::poll::{Events, Poller};

    #[test]
    fn is_readable_from_its_time_on_until_set_again() {
        let (timer, poller) = (Timer::new().unwrap(), Poller::new().unwrap());
        let mut events = Events::with_capacity(1);
        poller.add(&timer, 1).unwrap();
        let due = clock::now().after(Duration::from_millis(3));
        timer.set(Some(due)).unwrap();
        poller.wait(&mut events, None).unwrap();
        assert!(clock::now() >= due && !events.is_empty());
        timer.set(Some(Instant::START)).unwrap();
        poller.wait(&mut events, None).unwrap();
        assert!(!events.is_empty());
        timer.set(None).unwrap();
        poller.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());
    }
}
