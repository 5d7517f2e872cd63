//! A store on the members of an etcd cluster (v3).
//!
//! One member is asked at a time; where it does not answer, the next one (`members`). Keys lie below `PREFIX/data/`.
//!
//! A commit is one transaction. Whether one without an answer happened cannot be known from its keys, since somebody else
//! may have written the same; so each commit also writes a key of its own (`commit`), and it is sent again with the same
//! condition on that key until there is an answer: only one of the copies can happen.
//!
//! Debian's etcd 3.4 is known to lose events of a watch around a compaction (etcd issues 17617, 18089, 19179). Nothing here
//! can see that; [`crate::Feed`] does.

mod commit;
mod members;
mod read;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use etcd_client::ResponseHeader;
use tokio::sync::Semaphore;

use self::commit::Slots;
use self::members::{Failure, Members};
pub(crate) use self::watch::EtcdWatch;
use crate::{OpenError, ReadError, Revision};

/// Commits under way at once; others wait.
const SLOTS: usize = 64;

/// Where an etcd cluster is, and how to speak to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EtcdOptions {
    /// The clients' URLs of its members, at least one.
    pub endpoints: Vec<String>,
    /// All keys lie below this one: stores with different ones do not see each other.
    pub prefix: String,
    /// How many revisions can be read and watched back from the newest one, about. Counted over the whole cluster.
    pub history: u64,
    /// How long one member is waited for.
    pub patience: Duration,
    /// How long an answer is looked for, over all members.
    pub deadline: Duration,
}

impl EtcdOptions {
    /// The cluster at these URLs, such as `http://[fd00::1]:2379`.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            prefix: "rackweave".to_owned(),
            history: 10_000,
            patience: Duration::from_secs(2),
            deadline: Duration::from_secs(10),
        }
    }
}

/// A store on a cluster.
#[derive(Debug)]
pub(crate) struct Etcd {
    members: Members,
    /// What data lies below, with the slash.
    data: String,
    slots: Slots,
    /// As many as there are slots.
    under_way: Semaphore,
    history: u64,
    /// The revision up to which this store has had the cluster forget.
    forgotten: AtomicU64,
}

impl Etcd {
    pub(crate) async fn connect(options: EtcdOptions) -> Result<Self, OpenError> {
        if options.endpoints.is_empty() {
            return Err(OpenError::Options("etcd needs at least one endpoint"));
        }
        if options.history == 0 {
            return Err(OpenError::Options(
                "a store keeps the history of at least one revision",
            ));
        }
        let endpoints = options.endpoints.join(", ");
        let fault = |source| OpenError::Cluster { endpoints, source };
        let members = match Members::new(&options).await {
            Ok(members) => members,
            Err(error) => return Err(fault(Arc::new(error))),
        };
        let etcd = Self {
            members,
            data: format!("{}/data/", options.prefix),
            slots: Slots::new(format!("{}/commits/", options.prefix)),
            under_way: Semaphore::new(SLOTS),
            history: options.history,
            forgotten: AtomicU64::new(0),
        };
        match etcd.head_of().await {
            Ok(head) => etcd.forgotten.store(head.get(), Ordering::Relaxed),
            Err(failure) => return Err(fault(failure.cause())),
        }
        Ok(etcd)
    }

    /// Forgets what was before a revision.
    pub(crate) async fn compact(&self, before: Revision) -> Result<(), ReadError> {
        let before = before.min(self.head().await?);
        let number = number(before);
        let done = self
            .members
            .ask(|member| async move { member.kv_client().compact(number, None).await })
            .await;
        match done.map_err(Failure::into_read_error) {
            // Somebody else was earlier.
            Ok(_) | Err(ReadError::Compacted) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Has the cluster forget, where its log has grown by a tenth since it last did.
    fn trim(etcd: &Arc<Self>, head: Revision) {
        let oldest = head.get().saturating_sub(etcd.history);
        let forgotten = etcd.forgotten.load(Ordering::Relaxed);
        if oldest < forgotten.saturating_add(etcd.history / 10) {
            return;
        }
        let mine = etcd.forgotten.compare_exchange(
            forgotten,
            oldest,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if mine.is_ok() {
            let etcd = Arc::clone(etcd);
            tokio::spawn(async move {
                if let Err(error) = etcd.compact(Revision::new(oldest)).await {
                    tracing::warn!(%error, "etcd did not forget old revisions: tried again later");
                }
            });
        }
    }
}

/// The revision of a response.
fn revision(header: Option<&ResponseHeader>) -> Revision {
    header.map_or(Revision::default(), |header| at(header.revision()))
}

/// A revision that etcd names; it has none below zero.
fn at(number: i64) -> Revision {
    Revision::new(u64::try_from(number).unwrap_or(0))
}

/// A revision as etcd names it; none is so high.
fn number(revision: Revision) -> i64 {
    i64::try_from(revision.get()).unwrap_or(i64::MAX)
}

/// The end of all keys that begin with a prefix, whose last octet is a slash or another character.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    // No octet of UTF-8 is 0xff.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}
