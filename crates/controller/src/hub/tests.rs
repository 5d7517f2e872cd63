//! The hub, with changes that are texts.

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

fn all() -> impl Iterator<Item = NodePrefix> {
    (1..=2).map(node)
}

impl Hub {
    fn heard(&mut self, last: u8, report: NodeReport, now_ms: u64) -> bool {
        self.report(node(last), report, false, now_ms)
    }

    /// How far one commit has come.
    fn one(&self, generation: u64) -> RevisionStatus {
        let before = Generation::new(generation - 1);
        self.progress(before, before.next(), all())
    }
}

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
    let mut one = hub.listen(node(1), Generation::ZERO, 0);
    let mut two = hub.listen(node(2), Generation::ZERO, 0);
    for (generation, nodes) in [(1, &[1, 2][..]), (2, &[2]), (3, &[1])] {
        hub.publish(news(generation, nodes), 1, digest);
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
    hub.publish(news(11, &[1]), 1, digest);
    assert_eq!(hub.missed(node(1), Generation::new(9), "00"), None);
    assert!(hub.missed(node(1), Generation::new(10), "00").is_some());
    let log = u64::try_from(LOG).unwrap();
    for generation in 12..12 + log {
        hub.publish(news(generation, &[1]), 1, digest);
    }
    assert_eq!(hub.missed(node(1), Generation::new(10), "00"), None);
    assert_eq!(hub.log.len(), LOG);
}

#[test]
fn a_host_that_does_not_read_is_let_go() {
    let mut hub = Hub::default();
    let mut slow = hub.listen(node(1), Generation::ZERO, 0);
    let waiting = u64::try_from(WAITING).unwrap();
    for generation in 1..=waiting + 1 {
        hub.publish(news(generation, &[1]), 1, digest);
    }
    for generation in 1..=waiting {
        assert_eq!(read(&slow.try_recv().unwrap()).0, generation);
    }
    assert_eq!(
        slow.try_recv(),
        Err(mpsc::error::TryRecvError::Disconnected)
    );
    assert!(!hub.status(node(1), "here").connected);
}

#[test]
fn a_change_is_in_force_once_all_concerned_have_said_so() {
    let mut hub = Hub::default();
    hub.publish(news(1, &[1, 2]), 1, digest);
    hub.publish(news(2, &[2]), 1, digest);
    let (none, first) = (Generation::ZERO, Generation::new(1));
    let mut told = hub.when_settled(none, first, all());
    let mut both = hub.when_settled(none, first.next(), all());
    hub.heard(1, report(1), 5);
    let status = hub.one(1);
    assert_eq!((status.concerned, status.pending_count), (2, 1));
    assert_eq!(status.pending, [node(2).to_string()]);
    assert!(told.try_recv().is_err());
    let mut failed = report(1);
    failed.errors.push(ObjectError {
        object: "port 1".to_owned(),
        error: "no such device".to_owned(),
    });
    hub.heard(2, failed, 6);
    assert!(told.try_recv().is_ok());
    let status = hub.one(1);
    assert!(!status.is_done() && status.pending_count == 0);
    assert_eq!(status.errors[0].node, node(2).to_string());
    assert_eq!(hub.status(node(2), "here").reported_ms, Some(6));
    // The second one needs no word of the first host, and the two together need the newest of each.
    assert!(both.try_recv().is_err());
    assert_eq!(hub.one(2).pending_count, 1);
    hub.heard(2, report(2), 7);
    assert!(both.try_recv().is_ok());
    assert!(
        hub.when_settled(none, first.next(), all())
            .try_recv()
            .is_ok()
    );
}

#[test]
fn of_old_changes_it_is_known_that_the_newest_state_has_them() {
    let mut hub = Hub::default();
    hub.reset(Generation::new(10));
    assert_eq!(hub.one(7).pending_count, 2);
    let mut told = hub.when_settled(Generation::new(6), Generation::new(7), all());
    hub.report(node(1), report(3), true, 1);
    hub.heard(2, report(10), 1);
    assert_eq!(hub.one(7).pending, [node(2).to_string()]);
    assert!(told.try_recv().is_err());
    hub.report(node(2), report(2), true, 2);
    assert!(told.try_recv().is_ok());
    // A change makes the newest another one.
    hub.publish(news(11, &[1]), 3, digest);
    assert_eq!(hub.one(7).pending, [node(1).to_string()]);
}

#[test]
fn nobody_waits_for_a_host_that_is_none_any_more() {
    let mut hub = Hub::default();
    hub.publish(news(1, &[1]), 1, digest);
    let mut told = hub.when_settled(Generation::ZERO, Generation::new(1), all());
    hub.forget(node(1));
    assert!(told.try_recv().is_ok());
}

#[test]
fn a_host_with_another_state_is_found() {
    let mut hub = Hub::default();
    let _stream = hub.listen(node(1), Generation::new(4), 0);
    // What it has may be on its way.
    assert!(!hub.heard(1, report(3), LAG_MS));
    assert!(!hub.report(node(1), report(4), true, 1));
    assert_eq!(hub.counts().differences, 0);
    assert!(hub.heard(1, report(4), 1));
    assert!(hub.heard(1, report(3), LAG_MS + 1));
    assert_eq!(hub.counts().differences, 2);
    // Nobody told this one anything.
    assert!(!hub.heard(2, report(4), LAG_MS + 1));
}

#[test]
fn controllers_tell_each_other_what_hosts_say() {
    let (mut left, mut right) = (Hub::default(), Hub::default());
    for hub in [&mut left, &mut right] {
        hub.publish(news(1, &[1]), 1, digest);
    }
    let stream = left.listen(node(1), Generation::new(1), 0);
    left.heard(1, report(1), 5);
    let tell = |from: &mut Hub, to: &mut Hub| {
        let told = from.share("left", 10);
        for (node, shared) in &told {
            to.hear_shared(*node, shared.clone(), "00");
        }
        told.len()
    };
    let mut settled = right.when_settled(Generation::ZERO, Generation::new(1), all());
    assert_eq!(tell(&mut left, &mut right), 1);
    assert!(settled.try_recv().is_ok());
    assert_eq!(tell(&mut left, &mut right), 0);
    let seen = right.status(node(1), "right");
    assert_eq!(
        (seen.connected, seen.controller.as_deref()),
        (true, Some("left"))
    );
    // What was heard from the other is not told on.
    assert_eq!(right.share("right", 10), []);
    drop(stream);
    left.left(node(1));
    assert_eq!(tell(&mut left, &mut right), 1);
    assert!(!right.status(node(1), "right").connected);
    // It comes here, and what the other one knew counts no more.
    let _stream = right.listen(node(1), Generation::new(1), 9);
    right.heard(1, report(1), 9);
    left.unshare_all();
    left.unshare(&[node(1)]);
    tell(&mut left, &mut right);
    let seen = right.status(node(1), "right");
    assert_eq!(
        (seen.controller.as_deref(), seen.reported_ms),
        (Some("right"), Some(9))
    );
    // A controller that dies takes its connections along.
    let (_, told) = right.share("right", 10).remove(0);
    left.hear_shared(node(1), told, "00");
    assert!(left.status(node(1), "left").connected);
    left.controller_gone("right");
    assert!(!left.status(node(1), "left").connected);
}
