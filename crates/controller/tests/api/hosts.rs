//! Hosts: what they hear is what is planned for them, and a change is known to be in force.

use std::time::Duration;

use crate::common::{Controller, make, prefix, refused, status};
use rackweave_api::control::{NodeReport, NodeUpdate, REVISION, RevisionStatus};
use rackweave_api::http::{Client, Lines};
use rackweave_types::state::{HostState, StateDelta};
use serde_json::json;

type Update = NodeUpdate<HostState, StateDelta>;

/// A host that follows its stream.
struct Host {
    client: Client,
    path: String,
    lines: Lines<Update>,
    state: HostState,
}

impl Host {
    async fn join(controller: &Controller, sled: u8) -> Self {
        let client = controller.operator.clone();
        let path = format!("/v1/nodes/{}", prefix(sled).replace("/64", ""));
        let stream = client.get(&format!("{path}/stream"));
        let mut lines = stream.lines::<Update>().await.unwrap();
        match next(&mut lines).await {
            NodeUpdate::State(state) => Self {
                client,
                path,
                lines,
                state,
            },
            other => panic!("not the whole state: {other:?}"),
        }
    }

    /// Goes along with the next change.
    async fn follow(&mut self) {
        match next(&mut self.lines).await {
            NodeUpdate::Delta { delta, digest } => {
                self.state.apply(delta).unwrap();
                assert_eq!(self.state.digest().to_string(), digest);
            }
            other => panic!("no change: {other:?}"),
        }
    }

    /// What it would be told if it knew nothing.
    async fn planned(&self) -> HostState {
        let call = self.client.get(&format!("{}/state", self.path));
        match call.answer::<Update>().await.unwrap().body {
            NodeUpdate::State(state) => state,
            other => panic!("not the whole state: {other:?}"),
        }
    }

    async fn report(&self) {
        let report = NodeReport {
            generation: self.state.generation,
            digest: self.state.digest().to_string(),
            errors: Vec::new(),
            program: "test".to_owned(),
        };
        let call = self.client.post(&format!("{}/report", self.path));
        call.json(&report).done().await.unwrap();
    }
}

async fn next(lines: &mut Lines<Update>) -> Update {
    let next = tokio::time::timeout(crate::common::PATIENCE, lines.next()).await;
    next.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn what_hosts_hear_is_what_is_planned() {
    let controller = Controller::start().await;
    controller.fleet(2).await;
    controller.project("shop", 1, 1).await;
    let mut host = Host::join(&controller, 1).await;
    assert_eq!(host.state.ports.len(), 1);
    let rules = "/v1/projects/shop/vpcs/prod/firewall-rules";
    let rule = json!({"priority": 10, "direction": "in", "action": "allow"});
    let made = make(&controller.operator, rules, "all", rule).await;
    let revision = made.header(REVISION).unwrap().to_owned();
    host.follow().await;
    let planned = host.planned().await;
    assert_eq!(host.state.vpcs, planned.vpcs);
    assert_eq!(host.state, planned);

    // It is in force once the one host that it concerns has said so.
    let path = format!("/v1/revisions/{revision}");
    let ask = |wait: u64| {
        let call = controller.operator.get(&path).query("wait_s", wait);
        call.answer::<RevisionStatus>()
    };
    let before = ask(0).await.unwrap().body;
    assert_eq!((before.concerned, before.pending_count), (1, 1));
    assert_eq!(before.pending, [prefix(1)]);
    let (waited, ()) = tokio::join!(ask(30), host.report());
    assert!(waited.unwrap().body.is_done());
    assert_eq!(
        status(controller.operator.get("/v1/revisions/9999")).await,
        404
    );
    controller.end().await;
}

#[tokio::test]
async fn a_host_that_was_away_hears_what_it_missed() {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    controller.project("shop", 1, 1).await;
    let host = Host::join(&controller, 1).await;
    let mut state = host.state;
    let path = host.path;
    let has = |state: &HostState, wait: u64| {
        let call = controller.operator.get(&format!("{path}/state"));
        call.query("generation", state.generation.get())
            .query("digest", state.digest())
            .query("wait_s", wait)
            .patience(Duration::from_mins(1))
            .answer::<Update>()
    };
    match has(&state, 0).await.unwrap().body {
        NodeUpdate::Current { generation } => assert_eq!(generation, state.generation),
        other => panic!("not current: {other:?}"),
    }
    let rules = "/v1/projects/shop/vpcs/prod/firewall-rules";
    let rule = json!({"priority": 10, "direction": "in", "action": "allow"});
    let make_rule = |name: &'static str| make(&controller.operator, rules, name, rule.clone());
    // While it waits.
    let (heard, _) = tokio::join!(has(&state, 30), make_rule("one"));
    let heard = match heard.unwrap().body {
        NodeUpdate::Delta { delta, digest } => (delta, digest),
        NodeUpdate::Current { .. } => panic!("nothing was heard"),
        NodeUpdate::State(_) => panic!("the whole state was told"),
        NodeUpdate::Preview { .. } => panic!("nobody previews anything"),
    };
    state.apply(heard.0).unwrap();
    assert_eq!(state.digest().to_string(), heard.1);
    // While it was away.
    make_rule("two").await;
    make_rule("three").await;
    match has(&state, 0).await.unwrap().body {
        NodeUpdate::Delta { delta, digest } => {
            state.apply(delta).unwrap();
            assert_eq!(state.digest().to_string(), digest);
        }
        other => panic!("no delta: {other:?}"),
    }
    // What it has is not what it should have, and so it asks for all of it.
    let problem = refused(
        controller
            .operator
            .get(&format!("{path}/state?generation=1")),
    )
    .await;
    assert_eq!(problem.status, 400);
    controller.end().await;
}

#[tokio::test]
async fn hosts_of_another_controller_hear_of_changes_too() {
    let store = crate::common::memory();
    let (left, right) = (
        Controller::over(store.clone()).await,
        Controller::over(store).await,
    );
    left.fleet(1).await;
    left.project("shop", 1, 1).await;
    let path = "/v1/projects/shop/instances/i1/nics/n0";
    while status(right.operator.get(path)).await != 200 {
        tokio::task::yield_now().await;
    }
    let mut host = Host::join(&right, 1).await;
    let rules = "/v1/projects/shop/vpcs/prod/firewall-rules";
    let rule = json!({"priority": 10, "direction": "in", "action": "allow"});
    make(&left.operator, rules, "all", rule).await;
    host.follow().await;
    assert_eq!(host.state, host.planned().await);
    left.end().await;
    right.end().await;
}
