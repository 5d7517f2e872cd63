//! What hosts hear, and what is known of them.

use axum::body::Bytes;
use rackweave_api::control::{NodeReport, NodeStatus, NodeUpdate, RevisionStatus};
use rackweave_control::{EncodedChange, PlanDelta};
use rackweave_types::{Generation, NodePrefix};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::World;
use crate::hub::{Encoded, News};

/// The state that a host says it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its generation.
    pub(crate) generation: Generation,
    /// Its digest.
    pub(crate) digest: String,
}

impl Encoded for EncodedChange {
    fn as_bytes(&self) -> &[u8] {
        Self::as_bytes(self)
    }
}

impl World {
    /// Tells the hosts concerned of a commit.
    pub(super) fn tell_hosts(&mut self, delta: PlanDelta) {
        for node in delta.come.iter().chain(&delta.gone) {
            self.hub.let_go(*node);
        }
        let nodes = delta.nodes.into_iter();
        let news = News {
            generation: delta.generation,
            nodes: nodes.map(|(node, delta)| (node, delta.changes)).collect(),
        };
        let plan = &self.plan;
        self.hub.publish(news, |node| {
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
        Some((line, current, self.hub.listen(node)))
    }

    /// The whole state of a sled or switch.
    fn whole(&self, node: NodePrefix) -> Option<Bytes> {
        match self.plan.host(node) {
            Some(state) => Some(line(&NodeUpdate::<_, ()>::State(state))),
            None => {
                let state = self.plan.switch(node)?;
                Some(line(&NodeUpdate::<_, ()>::State(state)))
            }
        }
    }

    /// Takes in what a host says of itself; false where there is no such host.
    pub(crate) fn report(&mut self, node: NodePrefix, report: NodeReport, now_ms: u64) -> bool {
        let known = self.plan.digest(node).is_some();
        if known {
            self.hub.report(node, report, now_ms);
        }
        known
    }

    /// All hosts.
    pub(crate) fn hosts(&self) -> Vec<NodeStatus> {
        let nodes = self.plan.sleds().chain(self.plan.switches());
        nodes.map(|node| self.hub.status(node)).collect()
    }

    /// How far a commit has come; none where that is not known, or it was not made.
    pub(crate) fn progress(&self, generation: Generation) -> Option<RevisionStatus> {
        let made = generation <= self.intent.head();
        self.hub.progress(generation).filter(|_| made)
    }

    /// Tells when a commit is in force everywhere.
    pub(crate) fn when_settled(&mut self, generation: Generation) -> oneshot::Receiver<()> {
        self.hub.when_settled(generation)
    }
}

fn line<S: Serialize>(update: &NodeUpdate<S, ()>) -> Bytes {
    // A state is texts, numbers and lists: it always has a form in JSON.
    let mut line = serde_json::to_vec(update).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
