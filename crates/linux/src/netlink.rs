//! Links, addresses, routes, rules and neighbours of a network namespace (rtnetlink).
//!
//! What is set up is set up by `ensure_…`, which changes nothing where it is so already, and taken
//! away by `remove_…`, for which gone is gone. Everything waits for the kernel's answer.

use std::future::Future;
use std::io;
use std::time::Duration;

use rtnetlink::Handle;
use tokio::runtime::{Builder, Runtime};

mod address;
mod batch;
mod link;
mod message;
mod monitor;
mod neighbour;
mod route;
mod rule;

pub use batch::{RouteChange, RouteSocket};
pub use link::{Link, LinkSettings};
pub use monitor::{Change, Monitor};
pub use neighbour::Neighbour;
pub use route::{MAIN_TABLE, Path, Route, RouteKind};
pub use rule::{LOCAL_TABLE, Rule};

/// How long to wait between two looks at something that the kernel does on its own time.
const ROUND: Duration = Duration::from_millis(2);

/// Why the kernel's network was not read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetlinkError {
    /// No socket to the kernel.
    #[error("cannot open a netlink socket")]
    Open(#[source] io::Error),
    /// There is no link with that name here.
    #[error("no link is called {name}: `ip link` lists those of this namespace")]
    NoLink {
        /// The name.
        name: String,
    },
    /// The kernel said no.
    #[error("cannot {what}")]
    Refused {
        /// What was asked, with the names of link and prefix.
        what: String,
        /// The kernel's word.
        source: io::Error,
    },
    /// The kernel's answer was none.
    #[error("cannot {what}")]
    NoAnswer {
        /// What was asked, with the names of link and prefix.
        what: String,
        /// What came instead.
        source: rtnetlink::Error,
    },
}

impl NetlinkError {
    fn of(what: impl FnOnce() -> String, error: rtnetlink::Error) -> Self {
        match error {
            rtnetlink::Error::NetlinkError(message) => Self::Refused {
                what: what(),
                source: message.to_io(),
            },
            source => Self::NoAnswer {
                what: what(),
                source,
            },
        }
    }

    /// The kernel's error number, where it said no.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Open(source) | Self::Refused { source, .. } => source.raw_os_error(),
            Self::NoLink { .. } | Self::NoAnswer { .. } => None,
        }
    }
}

/// A socket to the kernel's network of one namespace: that of the thread that opened it, whatever
/// thread uses it later.
///
/// Each call waits for its answer on an own small runtime, so none may be made from inside an
/// asynchronous task; there, use a blocking thread.
#[derive(Debug)]
pub struct Netlink {
    runtime: Runtime,
    handle: Handle,
}

impl Netlink {
    /// Opens a socket in the namespace of the calling thread.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn open() -> Result<Self, NetlinkError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(NetlinkError::Open)?;
        let handle = {
            let _inside = runtime.enter();
            let (connection, handle, _unasked) =
                rtnetlink::new_connection().map_err(NetlinkError::Open)?;
            runtime.spawn(connection);
            handle
        };
        Ok(Self { runtime, handle })
    }

    /// Waits for the kernel's answer; `what` says in an error what was asked.
    fn wait<T>(
        &self,
        what: impl FnOnce() -> String,
        answer: impl Future<Output = Result<T, rtnetlink::Error>>,
    ) -> Result<T, NetlinkError> {
        let answer = self.runtime.block_on(answer);
        answer.map_err(|error| NetlinkError::of(what, error))
    }

    /// Waits a moment before another look.
    fn pause(&self) {
        self.runtime
            .block_on(async { tokio::time::sleep(ROUND).await });
    }
}

/// Takes one of the kernel's refusals for consent: what was asked is so already.
fn unless(result: Result<(), NetlinkError>, errno: &[i32]) -> Result<(), NetlinkError> {
    match result {
        Err(error) if error.errno().is_some_and(|is| errno.contains(&is)) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
