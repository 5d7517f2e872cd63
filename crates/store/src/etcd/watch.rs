//! Watching a cluster: a stream of one member, and of the next one where it breaks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{EventType, WatchOptions, WatchResponse, WatchStream};
use tokio::time::Instant;

use super::members::{Failure, judge};
use super::{Etcd, at, end_of, number};
use crate::error::Cause;
use crate::{Change, Event, ReadError, Revision};

/// How long is waited before the next member is tried.
const PAUSE: Duration = Duration::from_millis(50);
/// Octets of the largest answer: etcd sends up to a thousand revisions at once.
const ANSWER_OCTETS: usize = 2 << 30;

/// A place in the cluster's log.
#[derive(Debug)]
pub(crate) struct EtcdWatch {
    etcd: Arc<Etcd>,
    prefix: String,
    /// All up to here was told, or is ready.
    position: Revision,
    stream: Option<(usize, WatchStream)>,
    ready: VecDeque<Change>,
    /// Since when no member tells anything.
    silent: Option<Instant>,
}

impl Etcd {
    pub(crate) async fn watch(
        etcd: &Arc<Self>,
        prefix: &str,
        after: Revision,
    ) -> Result<EtcdWatch, ReadError> {
        // A watch of a revision that is not there would only say so later, or never.
        etcd.page(prefix, Some(after), None, 1).await?;
        Ok(EtcdWatch {
            etcd: Arc::clone(etcd),
            prefix: prefix.to_owned(),
            position: after,
            stream: None,
            ready: VecDeque::new(),
            silent: None,
        })
    }
}

impl EtcdWatch {
    pub(crate) fn has_all_up_to(&mut self, revision: Revision) {
        if self.ready.is_empty() {
            self.position = self.position.max(revision);
        }
    }

    pub(crate) async fn next(&mut self) -> Result<Change, ReadError> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Ok(change);
            }
            let failed = match &mut self.stream {
                None => self.open().await.err(),
                Some((_, stream)) => match stream.message().await {
                    Ok(Some(answer)) if !answer.canceled() => {
                        self.take(&answer)?;
                        None
                    }
                    Ok(Some(answer)) if answer.compact_revision() > 0 => {
                        self.stream = None;
                        return Err(ReadError::Compacted);
                    }
                    Ok(Some(answer)) => Some(ended(answer.cancel_reason())),
                    Ok(None) => Some(ended("the stream ended")),
                    Err(error) => Some(judge(error)),
                },
            };
            if let Some(failure) = failed {
                self.move_on(failure).await?;
            }
        }
    }

    /// Leaves a member that does not tell. Says so where none does for long; the next call tries again.
    async fn move_on(&mut self, failure: Failure) -> Result<(), ReadError> {
        let member = self.stream.take().map(|(member, _)| member);
        if let Some(member) = member {
            self.etcd.members.avoid(member);
        }
        let since = *self.silent.get_or_insert_with(Instant::now);
        let late = since.elapsed() >= self.etcd.members.deadline();
        match failure {
            Failure::Silent(_) if !late => {}
            failure => {
                self.silent = None;
                return Err(failure.into_read_error());
            }
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }

    async fn open(&mut self) -> Result<(), Failure> {
        let prefix = format!("{}{}", self.etcd.data, self.prefix);
        let options = WatchOptions::new()
            .with_range(end_of(&prefix))
            .with_start_revision(number(self.position).saturating_add(1));
        let (member, client) = self.etcd.members.preferred();
        let client = client.watch_client();
        let mut client = client.max_decoding_message_size(ANSWER_OCTETS);
        let opening = client.watch(prefix, Some(options));
        let opened = match tokio::time::timeout(self.etcd.members.patience(), opening).await {
            Ok(opened) => opened.map_err(judge),
            Err(_) => Err(ended("no answer")),
        };
        match opened {
            Ok(stream) => {
                self.stream = Some((member, stream));
                Ok(())
            }
            Err(failure) => {
                self.etcd.members.avoid(member);
                Err(failure)
            }
        }
    }

    /// Makes changes of events: one for each revision, which etcd does not tear apart.
    fn take(&mut self, answer: &WatchResponse) -> Result<(), ReadError> {
        self.silent = None;
        let mut changes: Vec<Change> = Vec::new();
        for event in answer.events() {
            let Some(found) = event.kv() else { continue };
            let revision = at(found.mod_revision());
            if revision <= self.position {
                continue;
            }
            let event = match event.event_type() {
                EventType::Put => Event::Put(self.etcd.entry(found)?),
                EventType::Delete => Event::Delete(self.etcd.key(found)?),
            };
            match changes.last_mut().filter(|last| last.revision == revision) {
                Some(last) => last.events.push(event),
                None => changes.push(Change {
                    revision,
                    events: vec![event],
                }),
            }
        }
        if let Some(last) = changes.last() {
            self.position = last.revision;
        }
        self.ready.extend(changes);
        Ok(())
    }
}

/// Why a stream ended without an error.
#[derive(Debug, thiserror::Error)]
#[error("the watch ended: {0}")]
struct Ended(String);

fn ended(why: &str) -> Failure {
    let cause: Cause = Arc::new(Ended(why.to_owned()));
    Failure::Silent(cause)
}
