//! Several controllers on one store, and all of it as one file.

use rackweave_api::control::{NodeReport, NodeStatus, NodeUpdate, REVISION, RevisionStatus};
use rackweave_api::http::Client;
use rackweave_types::state::{HostState, StateDelta};
use serde_json::{Value, json};

use crate::common::{Controller, PATIENCE, make, memory, prefix, status};

type Update = NodeUpdate<HostState, StateDelta>;

async fn nodes(client: &Client) -> Vec<NodeStatus> {
    client.get("/v1/nodes").answer().await.unwrap().body
}

/// Looks until it is so.
async fn until(client: &Client, so: impl Fn(&[NodeStatus]) -> bool) -> Vec<NodeStatus> {
    let look = async {
        loop {
            let nodes = nodes(client).await;
            if so(&nodes) {
                return nodes;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap()
}

#[tokio::test]
async fn a_change_is_known_to_be_in_force_whichever_controller_one_asks() {
    let store = memory();
    let left = Controller::over(store.clone()).await;
    let right = Controller::over(store).await;
    left.fleet(1).await;
    left.project("shop", 1, 1).await;
    let nic = "/v1/projects/shop/instances/i1/nics/n0";
    let heard = async {
        while status(right.operator.get(nic)).await != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.unwrap();
    // The host hangs on the one, and its users ask the other.
    let node = format!("/v1/nodes/{}", prefix(1).replace("/64", ""));
    let stream = left.operator.get(&format!("{node}/stream"));
    let mut lines = stream.lines::<Update>().await.unwrap();
    let NodeUpdate::State(mut state) = lines.next().await.unwrap().unwrap() else {
        panic!("not the whole state");
    };
    let seen = until(&right.operator, |nodes| nodes[0].connected).await;
    let here = nodes(&left.operator).await;
    assert_eq!(seen[0].controller, here[0].controller);
    let rules = "/v1/projects/shop/vpcs/prod/firewall-rules";
    let rule = json!({"priority": 10, "direction": "in", "action": "allow"});
    let made = make(&right.operator, rules, "all", rule).await;
    let revision = made.header(REVISION).unwrap().to_owned();
    let waiting = async {
        let path = format!("/v1/revisions/{revision}?wait_s=60");
        let call = right.operator.get(&path).patience(PATIENCE * 2);
        call.answer::<RevisionStatus>().await.unwrap().body
    };
    let following = async {
        let NodeUpdate::Delta { delta, .. } = lines.next().await.unwrap().unwrap() else {
            panic!("no change");
        };
        state.apply(delta).unwrap();
        let report = NodeReport {
            generation: state.generation,
            digest: state.digest().to_string(),
            errors: Vec::new(),
            program: "test".to_owned(),
        };
        let call = left.operator.post(&format!("{node}/report")).json(&report);
        call.done().await.unwrap();
    };
    let (waited, ()) = tokio::join!(waiting, following);
    assert_eq!((waited.concerned, waited.pending_count), (1, 0));
    drop(lines);
    until(&right.operator, |nodes| !nodes[0].connected).await;
    left.end().await;
    right.end().await;
}

#[tokio::test]
async fn a_controller_that_has_just_started_knows_of_old_changes() {
    let store = memory();
    let controller = Controller::over(store.clone()).await;
    controller.fleet(1).await;
    controller.project("shop", 1, 1).await;
    controller.end().await;
    let controller = Controller::over(store).await;
    let client = &controller.operator;
    let ask = async || {
        let call = client.get("/v1/revisions/2");
        call.answer::<RevisionStatus>().await.unwrap().body
    };
    assert_eq!(ask().await.pending, [prefix(1)]);
    let node = format!("/v1/nodes/{}", prefix(1).replace("/64", ""));
    let state = client.get(&format!("{node}/state")).answer::<Update>();
    let NodeUpdate::State(state) = state.await.unwrap().body else {
        panic!("not the whole state");
    };
    let report = NodeReport {
        generation: state.generation,
        digest: state.digest().to_string(),
        errors: Vec::new(),
        program: "test".to_owned(),
    };
    let call = client.post(&format!("{node}/report")).json(&report);
    call.done().await.unwrap();
    assert!(ask().await.is_done());
    controller.end().await;
}

#[tokio::test]
async fn a_backup_is_one_file_with_a_beginning_and_an_end() {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    controller.project("shop", 1, 1).await;
    let made = controller.operator.get("/v1/backup").bytes().await.unwrap();
    let text = String::from_utf8(made.body.to_vec()).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (first, last) = (&lines[0], &lines[lines.len() - 1]);
    assert_eq!(first["format"], "rackweave-backup");
    assert_eq!(last["entries"], lines.len() - 2);
    let keys = lines.iter().filter_map(|line| line["key"].as_str());
    assert!(keys.clone().any(|key| key.starts_with("intent/nic/")));
    assert!(
        keys.clone()
            .all(|key| key.starts_with("intent/") || key.starts_with("auth/"))
    );
    controller.end().await;
}
