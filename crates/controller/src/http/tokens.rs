//! Tokens: listed, made, taken back.

use axum::extract::State;
use axum::http::StatusCode;
use rackweave_api::control::{Action, Grant, NewToken, Role, Token, TokenMade};
use rackweave_api::http::Problem;
use rackweave_control::{Intent, Kind};
use rackweave_daemon::http::{Json, Path, Refused, RequestId};
use rackweave_linux::{clock, random};

use crate::app::App;
use crate::audit;
use crate::auth::Caller;
use crate::objects::name;

/// The most letters of a subject.
const SUBJECT_MAX: usize = 64;
/// The most grants of a token.
const GRANTS_MAX: usize = 64;

/// Lists tokens: an operator sees all of them, an admin those that open no more than their projects.
#[utoipa::path(
    get, path = "/v1/tokens", tag = "token",
    responses((status = 200, body = Vec<Token>))
)]
pub(super) async fn list_tokens(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Vec<Token>>, Refused> {
    let mut tokens = app.tokens.list().await?;
    tokens.retain(|token| rules(&caller, &token.grants));
    let tokens = app
        .world
        .look(move |world| {
            for token in &mut tokens {
                for grant in &mut token.grants {
                    by_name(world.intent(), grant);
                }
            }
            tokens
        })
        .await?;
    Ok(Json(tokens))
}

/// Makes a token that opens no more than the caller may give: an operator anything, an admin their projects.
#[utoipa::path(
    post, path = "/v1/tokens", tag = "token",
    request_body = NewToken,
    responses((status = 201, body = TokenMade))
)]
pub(super) async fn create_token(
    State(app): State<App>,
    caller: Caller,
    id: RequestId,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, Json<TokenMade>), Refused> {
    check(&new)?;
    let (asked, who) = (new.clone(), caller.clone());
    let grants = app
        .world
        .look(move |world| {
            let grants = asked.grants.iter().enumerate();
            grants
                .map(|(at, grant)| by_id(world.intent(), &who, grant, at))
                .collect::<Result<Vec<_>, Problem>>()
        })
        .await??;
    let drawn = random::bytes().map_err(|_| Problem::internal("nothing can be drawn"))?;
    let kept = NewToken {
        grants,
        ..new.clone()
    };
    let (secret, mut token) = app.tokens.make(kept, &drawn, clock::unix_millis()).await?;
    token.grants = new.grants;
    let path = format!("/v1/tokens/{}", token.id);
    audit::write(
        &app.store,
        caller.actor(),
        id.as_str(),
        Action::Create,
        path,
    )
    .await?;
    let made = TokenMade {
        secret: secret.as_str().to_owned(),
        token,
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Takes a token back; it opens nothing from now on.
#[utoipa::path(
    delete, path = "/v1/tokens/{token}", tag = "token",
    params(("token" = String, Path, description = "The token's id.")),
    responses((status = 204, description = "It opens nothing any more."))
)]
pub(super) async fn delete_token(
    State(app): State<App>,
    caller: Caller,
    request: RequestId,
    Path(id): Path<String>,
) -> Result<StatusCode, Refused> {
    let missing = || Problem::not_found(format!("there is no token {id}"));
    let tokens = app.tokens.list().await?;
    let token = tokens.iter().find(|token| token.id == id);
    if !token.is_some_and(|token| rules(&caller, &token.grants)) {
        return Err(missing().into());
    }
    app.tokens.delete(&id).await?.ok_or_else(missing)?;
    let path = format!("/v1/tokens/{id}");
    let id = request.as_str();
    audit::write(&app.store, caller.actor(), id, Action::Delete, path).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether somebody may give out and take back what opens this; projects are named by id.
fn rules(caller: &Caller, grants: &[Grant]) -> bool {
    caller.is_operator()
        || grants.iter().all(|grant| match grant {
            Grant::Operator {} => false,
            Grant::Project { project, .. } => caller.role(project) == Some(Role::Admin),
        })
}

fn check(new: &NewToken) -> Result<(), Problem> {
    let bad = |field: &str, words: String| Err(Problem::bad_request(words).field(field));
    if new.subject.is_empty() || new.subject.chars().count() > SUBJECT_MAX {
        return bad("subject", format!("1 to {SUBJECT_MAX} letters are wanted"));
    }
    if new.grants.is_empty() || new.grants.len() > GRANTS_MAX {
        return bad("grants", format!("1 to {GRANTS_MAX} grants are wanted"));
    }
    if new.lifetime_s == Some(0) {
        return bad(
            "lifetime_s",
            "a token lives for a second at least".to_owned(),
        );
    }
    Ok(())
}

/// A grant whose project is named by its id, if the caller may give it.
fn by_id(intent: &Intent, caller: &Caller, grant: &Grant, at: usize) -> Result<Grant, Problem> {
    let Grant::Project { project, role } = grant else {
        caller.operator()?;
        return Ok(grant.clone());
    };
    let field = format!("grants[{at}].project");
    let missing = || Problem::conflict(format!("there is no project {project}")).field(&field);
    let found = name(project, &field)?;
    let found = intent
        .find(Kind::Project, None, &found)
        .ok_or_else(missing)?;
    let id = found.meta().id.to_string();
    match caller.role(&id) {
        Some(Role::Admin) => Ok(Grant::Project {
            project: id,
            role: *role,
        }),
        Some(_) => Err(Problem::forbidden(
            "admins of the project alone give out tokens",
        )),
        None => Err(missing()),
    }
}

/// A grant whose project is named as people name it.
fn by_name(intent: &Intent, grant: &mut Grant) {
    if let Grant::Project { project, .. } = grant {
        let found = project.parse().ok().and_then(|id| intent.project(id));
        if let Some(found) = found {
            *project = found.meta.name.to_string();
        }
    }
}
