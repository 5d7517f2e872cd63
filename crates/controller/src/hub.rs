//! What hosts hear of changes, and what they say of them.
//!
//! Each change is encoded once, by the planner; a host hears the changes that concern it, as one delta for each commit.
//! The last [`LOG`] commits are kept, so that a host that was away for a while hears what it missed; who was away for
//! longer hears its whole state. A host that does not read is let go: it comes again and says where it stands.
//!
//! Where there are several controllers, each tells the others what its hosts say ([`Shared`]): a change is known to be in
//! force whichever controller one asks.

mod host;
mod shared;
mod wait;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use axum::body::Bytes;
use rackweave_api::control::{HostError, NodeReport, NodeStatus, Revision, RevisionStatus};
use rackweave_types::state::StateVersion;
use rackweave_types::{Generation, NodePrefix};
use tokio::sync::{Notify, mpsc, oneshot};

use self::host::{Heard, Host};
pub(crate) use self::shared::Shared;
use self::wait::{Need, Waiting};

/// Commits whose deltas are kept.
const LOG: usize = 4096;
/// Deltas that wait for a host that reads slowly.
const WAITING: usize = 64;
/// Hosts that are named where a change has not come everywhere.
const NAMED: usize = 100;
/// For how long a host may lag behind what it was told, in milliseconds, until it is told everything.
const LAG_MS: u64 = 60_000;

/// A change of an object as hosts get it; a clone is the same octets.
pub(crate) trait Encoded {
    /// As JSON.
    fn as_bytes(&self) -> &[u8];
}

/// What the hosts are told of one commit.
#[derive(Clone, Debug)]
pub(crate) struct News<C> {
    /// The commit.
    pub(crate) generation: Generation,
    /// What has changed for whom.
    pub(crate) nodes: BTreeMap<NodePrefix, Vec<C>>,
}

/// What is counted of hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Deltas that were told.
    pub(crate) deltas: u64,
    /// Whole states that were told.
    pub(crate) wholes: u64,
    /// Reports that were heard.
    pub(crate) reports: u64,
    /// Hosts that had another state than was planned for them.
    pub(crate) differences: u64,
    /// Hosts that did not read.
    pub(crate) slow: u64,
}

/// All hosts.
#[derive(Debug)]
pub(crate) struct Hub<C> {
    log: VecDeque<News<C>>,
    /// The commit before the first one of the log.
    floor: Generation,
    hosts: BTreeMap<NodePrefix, Host>,
    waiting: Vec<Waiting>,
    counts: Counts,
    /// Hosts of which the other controllers do not know the newest.
    unshared: BTreeSet<NodePrefix>,
    unshared_told: Arc<Notify>,
}

impl<C> Default for Hub<C> {
    fn default() -> Self {
        Self {
            log: VecDeque::new(),
            floor: Generation::ZERO,
            hosts: BTreeMap::new(),
            waiting: Vec::new(),
            counts: Counts::default(),
            unshared: BTreeSet::new(),
            unshared_told: Arc::default(),
        }
    }
}

impl<C: Encoded> Hub<C> {
    /// Begins anew: what came before this commit is not known.
    pub(crate) fn reset(&mut self, head: Generation) {
        self.log.clear();
        self.floor = head;
        for host in self.hosts.values_mut() {
            host.listeners.clear();
            host.outdated();
        }
        // Whoever waits is told what is known then.
        self.waiting.clear();
    }

    /// Tells the hosts concerned; `digest` tells what each one's state comes to.
    pub(crate) fn publish(
        &mut self,
        news: News<C>,
        now_ms: u64,
        digest: impl Fn(NodePrefix) -> String,
    ) {
        for (node, changes) in &news.nodes {
            let Some(host) = self.hosts.get_mut(node) else {
                continue;
            };
            host.outdated();
            if host.listeners.is_empty() {
                continue;
            }
            host.told = Some((news.generation, now_ms));
            let line = delta(news.generation, changes.iter(), &digest(*node));
            let before = host.listeners.len();
            host.listeners
                .retain(|listener| listener.try_send(line.clone()).is_ok());
            self.counts.deltas += count(host.listeners.len());
            self.counts.slow += count(before - host.listeners.len());
        }
        self.log.push_back(news);
        while self.log.len() > LOG {
            if let Some(old) = self.log.pop_front() {
                self.floor = old.generation;
            }
        }
    }

    /// Lets a host go: it has to ask where it stands.
    pub(crate) fn let_go(&mut self, node: NodePrefix) {
        if let Some(host) = self.hosts.get_mut(&node) {
            host.listeners.clear();
        }
    }

