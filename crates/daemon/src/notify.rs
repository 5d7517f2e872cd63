//! What the service manager is told (`sd_notify`, systemd.service `Type=notify`). Without one nothing happens.

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;

/// The daemon serves; `status` says how.
///
/// # Errors
/// Where the service manager's socket takes nothing.
pub fn ready(status: &str) -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(status)])
}

/// Something is read again; [`ready`] follows.
///
/// # Errors
/// Where the service manager's socket takes nothing.
pub fn reloading(status: &str) -> io::Result<()> {
    sd_notify::notify(&[
        NotifyState::Reloading,
        NotifyState::monotonic_usec_now()?,
        NotifyState::Status(status),
    ])
}

/// The daemon is about to end.
///
/// # Errors
/// Where the service manager's socket takes nothing.
pub fn stopping(status: &str) -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Stopping, NotifyState::Status(status)])
}

/// Tells the service manager regularly that the daemon lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchdog {
    every: Duration,
}

impl Watchdog {
    /// The watchdog that the service manager asks for; none where it asks for none.
    #[must_use]
    pub fn from_env() -> Option<Self> {
        let every = sd_notify::watchdog_enabled()?.checked_div(2)?;
        Some(Self { every })
    }

    /// How often [`alive`](Self::alive) is to be called: half of what the service manager waits.
    #[must_use]
    pub const fn every(self) -> Duration {
        self.every
    }

    /// The daemon lives: what does its work has answered.
    ///
    /// # Errors
    /// Where the service manager's socket takes nothing.
    pub fn alive(self) -> io::Result<()> {
        sd_notify::notify(&[NotifyState::Watchdog])
    }
}
