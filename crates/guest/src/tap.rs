//! TAP devices with virtio-net headers: a guest's interface in its own network namespace (containers), or what a
//! virtual machine without vhost-user is joined to.
//!
//! The device is persistent: it stays, with its addresses and routes, while the process that serves it is
//! restarted; [`Tap::open`] finds it again. Every queue belongs to one worker and never blocks.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rackweave_types::{MacAddr, Mtu};

use crate::Offloads;

mod error;
mod ioctl;
mod queue;
mod setup;

pub use error::{NameError, TapError};
pub use queue::TapQueue;

/// The greatest number of queues that Linux gives a TAP device.
pub const MAX_QUEUES: u16 = 256;

/// How a TAP device is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapSettings {
    /// Name of the device: 1 to 15 bytes.
    pub name: String,
    /// The network namespace it is in; that of this thread where there is none.
    pub netns: Option<PathBuf>,
    /// How many queues it has, 1 to [`MAX_QUEUES`].
    pub queues: u16,
    /// MTU of the guest's interface.
    pub mtu: Mtu,
    /// Address of the interface where the interface *is* the guest's (containers). `None` leaves it alone, for
    /// guests whose interface stands behind the device.
    pub mac: Option<MacAddr>,
}

/// A TAP device. It outlives this value; see [`Self::remove`].
#[derive(Debug)]
pub struct Tap {
    name: String,
    first: Arc<File>,
    offloads: Offloads,
}

impl Tap {
    /// Makes the device, or finds it again, and opens its queues. The link is up when this returns.
    ///
    /// # Errors
    /// Where the name is none, the namespace cannot be entered, or the kernel refuses a step.
    pub fn open(settings: &TapSettings) -> Result<(Self, Vec<TapQueue>), TapError> {
        let opened = setup::open(settings)?;
        let queues: Vec<_> = opened.files.into_iter().map(TapQueue::new).collect();
        let first = queues.first().ok_or(TapError::Queues { asked: 0 })?.file();
        let tap = Self {
            name: settings.name.clone(),
            first,
            offloads: opened.offloads,
        };
        Ok((tap, queues))
    }

    /// The device's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the kernel takes unfinished from us; older kernels refuse UDP segmentation.
    pub fn offloads(&self) -> Offloads {
        self.offloads
    }

    /// Makes the device go away as soon as all of its queues are closed.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn remove(self) -> Result<(), TapError> {
        ioctl::set_persist(&self.first, false).map_err(|source| TapError::Set {
            device: self.name,
            what: "persistence",
            source,
        })
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.first.as_fd()
    }
}

/// Runs `job` inside a network namespace; on a thread of its own, because a namespace belongs to a thread.
fn within<T: Send>(
    netns: Option<&Path>,
    enter: impl FnOnce(&Path) -> Result<(), TapError> + Send,
    job: impl FnOnce() -> Result<T, TapError> + Send,
) -> Result<T, TapError> {
    let Some(path) = netns else {
        return job();
    };
    std::thread::scope(|scope| {
        let inside = std::thread::Builder::new()
            .name("netns".into())
            .spawn_scoped(scope, || {
                enter(path)?;
                job()
            })
            .map_err(|source| TapError::Thread { source })?;
        inside.join().unwrap_or_else(|_| {
            Err(TapError::Thread {
                source: io::Error::other("it panicked"),
            })
        })
    })
}

#[cfg(test)]
mod tests;