    /// Forgets a host: nobody waits for it any more.
    pub(crate) fn forget(&mut self, node: NodePrefix) {
        self.hosts.remove(&node);
        self.done_with(node, |_| true);
    }

    /// What a host has missed since a commit, as a delta; none where that is not known any more.
    pub(crate) fn missed(
        &mut self,
        node: NodePrefix,
        since: Generation,
        digest: &str,
    ) -> Option<Bytes> {
        let newest = self.log.back().map_or(self.floor, |news| news.generation);
        if since < self.floor || since > newest {
            return None;
        }
        let after = self.log.range(self.place_after(since)..);
        let changes = after.filter_map(|news| news.nodes.get(&node)).flatten();
        let line = delta(newest, changes, digest);
        self.counts.deltas += 1;
        Some(line)
    }

    /// A host is told its whole state.
    pub(crate) const fn whole_told(&mut self) {
        self.counts.wholes += 1;
    }

    /// Tells a host of changes from now on; it is just told all up to this commit.
    pub(crate) fn listen(
        &mut self,
        node: NodePrefix,
        head: Generation,
        now_ms: u64,
    ) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let host = self.hosts.entry(node).or_default();
        host.listeners.retain(|listener| !listener.is_closed());
        host.listeners.push(sender);
        host.told = Some((head, now_ms));
        host.elsewhere = None;
        self.unshare(&[node]);
        receiver
    }

    /// A host has perhaps gone.
    pub(crate) fn left(&mut self, node: NodePrefix) {
        if let Some(host) = self.hosts.get_mut(&node) {
            host.listeners.retain(|listener| !listener.is_closed());
            if host.listeners.is_empty() {
                self.unshare(&[node]);
            }
        }
    }

    /// Tells one host something that is no change; false where it does not listen.
    pub(crate) fn whisper(&mut self, node: NodePrefix, line: &Bytes) -> bool {
        let host = self.hosts.get_mut(&node);
        let mut listeners = host.into_iter().flat_map(|host| &host.listeners);
        listeners.any(|listener| listener.try_send(line.clone()).is_ok())
    }

    /// Takes in what a host says of itself; `current` says whether that is the state that is planned for it. True where
    /// it has heard everything and yet has another state, or has done nothing with it for long: it is to be told all.
    pub(crate) fn report(
        &mut self,
        node: NodePrefix,
        report: NodeReport,
        current: bool,
        now_ms: u64,
    ) -> bool {
        self.counts.reports += 1;
        let generation = report.generation;
        let host = self.hosts.entry(node).or_default();
        let differs = !current
            && host
                .told
                .is_some_and(|(told, at)| generation >= told || now_ms.saturating_sub(at) > LAG_MS);
        let heard = Heard {
            report,
            at_ms: now_ms,
            current,
        };
        let news = host
            .heard
            .as_ref()
            .is_none_or(|before| before.report != heard.report);
        host.heard = Some(heard);
        if news {
            self.unshare(&[node]);
        }
        self.settle(node);
        self.counts.differences += u64::from(differs);
        differs
    }

    /// What is known of a host.
    pub(crate) fn status(&self, node: NodePrefix, own: &str) -> NodeStatus {
        let host = self.hosts.get(&node);
        let heard = host.and_then(|host| host.heard.as_ref());
        let here = host.is_some_and(Host::is_here);
        let controller = if here {
            Some(own.to_owned())
        } else {
            host.and_then(|host| host.elsewhere.clone())
        };
        NodeStatus {
            node: node.to_string(),
            connected: controller.is_some(),
            controller,
            report: heard.map(|heard| heard.report.clone()),
            reported_ms: heard.map(|heard| heard.at_ms),
        }
    }

    /// Hosts that listen here.
    pub(crate) fn here(&self) -> usize {
        self.hosts.values().filter(|host| host.is_here()).count()
    }

    /// What hosts could not put into force, of these hosts; and how many of them have not said that they have the newest
    /// state.
    pub(crate) fn troubles(&self, all: impl Iterator<Item = NodePrefix>) -> (usize, usize) {
        let heard = |node| self.hosts.get(&node).and_then(|host| host.heard.as_ref());
        all.fold((0, 0), |(errors, behind), node| match heard(node) {
            Some(heard) => {
                let late = usize::from(!heard.current);
                (errors + heard.report.errors.len(), behind + late)
            }
            None => (errors, behind + 1),
        })
    }

    /// What is counted.
    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether the commits after `since` up to `until` are known one by one.
    fn knows(&self, since: Generation) -> bool {
        since >= self.floor
    }

    /// Where in the log commits after this one stand.
    fn place_after(&self, since: Generation) -> usize {
        self.log.partition_point(|news| news.generation <= since)
    }

    /// Whom commits concern, and what each host must have. Of commits that are not known any more it is known that
    /// whoever has the newest state has them too.
    fn needs(
        &self,
        since: Generation,
        until: Generation,
        all: impl Iterator<Item = NodePrefix>,
    ) -> BTreeMap<NodePrefix, Need> {
        if !self.knows(since) {
            return all.map(|node| (node, Need::Newest)).collect();
        }
        let range = self.place_after(since)..self.place_after(until);
        let mut needs = BTreeMap::new();
        for news in self.log.range(range) {
            let nodes = news.nodes.keys();
            needs.extend(nodes.map(|node| (*node, Need::Generation(news.generation))));
        }
        needs
    }

    fn has(&self, node: NodePrefix, need: Need) -> Option<&Heard> {
        let heard = self.hosts.get(&node)?.heard.as_ref()?;
        need.is_met(heard).then_some(heard)
    }

    /// How far commits have come: those after `since` up to `until`; `all` are all hosts.
    pub(crate) fn progress(
        &self,
        since: Generation,
        until: Generation,
        all: impl Iterator<Item = NodePrefix>,
    ) -> RevisionStatus {
        let needs = self.needs(since, until, all);
        let mut status = RevisionStatus {
            revision: Revision(until.get()),
            concerned: needs.len(),
            pending: Vec::new(),
            pending_count: 0,
            errors: Vec::new(),
        };
        for (node, need) in needs {
            let Some(heard) = self.has(node, need) else {
                status.pending_count += 1;
                if status.pending.len() < NAMED {
                    status.pending.push(node.to_string());
                }
                continue;
            };
            let errors = heard.report.errors.iter().map(|error| HostError {
                node: node.to_string(),
                error: error.clone(),
            });
            status.errors.extend(errors);
        }
        status
    }

    /// Tells when the commits after `since` up to `until` are in force everywhere.
    pub(crate) fn when_settled(
        &mut self,
        since: Generation,
        until: Generation,
        all: impl Iterator<Item = NodePrefix>,
    ) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        let mut pending = self.needs(since, until, all);
        pending.retain(|node, need| self.has(*node, *need).is_none());
        self.waiting.retain(|waiting| !waiting.is_over());
        self.waiting.extend(Waiting::new(pending, tell));
        told
    }

    /// A host has said something: tells those who waited for it alone.
    fn settle(&mut self, node: NodePrefix) {
        let heard = self.hosts.get(&node).and_then(|host| host.heard.clone());
        if let Some(heard) = heard {
            self.done_with(node, |need| need.is_met(&heard));
        }
    }

    fn done_with(&mut self, node: NodePrefix, met: impl Fn(Need) -> bool) {
        self.waiting
            .retain_mut(|waiting| !waiting.done_with(node, &met));
    }
}

