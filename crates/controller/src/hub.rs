//! What hosts hear of changes, and what they say of them.
//!
//! Each change is encoded once, by the planner; a host hears the changes that concern it, as one delta for each commit.
//! The last [`LOG`] commits are kept, so that a host that was away for a while hears what it missed; who was away for
//! longer hears its whole state. A host that does not read is let go: it comes again and says where it stands.

use std::collections::{BTreeMap, VecDeque};

use axum::body::Bytes;
use rackweave_api::control::{HostError, NodeReport, NodeStatus, Revision, RevisionStatus};
use rackweave_types::state::StateVersion;
use rackweave_types::{Generation, NodePrefix};
use tokio::sync::{mpsc, oneshot};

/// Commits whose deltas are kept.
const LOG: usize = 4096;
/// Deltas that wait for a host that reads slowly.
const WAITING: usize = 64;
/// Hosts that are named where a change has not come everywhere.
const NAMED: usize = 100;

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

/// All hosts.
#[derive(Debug)]
pub(crate) struct Hub<C> {
    log: VecDeque<News<C>>,
    /// The commit before the first one of the log.
    floor: Generation,
    hosts: BTreeMap<NodePrefix, Host>,
    waiting: Vec<Waiting>,
}

#[derive(Debug, Default)]
struct Host {
    listeners: Vec<mpsc::Sender<Bytes>>,
    report: Option<(NodeReport, u64)>,
}

/// Somebody waits until a commit is in force everywhere.
#[derive(Debug)]
struct Waiting {
    generation: Generation,
    tell: oneshot::Sender<()>,
}

impl<C> Default for Hub<C> {
    fn default() -> Self {
        Self {
            log: VecDeque::new(),
            floor: Generation::ZERO,
            hosts: BTreeMap::new(),
            waiting: Vec::new(),
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
        }
    }

    /// Tells the hosts concerned; `digest` tells what each one's state comes to.
    pub(crate) fn publish(&mut self, news: News<C>, digest: impl Fn(NodePrefix) -> String) {
        for (node, changes) in &news.nodes {
            let Some(host) = self.hosts.get_mut(node) else {
                continue;
            };
            if host.listeners.is_empty() {
                continue;
            }
            let line = delta(news.generation, changes.iter(), &digest(*node));
            host.listeners
                .retain(|listener| listener.try_send(line.clone()).is_ok());
        }
        self.log.push_back(news);
        while self.log.len() > LOG {
            if let Some(old) = self.log.pop_front() {
                self.floor = old.generation;
            }
        }
        self.settle();
    }

    /// Lets a host go: it has to ask where it stands.
    pub(crate) fn let_go(&mut self, node: NodePrefix) {
        if let Some(host) = self.hosts.get_mut(&node) {
            host.listeners.clear();
        }
    }

    /// What a host has missed since a commit, as a delta; none where that is not known any more.
    pub(crate) fn missed(
        &self,
        node: NodePrefix,
        since: Generation,
        digest: &str,
    ) -> Option<Bytes> {
        let newest = self.log.back().map_or(self.floor, |news| news.generation);
        if since < self.floor || since > newest {
            return None;
        }
        let after = self.log.iter().filter(|news| news.generation > since);
        let changes = after.filter_map(|news| news.nodes.get(&node)).flatten();
        Some(delta(newest, changes, digest))
    }

