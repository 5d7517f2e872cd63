//! Many objects at once: what is there, what would change, and doing it.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rackweave_api::control::{self as api, Applied, Declared, Preview, REVISION};
use rackweave_api::http::Problem;
use rackweave_control::Kind;
use rackweave_daemon::http::{Ending, Json, Query, Refused, RequestId};
use serde::Deserialize;
use tokio::time::timeout;

use crate::app::App;
use crate::auth::Caller;
use crate::declaration::{self, Declaration};
use crate::objects::name;
use crate::world::Applying;

/// The most octets of a declaration.
pub(super) const BODY_MAX: usize = 16 * 1024 * 1024;
/// The longest that somebody may want to wait for hosts, in seconds.
const FLOWS_MAX: u64 = 30;

/// Whether hosts are asked.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flows {
    flows_s: Option<u64>,
}

/// Tells what a declaration would change: the steps, the hosts that would hear of it and, if wanted, the connections that
/// it would touch. Nothing changes.
#[utoipa::path(
    post, path = "/v1/plan", tag = "declaration",
    params(("flows_s" = Option<u64>, Query, description = "How long to wait for hosts to say which connections it would touch; they are not asked where nothing is said.", maximum = 30)),
    request_body = api::Declaration,
    responses((status = 200, body = Preview))
)]
pub(super) async fn plan(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<Flows>,
    mut ending: Ending,
    Json(said): Json<api::Declaration>,
) -> Result<Json<Preview>, Refused> {
    if wanted.flows_s.is_some_and(|seconds| seconds > FLOWS_MAX) {
        let problem = Problem::bad_request(format!("it is more than {FLOWS_MAX}"));
        return Err(problem.field("flows_s").into());
    }
    let declaration = Declaration::read(said)?;
    let who = caller.clone();
    let (mut preview, question) = app
        .world
        .look(move |world| {
            let foreseen = world.foresee(&declaration, &who)?;
            let question = match wanted.flows_s {
                Some(_) => Some(world.ask(&foreseen.nodes)?),
                None => None,
            };
            Ok::<_, Problem>((foreseen.preview, question))
        })
        .await??;
    if let Some((id, told)) = question {
        let patience = Duration::from_secs(wanted.flows_s.unwrap_or(0));
        let told = async {
            tokio::select! {
                _ = told => {}
                () = ending.told() => {}
            }
        };
        // Late or not, what is known then is told.
        let _late = timeout(patience, told).await;
        let flows = app.world.look(move |world| world.answers(&id, &caller));
        preview.flows = Some(flows.await?);
    }
    Ok(Json(preview))
}

/// Makes a declaration come true. If a step is refused, nothing is changed; steps that are too many for one commit of the
/// store become several changes.
#[utoipa::path(
    post, path = "/v1/apply", tag = "declaration",
    request_body = api::Declaration,
    responses((status = 200, body = Applied, headers(("x-revision" = u64, description = "The last change."))))
)]
pub(super) async fn apply(
    State(app): State<App>,
    caller: Caller,
    id: RequestId,
    Json(said): Json<api::Declaration>,
) -> Result<Response, Refused> {
    let applying = Applying {
        declaration: Declaration::read(said)?,
        caller,
        request_id: id.as_str().to_owned(),
    };
    let applied = app.world.apply(applying).await?;
    let revision = HeaderValue::from(applied.revision.0);
    let header = [(HeaderName::from_static(REVISION), revision)];
    Ok((StatusCode::OK, header, Json(applied)).into_response())
}

/// Which part of what is there is wanted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    project: Option<String>,
}

/// Tells all that stands in a project as it would be declared; for operators, everything where no project is named.
#[utoipa::path(
    get, path = "/v1/export", tag = "declaration",
    params(("project" = Option<String>, Query, description = "The project.")),
    responses((status = 200, body = Vec<Declared>))
)]
pub(super) async fn export(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Vec<Declared>>, Refused> {
    let all = app
        .world
        .look(move |world| {
            let Some(text) = wanted.project else {
                caller.operator()?;
                return Ok(declaration::export(world.intent(), None));
            };
            let missing = || Problem::not_found(format!("there is no project {text}"));
            let found = name(&text, "project").ok();
            let found = found.and_then(|name| world.intent().find(Kind::Project, None, &name));
            let id = found.ok_or_else(missing)?.meta().id;
            caller.role(&id.to_string()).ok_or_else(missing)?;
            Ok::<_, Problem>(declaration::export(world.intent(), Some(id)))
        })
        .await??;
    Ok(Json(all))
}
