//! Commits on a cluster: exactly once, whatever dies.
//!
//! A commit takes a slot: a key of this store alone, whose last revision is known. Its transaction succeeds only if the
//! slot's key is still at that revision, and writes its number there. It is sent until there is an answer:
//!
//! - it succeeded: done;
//! - it did not, and the slot holds its number: an earlier copy was done, at the slot's revision;
//! - it did not, and the slot moved: an earlier commit, given up as unknown, came late; try again from there;
//! - it did not, and the slot stands: what the commit expects does not hold.
//!
//! Slots hang on a lease: what a dead store leaves is gone within two hours. When the lease ends before the store does, the
//! next commit takes another one.

use std::sync::Arc;

use etcd_client::{Compare, CompareOp, GetOptions, PutOptions, Txn, TxnOp, TxnOpResponse};
use tokio::sync::Mutex;

use super::members::Failure;
use super::{Etcd, at, number, revision};
use crate::error::Cause;
use crate::{Commit, CommitError, Expected, Revision};

/// How long a lease lasts, in seconds.
const LEASE_S: i64 = 7_200;

/// The slots that no commit holds.
#[derive(Debug)]
pub(super) struct Slots {
    prefix: String,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    lease: Option<i64>,
    made: u64,
    slots: Vec<Slot>,
}

/// A key that tells which commit wrote it last.
#[derive(Debug)]
struct Slot {
    lease: i64,
    key: String,
    /// Of the last commit that tried.
    number: u64,
    /// When it was last written; zero where it is absent.
    revision: Revision,
}

/// What a transaction came to.
enum Tried {
    Done(Revision),
    /// What was expected was found like this.
    Conflict(Vec<Option<Revision>>),
    /// The slot was written by an earlier commit.
    Moved,
}

impl Slots {
    pub(super) fn new(prefix: String) -> Self {
        Self {
            prefix,
            idle: Mutex::default(),
        }
    }

    async fn give_back(&self, slot: Slot) {
        let mut idle = self.idle.lock().await;
        if idle.lease == Some(slot.lease) {
            idle.slots.push(slot);
        }
    }

    /// The lease of a slot has ended.
    async fn forget_lease(&self, lease: i64) {
        let mut idle = self.idle.lock().await;
        if idle.lease == Some(lease) {
            idle.lease = None;
            idle.slots.clear();
        }
    }
}

impl Etcd {
    /// Makes a commit in a task of its own, so that it goes on without its caller.
    pub(crate) async fn commit(etcd: &Arc<Self>, commit: Commit) -> Result<Revision, CommitError> {
        let etcd = Arc::clone(etcd);
        let made = tokio::spawn(async move {
            let made = etcd.make(&commit).await;
            if let Ok(revision) = &made {
                Self::trim(&etcd, *revision);
            }
            made
        });
        made.await
            .unwrap_or_else(|error| Err(CommitError::Unknown(Arc::new(error))))
    }

    async fn make(&self, commit: &Commit) -> Result<Revision, CommitError> {
        let _turn = self.under_way.acquire().await.map_err(unavailable)?;
        loop {
            let slot = self.slot().await.map_err(|failure| match failure {
                Failure::Full(cause) => CommitError::Full(cause),
                failure => CommitError::Unavailable(failure.cause()),
            })?;
            let lease = slot.lease;
            match self.make_in(slot, commit).await {
                // Nothing was done: a transaction that names a missing lease is refused.
                Err(Failure::NoLease) => self.slots.forget_lease(lease).await,
                Ok(made) => return made,
                Err(Failure::Full(cause)) => return Err(CommitError::Full(cause)),
                Err(Failure::Silent(cause)) => return Err(CommitError::Unknown(cause)),
                Err(failure) => return Err(CommitError::Unavailable(failure.cause())),
            }
        }
    }

