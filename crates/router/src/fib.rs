//! The kernel's table of routes, kept as the node's machine wants it, and what the kernel says to it.
//!
//! A thread of its own talks to the kernel. It owns the routes of the main table with protocol 82 and metric 100, and
//! the addresses that it added to loopback; nothing of others is changed. The kernel's answer to every change goes back
//! as [`Input::Fib`], and what its table holds as [`Input::Kernel`]: at the
//! start, every 10 s, and soon after somebody else changed a route of ours. The routes stay when the program ends,
//! but where it takes the node out of the fabric ([`Fib::clear`]).

use std::net::Ipv6Addr;
use std::sync::mpsc::sync_channel;
use std::thread;

use ipnet::Ipv6Net;
use rackweave_linux::netlink::NetlinkError;
use rackweave_routing::fabric::{FibAnswer, Input, Installed, Output};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::inbox::Inbox;

mod kernel;
mod run;
mod translate;

use kernel::Kernel;

/// What waits for the kernel at most.
const WAITING: usize = 1 << 16;

/// Who made a route of ours (`/etc/iproute2/rt_protos`).
pub const PROTOCOL: u8 = 82;

/// The metric of our routes: before those of others who set none.
pub const METRIC: u32 = 100;

/// The error number of what may work later.
const AGAIN: i32 = nix::errno::Errno::EAGAIN as i32;

/// Why there is no table to write to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FibError {
    /// No way to the kernel's table.
    #[error("cannot open the kernel's table of routes")]
    Netlink(#[from] NetlinkError),
    /// No thread.
    #[error("cannot start the thread that writes routes")]
    Thread(#[source] std::io::Error),
    /// The thread came to nothing.
    #[error("the thread that writes routes ended at once")]
    Ended,
}

/// A change that the kernel is to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FibChange {
    /// Have this route, in the place of the one of its prefix.
    Install(Installed),
    /// No longer have a route of this prefix.
    Remove(Ipv6Net),
    /// Have this address on loopback.
    AddAddress(Ipv6Addr),
    /// No longer have this address on loopback.
    RemoveAddress(Ipv6Addr),
}

impl TryFrom<Output> for FibChange {
    type Error = Output;

    /// The outputs of the machine that are the kernel's; others come back.
    fn try_from(output: Output) -> Result<Self, Output> {
        match output {
            Output::Install(route) => Ok(Self::Install(route)),
            Output::Remove(prefix) => Ok(Self::Remove(prefix)),
            Output::AddAddress(address) => Ok(Self::AddAddress(address)),
            Output::RemoveAddress(address) => Ok(Self::RemoveAddress(address)),
            other => Err(other),
        }
    }
}

/// The way to the thread, which ends when this value goes.
#[derive(Debug)]
pub struct Fib {
    changes: mpsc::Sender<FibChange>,
    clear: mpsc::Sender<oneshot::Sender<()>>,
}

impl Fib {
    /// Starts the thread in the namespace of the calling one, which may be inside an asynchronous runtime, and waits
    /// until it has the kernel's table.
    ///
    /// # Errors
    /// [`FibError`].
    pub fn start(inbox: Inbox) -> Result<Self, FibError> {
        let (changes, receiver) = mpsc::channel(WAITING);
        let (clear, cleared) = mpsc::channel(1);
        let (opened, answer) = sync_channel(1);
        let run = move || match Kernel::open() {
            Ok(kernel) => {
                if opened.send(Ok(())).is_ok() {
                    run::run(kernel, (receiver, cleared), &inbox);
                }
            }
            Err(error) => {
                // Who started it waits for this, and for nothing else.
                let _told = opened.send(Err(error));
            }
        };
        thread::Builder::new()
            .name("fib".into())
            .spawn(run)
            .map_err(FibError::Thread)?;
        answer.recv().map_err(|_| FibError::Ended)??;
        Ok(Self { changes, clear })
    }

    /// Has the kernel make a change, soon. `None`, or what the machine is to be told at once: that more changes wait than
    /// there is room for.
    #[must_use]
    pub fn change(&self, change: FibChange) -> Option<Input> {
        let (mpsc::error::TrySendError::Full(refused) | mpsc::error::TrySendError::Closed(refused)) =
            self.changes.try_send(change).err()?;
        let prefix = match refused {
            FibChange::Install(route) => route.prefix,
            FibChange::Remove(prefix) => prefix,
            FibChange::AddAddress(address) | FibChange::RemoveAddress(address) => {
                warn!(%address, "the kernel was not told of this address: too many changes wait for it");
                return None;
            }
        };
        let text = "too many changes wait for the kernel";
        let answer = FibAnswer::Refused(AGAIN, text.into());
        Some(Input::Fib { prefix, answer })
    }

    /// Has the kernel forget all routes of ours, and waits until it has; no change is made any more. Addresses stay: they
    /// are the node's, and lead nowhere.
    pub async fn clear(self) {
        let (done, is_done) = oneshot::channel();
        if self.clear.send(done).await.is_ok() {
            // A thread that has ended said why.
            let _ended = is_done.await;
        }
    }
}

#[cfg(test)]
mod tests;
