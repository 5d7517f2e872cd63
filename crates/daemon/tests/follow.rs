//! A node that follows controllers over real sockets: changes, reports, controllers that die, and what it missed.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, and clippy looks at test functions alone"
)]

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use rackweave_api::control::{NodeReport, NodeUpdate, ObjectError};
use rackweave_api::http::{Bytes, Client, Endpoint};
use rackweave_daemon::follow::{Change, Follow, Node, Settings};
use rackweave_daemon::http::{Api, Json, Limits, Octets, Path, Place, Query, Server};
use rackweave_types::state::{HostState, ObjectChange, ObjectName, StateDelta, StateVersion};
use rackweave_types::{Generation, NodePrefix};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(30);
const STATE: &str = include_str!("../../../dist/examples/host.json");

fn node() -> NodePrefix {
    "fd00:1:2:101::/64".parse().unwrap()
}

fn state(generation: u64) -> HostState {
    let mut state: HostState = serde_json::from_str(STATE).unwrap();
    state.generation = Generation::new(generation);
    state
}

/// A change that takes a port away.
fn change(state: &HostState, generation: u64) -> (StateDelta, HostState) {
    let port = state.ports[0].id;
    let delta = StateDelta {
        version: StateVersion::CURRENT,
        generation: Generation::new(generation),
        changes: vec![ObjectChange::Remove(ObjectName::Port(port))],
    };
    let mut after = state.clone();
    after.apply(delta.clone()).unwrap();
    (delta, after)
}

fn line(update: &NodeUpdate<HostState, StateDelta>) -> Bytes {
    let mut line = serde_json::to_vec(update).unwrap();
    line.push(b'\n');
    line.into()
}

fn delta_line(delta: StateDelta, digest: String) -> Bytes {
    line(&NodeUpdate::Delta { delta, digest })
}

/// What a host says that it has.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Has {
    generation: Option<u64>,
    digest: Option<String>,
}

/// A controller that says what the test says.
#[derive(Clone)]
struct Script {
    /// What each stream is made of; it ends with them.
    streams: Arc<Mutex<Vec<mpsc::Receiver<Bytes>>>>,
    asked: mpsc::Sender<Has>,
    reports: mpsc::Sender<NodeReport>,
}

#[utoipa::path(get, path = "/v1/nodes/{node}/stream", responses((status = 200)))]
async fn stream(
    State(script): State<Script>,
    Path(asker): Path<String>,
    Query(has): Query<Has>,
) -> Octets {
    assert_eq!(asker, "fd00:1:2:101::");
    script.asked.send(has).await.unwrap();
    Octets(script.streams.lock().await.remove(0))
}

#[utoipa::path(post, path = "/v1/nodes/{node}/report", request_body = NodeReport, responses((status = 204)))]
async fn report(State(script): State<Script>, Json(report): Json<NodeReport>) {
    script.reports.send(report).await.unwrap();
}

struct Controller {
    dir: TempDir,
    end: Arc<Notify>,
    task: JoinHandle<()>,
    asked: mpsc::Receiver<Has>,
    reports: mpsc::Receiver<NodeReport>,
    lines: Vec<mpsc::Sender<Bytes>>,
}

impl Controller {
    /// One that takes so many streams.
    async fn start(streams: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::Unix(dir.path().join("api.sock"));
        let listener = place.open(None).await.unwrap();
        let (asked, heard) = mpsc::channel(16);
        let (reports, reported) = mpsc::channel(16);
        let (lines, told): (Vec<_>, Vec<_>) = (0..streams).map(|_| mpsc::channel(16)).unzip();
        let script = Script {
            streams: Arc::new(Mutex::new(told)),
            asked,
            reports,
        };
        let routes = OpenApiRouter::new()
            .routes(routes!(stream))
            .routes(routes!(report));
        let api = Api::new("test", "A controller of a test.", routes.with_state(script));
        let end = Arc::new(Notify::new());
        let told = Arc::clone(&end);
        let limits = Limits {
            farewell: Duration::ZERO,
            ..Limits::default()
        };
        let task = tokio::spawn(async move {
            Server::new(api, limits)
                .serve(vec![listener], told.notified())
                .await;
        });
        Self {
            dir,
            end,
            task,
            asked: heard,
            reports: reported,
            lines,
        }
    }

    fn client(&self) -> Client {
        Client::new(Endpoint::Unix(self.dir.path().join("api.sock")))
    }

    async fn asked(&mut self) -> Has {
        timeout(PATIENCE, self.asked.recv()).await.unwrap().unwrap()
    }

    async fn report(&mut self) -> NodeReport {
        timeout(PATIENCE, self.reports.recv())
            .await
            .unwrap()
            .unwrap()
    }

