//! What hosts hear, and what is known of them.

use std::sync::Arc;

use axum::body::Bytes;
use rackweave_api::control::{NodeReport, NodeStatus, NodeUpdate, RevisionStatus};
use rackweave_control::{EncodedChange, PlanDelta};
use rackweave_linux::clock;
use rackweave_types::{Generation, NodePrefix};
use serde::Serialize;
use tokio::sync::{Notify, mpsc, oneshot};

use super::World;
use crate::hub::{Counts, Encoded, News, Shared};

/// The state that a host says it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its generation.
    pub(crate) generation: Generation,
    /// Its digest.
    pub(crate) digest: String,
}

/// What collectors read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// The last change that was made.
    pub(crate) revision: u64,
    /// Objects.
    pub(crate) objects: usize,
    /// Sleds and switches.
    pub(crate) hosts: usize,
    /// Those that listen here.
    pub(crate) here: usize,
    /// Those that have not said that they have the newest state.
    pub(crate) behind: usize,
    /// What hosts could not put into force.
    pub(crate) errors: usize,
    /// What is counted of hosts.
    pub(crate) counts: Counts,
    /// What the feed of the store has seen.
    pub(crate) feed: rackweave_store::Counts,
}

impl Encoded for EncodedChange {
    fn as_bytes(&self) -> &[u8] {
        Self::as_bytes(self)
    }
}

impl World {
    /// Tells the hosts concerned of a commit.
    pub(super) fn tell_hosts(&mut self, delta: PlanDelta) {
        for node in &delta.come {
            self.hub.let_go(*node);
        }
        for node in &delta.gone {
            self.hub.let_go(*node);
            self.hub.forget(*node);
        }
        let nodes = delta.nodes.into_iter();
        let news = News {
            generation: delta.generation,
            nodes: nodes.map(|(node, delta)| (node, delta.changes)).collect(),
        };
        let plan = &self.plan;
        self.hub.publish(news, clock::unix_millis(), |node| {
            plan.digest(node)
                .map_or_else(String::new, |digest| digest.to_string())
        });
    }

    /// What brings a host from what it knows to the newest state, a line of JSON, and whether that is nothing; and what
    /// follows. None where there is no such host.
    pub(crate) fn host(
        &mut self,
        node: NodePrefix,
        known: Option<&Known>,
    ) -> Option<(Bytes, bool, mpsc::Receiver<Bytes>)> {
        let digest = self.plan.digest(node)?.to_string();
        let current = known.is_some_and(|known| known.digest == digest);
        let line = if current {
            let generation = self.plan.head();
            line(&NodeUpdate::<(), ()>::Current { generation })
        } else {
            let missed = known.and_then(|known| self.hub.missed(node, known.generation, &digest));
            match missed {
                Some(missed) => missed,
                None => self.whole(node)?,
            }
        };
        let changes = self
            .hub
            .listen(node, self.plan.head(), clock::unix_millis());
        Some((line, current, changes))
    }

    /// A host's stream has ended.
    pub(crate) fn left(&mut self, node: NodePrefix) {
        self.hub.left(node);
    }

    /// The whole state of a sled or switch.
    fn whole(&mut self, node: NodePrefix) -> Option<Bytes> {
        self.hub.whole_told();
        if let Some(state) = self.plan.host(node) {
            return Some(line(&NodeUpdate::<_, ()>::State(state)));
        }
        let state = self.plan.switch(node)?;
        Some(line(&NodeUpdate::<_, ()>::State(state)))
    }

    /// Takes in what a host says of itself; false where there is no such host. One that has heard everything and has
    /// another state than the planned one is told all of it again.
    pub(crate) fn report(&mut self, node: NodePrefix, report: NodeReport, now_ms: u64) -> bool {
        let Some(planned) = self.plan.digest(node) else {
            return false;
        };
        let (generation, found) = (report.generation, report.digest.clone());
        let current = found == planned.to_string();
        if self.hub.report(node, report, current, now_ms) {
            tracing::warn!(%node, %generation, found, %planned, "a host has another state than the planned one");
            let told = self
                .whole(node)
                .is_some_and(|line| self.hub.whisper(node, &line));
            if !told {
                self.hub.let_go(node);
            }
        }
        true
    }

    /// All hosts.
    pub(crate) fn hosts(&self) -> Vec<NodeStatus> {
        self.nodes()
            .map(|node| self.hub.status(node, &self.name))
            .collect()
    }

    fn nodes(&self) -> impl Iterator<Item = NodePrefix> + use<'_> {
        self.plan.sleds().chain(self.plan.switches())
    }

    /// How far the commits after `since` up to `until` have come; none where they were not made.
    pub(crate) fn progress(&self, since: Generation, until: Generation) -> Option<RevisionStatus> {
        let made = until <= self.intent.head();
        made.then(|| self.hub.progress(since, until, self.nodes()))
    }

    /// Tells when the commits after `since` up to `until` are in force everywhere.
    pub(crate) fn when_settled(
        &mut self,
        since: Generation,
        until: Generation,
    ) -> oneshot::Receiver<()> {
        let nodes = self.plan.sleds().chain(self.plan.switches());
        self.hub.when_settled(since, until, nodes)
    }

    /// What collectors read.
    pub(crate) fn figures(&self) -> Figures {
        let (errors, behind) = self.hub.troubles(self.nodes());
        Figures {
            revision: self.intent.head().get(),
            objects: self.intent.len(),
            hosts: self.nodes().count(),
            here: self.hub.here(),
            behind,
            errors,
            counts: self.hub.counts(),
            feed: self.feed.counts(),
        }
    }

    /// The others do not know the newest of these hosts.
    pub(crate) fn unshare(&mut self, nodes: &[NodePrefix]) {
        self.hub.unshare(nodes);
    }

    /// What the other controllers are to be told of hosts, at most of so many.
    pub(crate) fn share(&mut self, most: usize) -> Vec<(NodePrefix, Shared)> {
        self.hub.share(&self.name, most)
    }

    /// The other controllers know nothing yet.
    pub(crate) fn unshare_all(&mut self) {
        self.hub.unshare_all();
    }

    /// Tells when there is something to tell the others.
    pub(crate) fn unshared(&self) -> Arc<Notify> {
        self.hub.unshared()
    }

    /// Takes in what another controller knows of a host.
    pub(crate) fn hear_shared(&mut self, node: NodePrefix, shared: Shared) {
        if shared.controller == self.name {
            return;
        }
        if let Some(digest) = self.plan.digest(node) {
            self.hub.hear_shared(node, shared, &digest.to_string());
        }
    }

    /// Another controller is gone.
    pub(crate) fn controller_gone(&mut self, controller: &str) {
        self.hub.controller_gone(controller);
    }
}

fn line<S: Serialize>(update: &NodeUpdate<S, ()>) -> Bytes {
    // A state is texts, numbers and lists: it always has a form in JSON.
    let mut line = serde_json::to_vec(update).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
