//! Waiting for many file descriptors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Why a poller could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PollError {
    /// No poller could be made.
    #[error("cannot create an epoll instance")]
    Create(#[source] io::Error),
    /// The file descriptor cannot be waited for, or is waited for already.
    #[error("cannot wait for file descriptor with token {token}")]
    Add {
        /// What the caller calls it.
        token: u64,
        /// The kernel's word.
        source: io::Error,
    },
    /// The file descriptor was not waited for.
    #[error("cannot stop waiting for a file descriptor")]
    Remove(#[source] io::Error),
    /// The wait itself failed.
    #[error("cannot wait for file descriptors")]
    Wait(#[source] io::Error),
}

/// A set of file descriptors, each with a token of the caller's, to wait until one is readable (level-triggered), at
/// its end, or broken.
///
/// A file descriptor leaves the set by [`remove`](Self::remove), or when its last duplicate is closed. A poller is
/// itself a file descriptor that can be waited for.
#[derive(Debug)]
pub struct Poller(Epoll);

impl Poller {
    /// An empty set.
    ///
    /// # Errors
    /// [`PollError::Create`].
    pub fn new() -> Result<Self, PollError> {
        Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map(Self)
            .map_err(|e| PollError::Create(e.into()))
    }

    /// Waits for this file descriptor from now on.
    ///
    /// # Errors
    /// [`PollError::Add`].
    pub fn add(&self, fd: impl AsFd, token: u64) -> Result<(), PollError> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, token);
        self.0.add(fd, event).map_err(|e| PollError::Add {
            token,
            source: e.into(),
        })
    }

    /// Waits for this file descriptor no longer.
    ///
    /// # Errors
    /// [`PollError::Remove`].
    pub fn remove(&self, fd: impl AsFd) -> Result<(), PollError> {
        self.0.delete(fd).map_err(|e| PollError::Remove(e.into()))
    }

    /// Waits until a file descriptor is ready or the time is over (`None`: for ever, zero: not at all), and lists those
    /// that are ready in `events`, whose former content goes. A time is rounded up to milliseconds. A signal ends the
    /// wait early, with no events.
    ///
    /// # Errors
    /// [`PollError::Wait`].
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> Result<(), PollError> {
        events.ready = 0;
        let timeout = timeout.map_or(EpollTimeout::NONE, |timeout| {
            let millis = timeout.as_nanos().div_ceil(1_000_000);
            EpollTimeout::try_from(millis).unwrap_or(EpollTimeout::MAX)
        });
        match self.0.wait(&mut events.events, timeout) {
            Ok(ready) => events.ready = ready,
            Err(Errno::EINTR) => {}
            Err(e) => return Err(PollError::Wait(e.into())),
        }
        Ok(())
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

/// Room for what a wait finds.
#[derive(Debug)]
pub struct Events {
    events: Vec<EpollEvent>,
    ready: usize,
}

impl Events {
    /// Room for so many at once (at least one); what does not fit comes with the next wait.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            events: vec![EpollEvent::empty(); capacity.max(1)],
            ready: 0,
        }
    }

    /// The tokens of the file descriptors that the last wait found ready.
    pub fn tokens(&self) -> impl Iterator<Item = u64> + '_ {
        self.events[..self.ready].iter().map(EpollEvent::data)
    }

    /// Whether the last wait found none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ready == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wake::Wake;

    #[test]
    fn finds_who_rang() {
        let (poller, mut events) = (Poller::new().unwrap(), Events::with_capacity(8));
        let bells = [Wake::new().unwrap(), Wake::new().unwrap()];
        for (bell, token) in bells.iter().zip([7, u64::MAX]) {
            poller.add(bell, token).unwrap();
        }
        poller.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());
        bells[1].wake();
        poller.wait(&mut events, None).unwrap();
        assert_eq!(events.tokens().collect::<Vec<_>>(), [u64::MAX]);
        poller.remove(&bells[1]).unwrap();
        poller
            .wait(&mut events, Some(Duration::from_nanos(1)))
            .unwrap();
        assert!(events.is_empty());
        assert!(poller.remove(&bells[1]).is_err());
        assert!(
            poller
                .add(&bells[0], 1)
                .unwrap_err()
                .to_string()
                .contains("token 1")
        );
    }
}