    /// Tells a host of changes from now on.
    pub(crate) fn listen(&mut self, node: NodePrefix) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let host = self.hosts.entry(node).or_default();
        host.listeners.retain(|listener| !listener.is_closed());
        host.listeners.push(sender);
        receiver
    }

    /// Takes in what a host says of itself.
    pub(crate) fn report(&mut self, node: NodePrefix, report: NodeReport, now_ms: u64) {
        self.hosts.entry(node).or_default().report = Some((report, now_ms));
        self.settle();
    }

    /// What is known of a host.
    pub(crate) fn status(&self, node: NodePrefix) -> NodeStatus {
        let host = self.hosts.get(&node);
        let open = |host: &Host| host.listeners.iter().any(|one| !one.is_closed());
        let report = host.and_then(|host| host.report.as_ref());
        NodeStatus {
            node: node.to_string(),
            connected: host.is_some_and(open),
            report: report.map(|(report, _)| report.clone()),
            reported_ms: report.map(|(_, at)| *at),
        }
    }

    /// How far a commit has come; none where that is not known any more.
    pub(crate) fn progress(&self, generation: Generation) -> Option<RevisionStatus> {
        if generation <= self.floor && generation != Generation::ZERO {
            return None;
        }
        let news = self.log.iter().find(|news| news.generation == generation);
        let concerned = news.map(|news| news.nodes.keys()).into_iter().flatten();
        let mut status = RevisionStatus {
            revision: Revision(generation.get()),
            concerned: 0,
            pending: Vec::new(),
            pending_count: 0,
            errors: Vec::new(),
        };
        for node in concerned {
            status.concerned += 1;
            let report = self.hosts.get(node).and_then(|host| host.report.as_ref());
            match report {
                Some((report, _)) if report.generation >= generation => {
                    let errors = report.errors.iter().map(|error| HostError {
                        node: node.to_string(),
                        error: error.clone(),
                    });
                    status.errors.extend(errors);
                }
                _ => {
                    status.pending_count += 1;
                    if status.pending.len() < NAMED {
                        status.pending.push(node.to_string());
                    }
                }
            }
        }
        Some(status)
    }

    /// Tells when a commit is in force everywhere.
    pub(crate) fn when_settled(&mut self, generation: Generation) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        self.waiting.retain(|waiting| !waiting.tell.is_closed());
        self.waiting.push(Waiting { generation, tell });
        self.settle();
        told
    }

    /// Tells those who wait for what is in force now.
    fn settle(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for one in waiting {
            let status = self.progress(one.generation);
            if status.is_none_or(|status| status.pending_count == 0) {
                // Whoever waited may have gone.
                let _gone = one.tell.send(());
            } else {
                self.waiting.push(one);
            }
        }
    }
}

