//! The one thread that writes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, oneshot};

use super::reserve::Reserve;
use super::write::{Outcome, Tables};
use super::{Shared, is_full, layout, open_file, opening, read};
use crate::error::Cause;
use crate::{Commit, CommitError, OpenError, ReadError, Revision};

/// Commits that share a transaction and its sync.
const GROUP: usize = 64;
/// Revisions that one transaction forgets, when it does nothing else.
const FORGET: u64 = 1_000;

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Request {
    Commit {
        commit: Commit,
        answer: oneshot::Sender<Result<Revision, CommitError>>,
    },
    Compact {
        before: Revision,
        answer: oneshot::Sender<Result<(), ReadError>>,
    },
    /// The file of this opening could not be read.
    Mend {
        opening: u64,
        answer: oneshot::Sender<()>,
    },
    End,
}

/// A commit and who waits for it.
struct Waiting {
    commit: Commit,
    answer: oneshot::Sender<Result<Revision, CommitError>>,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    /// None in memory.
    reserve: Option<Reserve>,
    history: u64,
}

/// A transaction that failed.
struct Failed {
    error: redb::Error,
    /// Where the commit itself failed, so that it may be stored all the same: what it would have done, and its head.
    intended: Option<(Vec<Outcome>, Revision)>,
}

impl<E: Into<redb::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            intended: None,
        }
    }
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, reserve: Option<Reserve>, history: u64) -> Self {
        Self {
            shared,
            reserve,
            history,
        }
    }

    /// Serves requests until the last store is dropped, or closed.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut next = None;
        while let Some(request) = next.take().or_else(|| queue.blocking_recv()) {
            match request {
                Request::Commit { commit, answer } => {
                    let mut group = vec![Waiting { commit, answer }];
                    next = gather(&mut queue, &mut group);
                    self.commit(group);
                }
                // Who asked may have gone; what was asked for is done.
                Request::Compact { before, answer } => {
                    let _ = answer.send(self.compact(before));
                }
                Request::Mend { opening, answer } => {
                    if self.shared.opening.load(Ordering::Acquire) == opening
                        && let Err(error) = self.mend(false)
                    {
                        tracing::error!(%error, "the store cannot be opened again");
                    }
                    let _ = answer.send(());
                }
                Request::End => break,
            }
        }
        drop(queue);
        self.shared.database.blocking_write().take();
    }

    fn commit(&mut self, group: Vec<Waiting>) {
        match self.store(&group) {
            Ok(outcomes) => {
                for (waiting, outcome) in group.into_iter().zip(outcomes) {
                    let answer = match outcome {
                        Outcome::Done(revision) => Ok(revision),
                        Outcome::Conflict(mismatches) => Err(CommitError::Conflict(mismatches)),
                    };
                    // Who asked may have gone; what was asked for is done.
                    let _ = waiting.answer.send(answer);
                }
            }
            Err(error) => {
                for waiting in group {
                    let _ = waiting.answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// Makes all commits of a group, or says why none was made.
    fn store(&mut self, group: &[Waiting]) -> Result<Vec<Outcome>, CommitError> {
        if let Some(reserve) = &mut self.reserve {
            let held = reserve.hold();
            held.map_err(|error| CommitError::Full(Arc::new(error)))?;
        }
        let mut stored = self.attempt(group);
        // A reader found the disk failing before: nothing of this was tried yet.
        if matches!(&stored, Err(failed) if matches!(failed.error, redb::Error::PreviousIo)) {
            self.mend(false)
                .map_err(|error| CommitError::Unavailable(Arc::new(error)))?;
            stored = self.attempt(group);
        }
        stored.or_else(|failed| self.recover(failed))
    }

    fn attempt(&self, group: &[Waiting]) -> Result<Vec<Outcome>, Failed> {
        let database = self.shared.database.blocking_read();
        let database = database.as_ref().ok_or(redb::Error::PreviousIo)?;
        let writer = database.begin_write()?;
        let mut tables = Tables::of(&writer)?;
        let before = tables.head();
        let applied = group.iter().map(|waiting| tables.apply(&waiting.commit));
        let outcomes = applied.collect::<Result<Vec<_>, _>>()?;
        let head = tables.head();
        if head == before {
            drop(tables);
            writer.abort()?;
            return Ok(outcomes);
        }
        // Twice as many revisions go as come, so that a log that is too long grows shorter.
        let grown = head.get() - before.get();
        let oldest = Revision::new(head.get().saturating_sub(self.history));
        tables.forget(oldest, 2 * grown)?;
        tables.finish()?;
        match writer.commit() {
            Ok(()) => {
                self.shared.head.send_replace(head);
                Ok(outcomes)
            }
            Err(error) => Err(Failed {
                error: error.into(),
                intended: Some((outcomes, head)),
            }),
        }
    }

    /// Opens the file again after a failure, and looks what stands in it.
    fn recover(&mut self, failed: Failed) -> Result<Vec<Outcome>, CommitError> {
        let Failed { error, intended } = failed;
        let full = is_full(&error);
        tracing::error!(%error, full, "a commit failed: the store is opened again");
        let cause: Cause = Arc::new(error);
        match (self.mend(full), intended) {
            (Ok(found), Some((outcomes, head))) if found >= head => Ok(outcomes),
            (Ok(_), _) if full => Err(CommitError::Full(cause)),
            (Ok(_), _) | (Err(_), None) => Err(CommitError::Unavailable(cause)),
            (Err(error), Some(_)) => {
                tracing::error!(%error, "the store cannot be opened again");
                Err(CommitError::Unknown(cause))
            }
        }
    }

    /// Opens the file again, which takes back what was not committed. redb refuses everything after a failure until then.
    fn mend(&mut self, full: bool) -> Result<Revision, OpenError> {
        let path = self.shared.path.as_ref().ok_or(OpenError::Options(
            "a store in memory cannot be opened again",
        ))?;
        if let Some(reserve) = self.reserve.as_mut().filter(|_| full) {
            reserve.release();
        }
        let mut database = self.shared.database.blocking_write();
        *database = None;
        let opened = open_file(path).map_err(|error| opening(path, error))?;
        let head = layout::prepare(&opened, path)?;
        *database = Some(opened);
        self.shared.opening.fetch_add(1, Ordering::Release);
        self.shared.head.send_replace(head);
        Ok(head)
    }

    fn compact(&mut self, before: Revision) -> Result<(), ReadError> {
        loop {
            match self.forget(before) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(failed) => {
                    let full = is_full(&failed.error);
                    if let Err(error) = self.mend(full) {
                        tracing::error!(%error, "the store cannot be opened again");
                    }
                    return Err(read::unavailable(failed.error));
                }
            }
        }
    }

    fn forget(&self, before: Revision) -> Result<bool, Failed> {
        let database = self.shared.database.blocking_read();
        let database = database.as_ref().ok_or(redb::Error::PreviousIo)?;
        let writer = database.begin_write()?;
        let mut tables = Tables::of(&writer)?;
        let all = tables.forget(before, FORGET)?;
        tables.finish()?;
        writer.commit()?;
        Ok(all)
    }
}

/// Takes the commits that wait into the group, up to its size or the next request that is none.
fn gather(queue: &mut mpsc::Receiver<Request>, group: &mut Vec<Waiting>) -> Option<Request> {
    while group.len() < GROUP {
        match queue.try_recv().ok()? {
            Request::Commit { commit, answer } => group.push(Waiting { commit, answer }),
            other => return Some(other),
        }
    }
    None
}
