//! One host.

use axum::body::Bytes;
use rackweave_api::control::NodeReport;
use rackweave_types::Generation;
use tokio::sync::mpsc;

/// What is known of a host.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// Its streams and polls.
    pub(super) listeners: Vec<mpsc::Sender<Bytes>>,
    /// Up to which commit it was told of what concerns it, and when.
    pub(super) told: Option<(Generation, u64)>,
    /// What it said last.
    pub(super) heard: Option<Heard>,
    /// The other controller at which it listens.
    pub(super) elsewhere: Option<String>,
}

/// What a host said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) report: NodeReport,
    /// When.
    pub(super) at_ms: u64,
    /// Whether the state that it has is the one that is planned for it.
    pub(super) current: bool,
}

impl Host {
    /// Whether it listens here.
    pub(super) fn is_here(&self) -> bool {
        self.listeners.iter().any(|one| !one.is_closed())
    }

    /// The state that it has is not the one that is planned for it any more.
    pub(super) const fn outdated(&mut self) {
        if let Some(heard) = &mut self.heard {
            heard.current = false;
        }
    }
}
