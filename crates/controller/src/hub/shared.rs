//! What controllers tell each other of their hosts.

use std::sync::Arc;

use rackweave_api::control::NodeReport;
use rackweave_types::NodePrefix;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::host::Heard;
use super::{Encoded, Hub};

/// What a controller knows of a host, as it is kept for the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shared {
    /// The version in which it is written.
    pub(crate) version: u16,
    /// The controller.
    pub(crate) controller: String,
    /// Whether the host listens there.
    pub(crate) connected: bool,
    /// What the host said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<NodeReport>,
    /// When, in milliseconds since 1970.
    #[serde(default)]
    pub(crate) reported_ms: u64,
}

impl Shared {
    /// The version in which it is written.
    const VERSION: u16 = 1;
}

impl<C: Encoded> Hub<C> {
    /// The others do not know the newest of these hosts.
    pub(crate) fn unshare(&mut self, nodes: &[NodePrefix]) {
        self.unshared.extend(nodes);
        self.unshared_told.notify_one();
    }

    /// Tells when there is something that the others do not know.
    pub(crate) fn unshared(&self) -> Arc<Notify> {
        Arc::clone(&self.unshared_told)
    }

    /// Nothing is known to the others: one of them is new.
    pub(crate) fn unshare_all(&mut self) {
        let here = self.hosts.iter().filter(|(_, host)| host.is_here());
        self.unshared.extend(here.map(|(node, _)| *node));
        self.unshared_told.notify_one();
    }

    /// Some of what the others do not know, at most so many; it is taken for told.
    pub(crate) fn share(&mut self, own: &str, most: usize) -> Vec<(NodePrefix, Shared)> {
        let mut told = Vec::new();
        while let Some(node) = self.unshared.pop_first() {
            let Some(host) = self.hosts.get(&node) else {
                continue;
            };
            // What is known of a host that listens elsewhere came from there.
            if host.elsewhere.is_some() {
                continue;
            }
            let heard = host.heard.as_ref();
            let shared = Shared {
                version: Shared::VERSION,
                controller: own.to_owned(),
                connected: host.is_here(),
                report: heard.map(|heard| heard.report.clone()),
                reported_ms: heard.map_or(0, |heard| heard.at_ms),
            };
            told.push((node, shared));
            if told.len() == most {
                break;
            }
        }
        told
    }

    /// Takes in what another controller knows of a host; `digest` is what is planned for it. What a host says here counts
    /// for more.
    pub(crate) fn hear_shared(&mut self, node: NodePrefix, shared: Shared, digest: &str) {
        let host = self.hosts.entry(node).or_default();
        if host.is_here() {
            return;
        }
        host.elsewhere = shared.connected.then_some(shared.controller);
        let before = host.heard.as_ref().map_or(0, |heard| heard.at_ms);
        if let Some(report) = shared.report.filter(|_| shared.reported_ms >= before) {
            host.heard = Some(Heard {
                current: report.digest == digest,
                report,
                at_ms: shared.reported_ms,
            });
            self.settle(node);
        }
    }

    /// Another controller is gone, and nobody listens there.
    pub(crate) fn controller_gone(&mut self, controller: &str) {
        for host in self.hosts.values_mut() {
            if host.elsewhere.as_deref() == Some(controller) {
                host.elsewhere = None;
            }
        }
    }
}
