//! Waking another thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Why there is no wake.
#[derive(Debug, thiserror::Error)]
#[error("cannot create an eventfd")]
pub struct WakeError(#[source] io::Error);

/// A bell between threads: readable from [`wake`](Self::wake) until [`clear`](Self::clear). Clones ring the same bell.
///
/// Whoever waits clears it first and looks for work afterwards, so that no ring is lost.
#[derive(Clone, Debug)]
pub struct Wake(Arc<EventFd>);

impl Wake {
    /// A bell that has not rung.
    ///
    /// # Errors
    /// Where the process has no file descriptor left.
    pub fn new() -> Result<Self, WakeError> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        EventFd::from_flags(flags)
            .map(|event| Self(Arc::new(event)))
            .map_err(|e| WakeError(e.into()))
    }

    /// Makes it readable.
    pub fn wake(&self) {
        // The one failure of an open eventfd is a full counter (EAGAIN), and then it is readable.
        let _full = self.0.write(1);
    }

    /// Makes it unreadable again. Whether it had rung.
    pub fn clear(&self) -> bool {
        // The one failure of an open eventfd is an empty counter (EAGAIN).
        self.0.read().is_ok()
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_until_cleared() {
        let bell = Wake::new().unwrap();
        assert!(!bell.clear());
        let other = bell.clone();
        other.wake();
        other.wake();
        assert!(bell.clear());
        assert!(!other.clear());
    }
}
