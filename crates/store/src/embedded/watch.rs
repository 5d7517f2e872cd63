//! Watching: the log is read as the head moves, so that nobody waits for a slow watcher.

use std::collections::VecDeque;

use tokio::sync::watch as channel;

use super::Embedded;
use crate::{Change, ReadError, Revision};

/// A place in the log.
#[derive(Debug)]
pub(crate) struct EmbeddedWatch {
    embedded: Embedded,
    head: channel::Receiver<Revision>,
    prefix: String,
    /// All up to here is told, or ready.
    position: Revision,
    ready: VecDeque<Change>,
}

impl EmbeddedWatch {
    pub(super) fn new(
        embedded: Embedded,
        head: channel::Receiver<Revision>,
        prefix: &str,
        after: Revision,
    ) -> Self {
        Self {
            embedded,
            head,
            prefix: prefix.to_owned(),
            position: after,
            ready: VecDeque::new(),
        }
    }

    pub(crate) async fn next(&mut self) -> Result<Change, ReadError> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Ok(change);
            }
            let after = self.position;
            let ended = &mut self.embedded.ended;
            tokio::select! {
                moved = moved(&mut self.head, after) => moved?,
                // The sender is dropped at the end.
                _ = ended.changed() => return Err(ReadError::Closed),
            }
            let prefix = self.prefix.clone();
            let read = move |snapshot: &super::Snapshot| snapshot.changes(&prefix, after);
            let stretch = self.embedded.read(read).await?;
            self.position = stretch.up_to;
            self.ready.extend(stretch.changes);
        }
    }
}

/// Waits until the head lies beyond a revision.
async fn moved(head: &mut channel::Receiver<Revision>, after: Revision) -> Result<(), ReadError> {
    let beyond = head.wait_for(|head| *head > after).await;
    beyond.map(drop).map_err(|_| ReadError::Closed)
}