/// A delta as hosts read it, a line of JSON: `NodeUpdate::Delta`.
fn delta<'a, C: Encoded + 'a>(
    generation: Generation,
    changes: impl Iterator<Item = &'a C>,
    digest: &str,
) -> Bytes {
    let version = StateVersion::CURRENT.get();
    let head = format!(
        r#"{{"delta":{{"delta":{{"version":{version},"generation":{generation},"changes":["#
    );
    let mut line = head.into_bytes();
    for (at, change) in changes.enumerate() {
        if at > 0 {
            line.push(b',');
        }
        line.extend_from_slice(change.as_bytes());
    }
    line.extend_from_slice(format!(r#"]}},"digest":"{digest}"}}}}"#).as_bytes());
    line.push(b'\n');
    line.into()
}

#[cfg(test)]
mod tests {
    use rackweave_api::control::{NodeUpdate, ObjectError};
    use serde_json::Value;

    use super::*;

    #[derive(Clone, Debug)]
    struct Text(String);

    impl Encoded for Text {
        fn as_bytes(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }

    type Hub = super::Hub<Text>;

    fn node(last: u8) -> NodePrefix {
        format!("fd00:1:2:1{last:02x}::/64").parse().unwrap()
    }

    fn news(generation: u64, nodes: &[u8]) -> News<Text> {
        let change = Text(format!(r#"{{"n":{generation}}}"#));
        News {
            generation: Generation::new(generation),
            nodes: nodes
                .iter()
                .map(|last| (node(*last), vec![change.clone()]))
                .collect(),
        }
    }

    fn report(generation: u64) -> NodeReport {
        NodeReport {
            generation: Generation::new(generation),
            digest: String::new(),
            errors: Vec::new(),
            program: "test".to_owned(),
        }
    }

    fn read(line: &[u8]) -> (u64, Vec<u64>) {
        match serde_json::from_slice(line).unwrap() {
            NodeUpdate::<Value, Value>::Delta { delta, .. } => {
                let numbers = delta["changes"].as_array().unwrap().iter();
                let numbers = numbers.map(|change| change["n"].as_u64().unwrap());
                (delta["generation"].as_u64().unwrap(), numbers.collect())
            }
            other => panic!("no delta: {other:?}"),
        }
    }

    fn digest(_: NodePrefix) -> String {
        "00".to_owned()
    }

    #[test]
    fn hosts_hear_what_concerns_them_and_what_they_missed() {
        let mut hub = Hub::default();
        let mut one = hub.listen(node(1));
        let mut two = hub.listen(node(2));
        for (generation, nodes) in [(1, &[1, 2][..]), (2, &[2]), (3, &[1])] {
            hub.publish(news(generation, nodes), digest);
        }
        assert_eq!(read(&one.try_recv().unwrap()), (1, vec![1]));
        assert_eq!(read(&one.try_recv().unwrap()), (3, vec![3]));
        assert!(one.try_recv().is_err());
        assert_eq!(read(&two.try_recv().unwrap()), (1, vec![1]));
        let missed = hub.missed(node(2), Generation::new(1), "00").unwrap();
        assert_eq!(read(&missed), (3, vec![2]));
        let nothing = hub.missed(node(3), Generation::ZERO, "00").unwrap();
        assert_eq!(read(&nothing), (3, Vec::new()));
        assert_eq!(hub.missed(node(1), Generation::new(4), "00"), None);
    }

    #[test]
    fn what_is_not_known_any_more_is_not_told_in_part() {
        let mut hub = Hub::default();
        hub.reset(Generation::new(10));
        hub.publish(news(11, &[1]), digest);
        assert_eq!(hub.missed(node(1), Generation::new(9), "00"), None);
        assert!(hub.missed(node(1), Generation::new(10), "00").is_some());
        assert_eq!(hub.progress(Generation::new(10)), None);
        let log = u64::try_from(LOG).unwrap();
        for generation in 12..12 + log {
            hub.publish(news(generation, &[1]), digest);
        }
        assert_eq!(hub.missed(node(1), Generation::new(10), "00"), None);
        assert_eq!(hub.log.len(), LOG);
    }

    #[test]
    fn a_host_that_does_not_read_is_let_go() {
        let mut hub = Hub::default();
        let mut slow = hub.listen(node(1));
        let waiting = u64::try_from(WAITING).unwrap();
        for generation in 1..=waiting + 1 {
            hub.publish(news(generation, &[1]), digest);
        }
        for generation in 1..=waiting {
            assert_eq!(read(&slow.try_recv().unwrap()).0, generation);
        }
        assert_eq!(
            slow.try_recv(),
            Err(mpsc::error::TryRecvError::Disconnected)
        );
        assert!(!hub.status(node(1)).connected);
    }

    #[test]
    fn a_change_is_in_force_once_all_concerned_have_said_so() {
        let mut hub = Hub::default();
        hub.publish(news(1, &[1, 2]), digest);
        hub.publish(news(2, &[2]), digest);
        let mut told = hub.when_settled(Generation::new(1));
        hub.report(node(1), report(1), 5);
        let status = hub.progress(Generation::new(1)).unwrap();
        assert_eq!((status.concerned, status.pending_count), (2, 1));
        assert_eq!(status.pending, [node(2).to_string()]);
        assert!(told.try_recv().is_err());
        let mut failed = report(2);
        failed.errors.push(ObjectError {
            object: "port 1".to_owned(),
            error: "no such device".to_owned(),
        });
        hub.report(node(2), failed, 6);
        assert!(told.try_recv().is_ok());
        let status = hub.progress(Generation::new(1)).unwrap();
        assert!(!status.is_done() && status.pending_count == 0);
        assert_eq!(status.errors[0].node, node(2).to_string());
        assert_eq!(hub.status(node(2)).reported_ms, Some(6));
    }
}
