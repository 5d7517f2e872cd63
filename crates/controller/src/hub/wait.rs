//! Those who wait until commits are in force.

use std::collections::BTreeMap;

use rackweave_types::{Generation, NodePrefix};
use tokio::sync::oneshot;

use super::host::Heard;

/// What a host must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// All that concerns it up to this commit.
    Generation(Generation),
    /// The state that is planned for it now.
    Newest,
}

impl Need {
    /// Whether a host that says this has it.
    pub(super) fn is_met(self, heard: &Heard) -> bool {
        match self {
            Self::Generation(generation) => heard.report.generation >= generation,
            Self::Newest => heard.current,
        }
    }
}

/// Somebody who waits for hosts.
#[derive(Debug)]
pub(super) struct Waiting {
    pending: BTreeMap<NodePrefix, Need>,
    tell: Option<oneshot::Sender<()>>,
}

impl Waiting {
    /// Waits for these; none, and it is told at once, where there is nothing to wait for.
    pub(super) fn new(
        pending: BTreeMap<NodePrefix, Need>,
        tell: oneshot::Sender<()>,
    ) -> Option<Self> {
        if pending.is_empty() {
            // Whoever waits may have gone.
            let _gone = tell.send(());
            return None;
        }
        Some(Self {
            pending,
            tell: Some(tell),
        })
    }

    /// Whether nobody waits any more.
    pub(super) fn is_over(&self) -> bool {
        self.tell.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// A host has what it must have, if that is met; whether that was the last one, and it is told.
    pub(super) fn done_with(&mut self, node: NodePrefix, met: impl Fn(Need) -> bool) -> bool {
        let done = self.pending.get(&node).is_some_and(|need| met(*need));
        if done {
            self.pending.remove(&node);
        }
        if self.pending.is_empty()
            && let Some(tell) = self.tell.take()
        {
            let _gone = tell.send(());
        }
        self.is_over()
    }
}
