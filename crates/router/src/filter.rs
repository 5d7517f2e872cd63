//! Which sources are let in from which link (anti-spoofing), and what was dropped.
//!
//! A thread of its own keeps the nftables table `inet rackweave_fabric` as the node's machine wants it. For each link
//! that is filtered there is a set of sources; packets of others are dropped before they are routed (`prerouting`), and
//! counted by who is at the link's other end. What comes from link-local addresses is let in: it goes no further than
//! this node. A link that is to let in more than before gets just that, which takes a few milliseconds where a transaction
//! with new rules takes tens of them. The table stays when the program ends, and so do its counters.

use std::io;
use std::thread;

use ipnet::Ipv6Net;
use rackweave_linux::nft::NftError;
use rackweave_routing::fabric::LinkId;
use tokio::sync::{mpsc, oneshot};

use crate::inbox::Inbox;

mod drops;
mod run;
mod table;

pub use drops::Drops;

/// What waits for the thread at most.
const WAITING: usize = 4096;

/// Why drops are not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// The filter cannot be read.
    #[error("cannot read what the filter dropped")]
    Nft(#[from] NftError),
    /// The filter's listing is none.
    #[error("cannot understand what nftables says of its counters")]
    Listing(#[from] serde_json::Error),
    /// The thread has more to do than it is asked for, or has ended.
    #[error("the filter's thread does not answer")]
    Busy,
}

/// Whom a link lets in: [`Output::Filter`](rackweave_routing::fabric::Output::Filter).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterChange {
    /// The link.
    pub link: LinkId,
    /// Who is at its other end.
    pub owner: String,
    /// The sources; `None` for anybody.
    pub allowed: Option<Vec<Ipv6Net>>,
}

#[derive(Debug)]
enum Request {
    Change(FilterChange),
    Drops(oneshot::Sender<Result<Vec<Drops>, FilterError>>),
}

/// The way to the thread, which ends when this value goes.
#[derive(Clone, Debug)]
pub struct Filter(mpsc::Sender<Request>);

impl Filter {
    /// Starts the thread in the namespace of the calling one. A node that never filters makes no table. The machine is told
    /// by the inbox when a change is in force ([`Input::Filtered`](rackweave_routing::fabric::Input::Filtered)).
    ///
    /// # Errors
    /// Where there is no thread.
    pub fn start(inbox: Inbox) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel(WAITING);
        thread::Builder::new()
            .name("filter".into())
            .spawn(move || run::run(receiver, &inbox))?;
        Ok(Self(sender))
    }

    /// Has a link let in these sources alone, soon.
    ///
    /// # Errors
    /// The change, where more changes wait than there is room for.
    pub fn change(&self, change: FilterChange) -> Result<(), FilterChange> {
        let request = Request::Change(change);
        match self
            .0
            .try_send(request)
            .map_err(mpsc::error::TrySendError::into_inner)
        {
            Err(Request::Change(change)) => Err(change),
            _ => Ok(()),
        }
    }

    /// What was dropped, by whom it came from, since the table was made.
    ///
    /// # Errors
    /// [`FilterError`].
    pub async fn drops(&self) -> Result<Vec<Drops>, FilterError> {
        let (sender, answer) = oneshot::channel();
        let asked = self.0.try_send(Request::Drops(sender));
        asked.map_err(|_| FilterError::Busy)?;
        answer.await.map_err(|_| FilterError::Busy)?
    }
}

#[cfg(test)]
mod tests;
