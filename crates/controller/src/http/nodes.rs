//! Hosts: what they hear, what they say, and which changes they have in force.

use std::net::Ipv6Addr;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use rackweave_api::control::{NodePreview, NodeReport, NodeStatus, RevisionStatus};
use rackweave_api::http::{JSON_LINES, Problem};
use rackweave_daemon::http::{Ending, Json, Octets, Path, Query, Refused};
use rackweave_linux::clock;
use rackweave_types::{Generation, NodePrefix};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use crate::app::App;
use crate::auth::Caller;
use crate::world::Known;

/// The longest that somebody may want to wait, in seconds.
const WAIT_MAX: u64 = 300;
/// How often a stream shows that it lives.
const PULSE: Duration = Duration::from_secs(10);
/// Lines of a stream that wait for the host.
const LINES: usize = 4;
/// The most errors of a report.
const ERRORS_MAX: usize = 1000;
/// The most ports of an answer.
const PORTS_MAX: usize = 10_000;

/// What a host says that it has.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Has {
    generation: Option<u64>,
    digest: Option<String>,
    wait_s: Option<u64>,
}

impl Has {
    fn known(&self) -> Result<Option<Known>, Problem> {
        match (self.generation, self.digest.clone()) {
            (Some(generation), Some(digest)) => Ok(Some(Known {
                generation: Generation::new(generation),
                digest,
            })),
            (None, None) => Ok(None),
            _ => Err(Problem::bad_request(
                "`generation` and `digest` belong together",
            )),
        }
    }
}

/// How long somebody wants to wait.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    since: Option<u64>,
    wait_s: Option<u64>,
}

fn wait(seconds: Option<u64>) -> Result<Duration, Problem> {
    let seconds = seconds.unwrap_or(0);
    if seconds > WAIT_MAX {
        let problem = Problem::bad_request(format!("it is more than {WAIT_MAX}"));
        return Err(problem.field("wait_s"));
    }
    Ok(Duration::from_secs(seconds))
}

/// A node by its prefix or the first address of that.
fn node(text: &str) -> Result<NodePrefix, Problem> {
    let whole = if text.parse::<Ipv6Addr>().is_ok() {
        format!("{text}/64")
    } else {
        text.to_owned()
    };
    let parsed = whole.parse::<NodePrefix>();
    parsed.map_err(|_| missing(text))
}

fn missing(node: &str) -> Problem {
    Problem::not_found(format!("there is no node {node}"))
}

/// Lists hosts: whether they hear of changes, and what they said last.
#[utoipa::path(
    get, path = "/v1/nodes", tag = "node",
    responses((status = 200, body = Vec<NodeStatus>))
)]
pub(super) async fn list_nodes(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Vec<NodeStatus>>, Refused> {
    caller.operator()?;
    Ok(Json(app.world.look(|world| world.hosts()).await?))
}

/// Tells a host what makes its state the newest one; waits for a change if it has it and wants to.
#[utoipa::path(
    get, path = "/v1/nodes/{node}/state", tag = "node",
    params(
        ("node" = String, Path, description = "The node's prefix, or the first address of it."),
        ("generation" = Option<u64>, Query, description = "The generation that it has."),
        ("digest" = Option<String>, Query, description = "The digest of what it has."),
        ("wait_s" = Option<u64>, Query, description = "How long to wait for a change.", maximum = 300),
    ),
    responses((status = 200, body = serde_json::Value, description = "Its state, a delta, or that it has the newest one."))
)]
pub(super) async fn node_state(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Query(has): Query<Has>,
    mut ending: Ending,
) -> Result<Response, Refused> {
    let node = node(&text)?;
    caller.host(node)?;
    let (patience, known) = (wait(has.wait_s)?, has.known()?);
    let found = app
        .world
        .look(move |world| world.host(node, known.as_ref()));
    let (line, current, mut changes) = found.await?.ok_or_else(|| missing(&text))?;
    let next = async {
        tokio::select! {
            change = changes.recv() => change,
            () = ending.told() => None,
        }
    };
    let body = if current && !patience.is_zero() {
        timeout(patience, next).await.ok().flatten().unwrap_or(line)
    } else {
        line
    };
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// Tells a host what makes its state the newest one, and then every change: a line for each, and an empty one now and
/// then.
#[utoipa::path(
    get, path = "/v1/nodes/{node}/stream", tag = "node",
    params(
        ("node" = String, Path, description = "The node's prefix, or the first address of it."),
        ("generation" = Option<u64>, Query, description = "The generation that it has."),
        ("digest" = Option<String>, Query, description = "The digest of what it has."),
    ),
    responses((status = 200, body = serde_json::Value, content_type = "application/x-ndjson"))
)]
pub(super) async fn node_stream(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Query(has): Query<Has>,
    ending: Ending,
) -> Result<Response, Refused> {
    let (node, known) = (node(&text)?, has.known()?);
    caller.host(node)?;
    let found = app
        .world
        .look(move |world| world.host(node, known.as_ref()));
    let (first, _, changes) = found.await?.ok_or_else(|| missing(&text))?;
    let (lines, told) = mpsc::channel(LINES);
    let world = app.world.clone();
    tokio::spawn(async move {
        forward(first, changes, lines, ending).await;
        // At the end of the controller there is nobody left to tell.
        let _ended = world.look(move |world| world.left(node)).await;
    });
    let mut response = Octets(told).into_response();
    response.headers_mut().insert(
        CONTENT_TYPE,
        axum::http::HeaderValue::from_static(JSON_LINES),
    );
    Ok(response)
}