/// A number of things as counters have it.
fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A delta as hosts read it, a line of JSON: `NodeUpdate::Delta`.
fn delta<'a, C: Encoded + 'a>(
    generation: Generation,
    changes: impl Iterator<Item = &'a C>,
    digest: &str,
) -> Bytes {
    let mut line = br#"{"delta":{"delta":"#.to_vec();
    write_changes(&mut line, generation, changes);
    line.extend_from_slice(format!(r#","digest":"{digest}"}}}}"#).as_bytes());
    line.push(b'\n');
    line.into()
}

/// A question as hosts read it, a line of JSON: `NodeUpdate::Preview`.
pub(crate) fn question<'a, C: Encoded + 'a>(
    id: &str,
    generation: Generation,
    changes: impl Iterator<Item = &'a C>,
) -> Bytes {
    let mut line = format!(r#"{{"preview":{{"id":"{id}","delta":"#).into_bytes();
    write_changes(&mut line, generation, changes);
    line.extend_from_slice(b"}}\n");
    line.into()
}

/// Changes as a `StateDelta`.
fn write_changes<'a, C: Encoded + 'a>(
    line: &mut Vec<u8>,
    generation: Generation,
    changes: impl Iterator<Item = &'a C>,
) {
    let version = StateVersion::CURRENT.get();
    let head = format!(r#"{{"version":{version},"generation":{generation},"changes":["#);
    line.extend_from_slice(head.as_bytes());
    for (at, change) in changes.enumerate() {
        if at > 0 {
            line.push(b',');
        }
        line.extend_from_slice(change.as_bytes());
    }
    line.extend_from_slice(b"]}");
}

#[cfg(test)]
mod tests;