    async fn end(self) {
        self.end.notify_one();
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

/// A node that tells the test what it is to be.
struct Told {
    states: mpsc::Sender<(HostState, Change)>,
    errors: Vec<ObjectError>,
}

impl Node for Told {
    type State = HostState;

    async fn apply(&mut self, state: &HostState, change: &Change) -> Vec<ObjectError> {
        self.states
            .send((state.clone(), change.clone()))
            .await
            .unwrap();
        self.errors().await
    }

    async fn errors(&mut self) -> Vec<ObjectError> {
        self.errors.pop().into_iter().collect()
    }
}

/// A node that follows these controllers, in their order.
fn follow(
    controllers: Vec<Client>,
    known: Option<HostState>,
    errors: Vec<ObjectError>,
) -> (JoinHandle<()>, mpsc::Receiver<(HostState, Change)>) {
    let settings = Settings {
        node: node(),
        controllers,
    };
    let (states, told) = mpsc::channel(16);
    let follow = Follow::new(settings, known, || 0);
    let task = tokio::spawn(async move {
        follow.run(Told { states, errors }).await;
    });
    (task, told)
}

async fn told(states: &mut mpsc::Receiver<(HostState, Change)>) -> (HostState, Change) {
    timeout(PATIENCE, states.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn changes_are_applied_and_reported_and_a_controller_that_dies_is_followed_by_the_next() {
    let (mut one, mut two) = (Controller::start(1).await, Controller::start(1).await);
    let (task, mut states) = follow(vec![one.client(), two.client()], None, Vec::new());
    assert_eq!(
        one.asked().await,
        Has {
            generation: None,
            digest: None
        }
    );
    let first = state(1);
    one.lines[0]
        .send(line(&NodeUpdate::State(first.clone())))
        .await
        .unwrap();
    assert_eq!(told(&mut states).await, (first.clone(), Change::Whole));
    let report = one.report().await;
    assert_eq!(report.generation, Generation::new(1));
    assert_eq!(report.digest, first.digest().to_string());
    assert_eq!(report.errors, Vec::new());

    // A change in two parts, behind a sign of life.
    let (delta, second) = change(&first, 5);
    let whole = delta_line(delta, second.digest().to_string());
    one.lines[0].send(Bytes::from_static(b"\n")).await.unwrap();
    one.lines[0].send(whole.slice(..20)).await.unwrap();
    one.lines[0].send(whole.slice(20..)).await.unwrap();
    assert_eq!(
        told(&mut states).await,
        (second.clone(), Change::Objects(1))
    );
    assert_eq!(one.report().await.generation, Generation::new(5));

    // The next controller is told what it has.
    one.end().await;
    let has = two.asked().await;
    assert_eq!(
        (has.generation, has.digest),
        (Some(5), Some(second.digest().to_string()))
    );
    let generation = Generation::new(6);
    two.lines[0]
        .send(line(&NodeUpdate::Current { generation }))
        .await
        .unwrap();
    let (current, change) = told(&mut states).await;
    assert_eq!((current.generation, change), (generation, Change::Nothing));
    assert_eq!(two.report().await.generation, generation);
    task.abort();
    two.end().await;
}

#[tokio::test]
async fn a_change_that_does_not_fit_makes_it_ask_for_everything() {
    let mut controller = Controller::start(2).await;
    let known = state(3);
    let (task, mut states) = follow(vec![controller.client()], Some(known.clone()), Vec::new());
    assert_eq!(controller.asked().await.generation, Some(3));
    let (delta, _) = change(&known, 4);
    let wrong = delta_line(delta, known.digest().to_string());
    controller.lines[0].send(wrong).await.unwrap();
    assert_eq!(
        controller.asked().await,
        Has {
            generation: None,
            digest: None
        }
    );
    let whole = state(4);
    controller.lines[1]
        .send(line(&NodeUpdate::State(whole.clone())))
        .await
        .unwrap();
    assert_eq!(told(&mut states).await, (whole, Change::Whole));
    task.abort();
    controller.end().await;
}

#[tokio::test]
async fn what_is_mended_is_reported_without_a_change() {
    let mut controller = Controller::start(1).await;
    let error = ObjectError {
        object: "attachment of port 1".to_owned(),
        error: "no such namespace".to_owned(),
    };
    let errors = vec![error.clone()];
    let (task, mut states) = follow(vec![controller.client()], None, errors);
    controller.lines[0]
        .send(line(&NodeUpdate::State(state(1))))
        .await
        .unwrap();
    told(&mut states).await;
    assert_eq!(controller.report().await.errors, [error]);
    assert_eq!(controller.report().await.errors, Vec::new());
    task.abort();
    controller.end().await;
}