/// Tells a host's stream what comes, until one of the two ends.
async fn forward(
    first: Bytes,
    mut changes: mpsc::Receiver<Bytes>,
    lines: mpsc::Sender<Bytes>,
    mut ending: Ending,
) {
    let mut pulse = interval(PULSE);
    pulse.reset();
    let mut line = first;
    while lines.send(line).await.is_ok() {
        line = tokio::select! {
            change = changes.recv() => match change {
                Some(change) => change,
                None => return,
            },
            _ = pulse.tick() => Bytes::from_static(b"\n"),
            () = lines.closed() => return,
            () = ending.told() => return,
        };
    }
}

/// Takes in what a host says of itself: what it has in force, and what it could not put into force.
#[utoipa::path(
    post, path = "/v1/nodes/{node}/report", tag = "node",
    params(("node" = String, Path, description = "The node's prefix, or the first address of it.")),
    request_body = NodeReport,
    responses((status = 204, description = "It is known."))
)]
pub(super) async fn report_node(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Json(report): Json<NodeReport>,
) -> Result<StatusCode, Refused> {
    let node = node(&text)?;
    caller.host(node)?;
    if report.errors.len() > ERRORS_MAX {
        let problem = Problem::bad_request(format!("{ERRORS_MAX} errors are enough"));
        return Err(problem.field("errors").into());
    }
    let now = clock::unix_millis();
    let known = app
        .world
        .look(move |world| world.report(node, report, now))
        .await?;
    if known {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(missing(&text).into())
    }
}

/// Takes in what a host says that changes would do to its connections: the answer to a question of its stream.
#[utoipa::path(
    post, path = "/v1/nodes/{node}/previews/{preview}", tag = "node",
    params(
        ("node" = String, Path, description = "The node's prefix, or the first address of it."),
        ("preview" = String, Path, description = "The question's id."),
    ),
    request_body = NodePreview,
    responses((status = 204, description = "It is known."))
)]
pub(super) async fn answer_preview(
    State(app): State<App>,
    caller: Caller,
    Path((text, id)): Path<(String, String)>,
    Json(preview): Json<NodePreview>,
) -> Result<StatusCode, Refused> {
    let node = node(&text)?;
    caller.host(node)?;
    if preview.ports.len() > PORTS_MAX {
        let problem = Problem::bad_request(format!("{PORTS_MAX} ports are enough"));
        return Err(problem.field("ports").into());
    }
    let asked = id.clone();
    let known = app
        .world
        .look(move |world| world.answer_question(node, &asked, preview));
    if known.await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        let problem = Problem::not_found(format!("nobody asks {text} for preview {id}"));
        Err(problem.into())
    }
}

/// Says how far a change has come; waits until it is in force on all hosts that it concerns, if wanted.
#[utoipa::path(
    get, path = "/v1/revisions/{revision}", tag = "revision",
    params(
        ("revision" = u64, Path, description = "The change, as `x-revision` named it."),
        ("since" = Option<u64>, Query, description = "The change before the first one that is meant; the change alone where nothing is said."),
        ("wait_s" = Option<u64>, Query, description = "How long to wait.", maximum = 300),
    ),
    responses((status = 200, body = RevisionStatus))
)]
pub(super) async fn get_revision(
    State(app): State<App>,
    _caller: Caller,
    Path(revision): Path<u64>,
    Query(wanted): Query<Wait>,
    mut ending: Ending,
) -> Result<Json<RevisionStatus>, Refused> {
    let patience = wait(wanted.wait_s)?;
    let until = Generation::new(revision);
    let since = wanted.since.unwrap_or(revision.saturating_sub(1));
    let since = Generation::new(since.min(revision));
    let missing = || Problem::not_found(format!("there is no revision {revision}"));
    let found = app.world.look(move |world| {
        let status = world.progress(since, until)?;
        Some((status, world.when_settled(since, until)))
    });
    let (status, settled) = found.await?.ok_or_else(missing)?;
    if status.pending_count == 0 || patience.is_zero() {
        return Ok(Json(status));
    }
    let told = async {
        tokio::select! {
            _ = settled => {}
            () = ending.told() => {}
        }
    };
    // Late or not, what is known then is told.
    let _late = timeout(patience, told).await;
    let status = app.world.look(move |world| world.progress(since, until));
    Ok(Json(status.await?.ok_or_else(missing)?))
}