    async fn make_in(
        &self,
        mut slot: Slot,
        commit: &Commit,
    ) -> Result<Result<Revision, CommitError>, Failure> {
        slot.number += 1;
        let made = loop {
            match self.attempt(&mut slot, commit).await {
                Ok(Tried::Done(revision)) => break Ok(Ok(revision)),
                Ok(Tried::Conflict(found)) => {
                    let mismatches = commit.mismatches(&found);
                    break Ok(Err(CommitError::Conflict(mismatches)));
                }
                Ok(Tried::Moved) => {}
                Err(failure) => break Err(failure),
            }
        };
        self.slots.give_back(slot).await;
        made
    }

    async fn attempt(&self, slot: &mut Slot, commit: &Commit) -> Result<Tried, Failure> {
        let transaction = self.transaction(slot, commit);
        let answer = self
            .members
            .ask_to_write(|member| {
                let transaction = transaction.clone();
                async move { member.kv_client().txn(transaction).await }
            })
            .await?;
        if answer.succeeded() {
            slot.revision = revision(answer.header());
            return Ok(Tried::Done(slot.revision));
        }
        let mut found = answer
            .op_responses()
            .into_iter()
            .map(|answer| match answer {
                TxnOpResponse::Get(got) => got.kvs().first().cloned(),
                _ => None,
            });
        let holds = found.next().flatten();
        let written = holds
            .as_ref()
            .map_or(0, etcd_client::KeyValue::mod_revision);
        let written = at(written);
        if written != slot.revision {
            slot.revision = written;
            let mine = holds.is_some_and(|holds| holds.value() == slot.number.to_le_bytes());
            return Ok(if mine {
                Tried::Done(written)
            } else {
                Tried::Moved
            });
        }
        let found = found.map(|found| found.map(|found| at(found.mod_revision())));
        Ok(Tried::Conflict(found.collect()))
    }

    fn transaction(&self, slot: &Slot, commit: &Commit) -> Txn {
        let place = |key| format!("{}{key}", self.data);
        let is_at = |key, revision| Compare::mod_revision(key, CompareOp::Equal, number(revision));
        let mut when = vec![is_at(slot.key.clone(), slot.revision)];
        let mut otherwise = vec![TxnOp::get(slot.key.clone(), None)];
        for (key, expected) in commit.expected() {
            // A key that is absent has revision zero.
            let revision = match expected {
                Expected::Absent => Revision::default(),
                Expected::At(revision) => *revision,
            };
            when.push(is_at(place(key), revision));
            let short = GetOptions::new().with_keys_only();
            otherwise.push(TxnOp::get(place(key), Some(short)));
        }
        let mine = PutOptions::new().with_lease(slot.lease);
        let written = slot.number.to_le_bytes();
        let mut then = vec![TxnOp::put(slot.key.clone(), written, Some(mine))];
        for (key, value) in commit.changes() {
            then.push(match value {
                Some(value) => TxnOp::put(place(key), &**value, None),
                None => TxnOp::delete(place(key), None),
            });
        }
        Txn::new().when(when).and_then(then).or_else(otherwise)
    }

    /// A slot for one commit.
    async fn slot(&self) -> Result<Slot, Failure> {
        let mut idle = self.slots.idle.lock().await;
        if let Some(slot) = idle.slots.pop() {
            return Ok(slot);
        }
        let lease = match idle.lease {
            Some(lease) => lease,
            None => self.grant().await?,
        };
        idle.lease = Some(lease);
        idle.made += 1;
        Ok(Slot {
            lease,
            key: format!("{}{lease:016x}/{}", self.slots.prefix, idle.made),
            number: 0,
            revision: Revision::default(),
        })
    }

    /// A lease, which no other store has.
    async fn grant(&self) -> Result<i64, Failure> {
        let granted = self
            .members
            .ask(|member| async move { member.lease_client().grant(LEASE_S, None).await });
        Ok(granted.await?.id())
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> CommitError {
    let cause: Cause = Arc::new(error);
    CommitError::Unavailable(cause)
}
