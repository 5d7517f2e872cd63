//! The audit log, as people read it.

use axum::extract::State;
use rackweave_api::control::{AuditEntry, Page, Role};
use rackweave_api::http::Problem;
use rackweave_control::Kind;
use rackweave_daemon::http::{Json, Query, Refused};
use serde::Deserialize;

use super::objects::PAGE_MAX;
use crate::app::App;
use crate::audit::page;
use crate::auth::Caller;
use crate::objects::name;

/// Which part of the log is wanted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    limit: Option<usize>,
    after: Option<String>,
    project: Option<String>,
}

/// Lists changes, the oldest first: operators see all of them, admins those of the project that they name.
#[utoipa::path(
    get, path = "/v1/audit", tag = "audit",
    params(
        ("limit" = Option<usize>, Query, description = "How many at most; 100 where nothing is said.", minimum = 1, maximum = 1000),
        ("after" = Option<String>, Query, description = "The `next` of the page before."),
        ("project" = Option<String>, Query, description = "The project whose changes are wanted."),
    ),
    responses((status = 200, body = Page<AuditEntry>))
)]
pub(super) async fn list_audit(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<AuditEntry>>, Refused> {
    let limit = wanted.limit.unwrap_or(super::objects::PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        let problem = Problem::bad_request(format!("it is not within 1 to {PAGE_MAX}"));
        return Err(problem.field("limit").into());
    }
    let project = if let Some(text) = wanted.project {
        let id = app.world.look(move |world| {
            let missing = || Problem::not_found(format!("there is no project {text}"));
            let found = name(&text, "project")?;
            let found = world.intent().find(Kind::Project, None, &found);
            let id = found.ok_or_else(missing)?.meta().id.to_string();
            match caller.role(&id) {
                Some(Role::Admin) => Ok(id),
                Some(_) => Err(Problem::forbidden("admins of the project alone read it")),
                None => Err(missing()),
            }
        });
        Some(id.await??)
    } else {
        caller.operator()?;
        None
    };
    let found = page(
        &app.store,
        wanted.after.as_deref(),
        limit,
        project.as_deref(),
    );
    Ok(Json(found.await?))
}
