//! Objects of any kind: listed, made, read, replaced, removed.

use axum::extract::State;
use axum::http::header::{ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use rackweave_api::control::{Body, Page, REVISION};
use rackweave_api::http::{Problem, segment};
use rackweave_control::model::Object;
use rackweave_control::{Kind, Request};
use rackweave_daemon::http::{Json, Path, Query, Refused, RequestId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::collection::{Collection, Wish};
use super::describe::describe;
use super::preconditions::Preconditions;
use crate::app::App;
use crate::auth::Caller;
use crate::objects::{check_description, name, shown, spec};
use crate::world::{Answered, Asked, By};

/// Objects of one page where nothing is said.
pub(super) const PAGE: usize = 100;
/// The most objects of one page.
pub(super) const PAGE_MAX: usize = 1000;

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    limit: Option<usize>,
    after: Option<String>,
}

impl Part {
    /// How many objects at most.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        match self.limit {
            None => Ok(PAGE),
            Some(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
            Some(_) => {
                let problem = Problem::bad_request(format!("it is not within 1 to {PAGE_MAX}"));
                Err(problem.field("limit"))
            }
        }
    }

    /// Behind which one.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }
}

/// Names in a path, from the outermost.
type Names = Path<Vec<(String, String)>>;

/// Adds a kind's handlers, and what they say of themselves.
pub(super) fn add<S>(router: OpenApiRouter<App>, collection: Collection) -> OpenApiRouter<App>
where
    S: Serialize + DeserializeOwned + ToSchema + Send + 'static,
{
    let mut router = router
        .route(
            &collection.path(),
            get(move |app, caller, names, part| list(collection, app, caller, names, part)),
        )
        .route(
            &collection.path(),
            post(move |app, caller, names, said, id, body| {
                create::<S>(collection, app, caller, names, said, id, body)
            }),
        )
        .route(
            &collection.item_path(),
            get(move |app, caller, names| read(collection, app, caller, names)),
        )
        .route(
            &collection.item_path(),
            put(move |app, caller, names, said, id, body| {
                replace::<S>(collection, app, caller, names, said, id, body)
            }),
        )
        .route(
            &collection.item_path(),
            delete(move |app, caller, names, said, id| {
                remove(collection, app, caller, names, said, id)
            }),
        );
    describe::<S>(router.get_openapi_mut(), collection);
    router
}

fn in_order(names: Vec<(String, String)>) -> Vec<String> {
    names.into_iter().map(|(_, name)| name).collect()
}

async fn list(
    collection: Collection,
    State(app): State<App>,
    caller: Caller,
    Path(names): Names,
    Query(part): Query<Part>,
) -> Result<Json<Page<Value>>, Refused> {
    let limit = part.limit()?;
    let after = part.after().map(|after| name(after, "after")).transpose()?;
    let names = in_order(names);
    let page = app
        .world
        .look(move |world| {
            let intent = world.intent();
            let place = collection.parent(intent, &caller, &names, Wish::Read)?;
            let seen = |object: &&Object| {
                collection.kind() != Kind::Project
                    || caller.role(&object.meta().id.to_string()).is_some()
            };
            let children = intent.children(collection.kind(), place.parent, after.as_ref());
            let mut found = children.filter(seen).take(limit + 1).collect::<Vec<_>>();
            let more = found.len() > limit;
            found.truncate(limit);
            let last = found.last().filter(|_| more);
            Ok::<_, Problem>(Page {
                next: last.map(|object| object.meta().name.to_string()),
                items: found.into_iter().map(shown).collect(),
            })
        })
        .await??;
    Ok(Json(page))
}

async fn read(
    collection: Collection,
    State(app): State<App>,
    caller: Caller,
    Path(names): Names,
) -> Result<Response, Refused> {
    let names = in_order(names);
    let (generation, body) = app
        .world
        .look(move |world| {
            let found = collection.object(world.intent(), &caller, &names, Wish::Read);
            found.map(|(object, _)| (object.meta().generation.get(), shown(object)))
        })
        .await??;
    Ok(([(ETAG, etag(generation))], Json(body)).into_response())
}

async fn create<S: Serialize>(
    collection: Collection,
    State(app): State<App>,
    caller: Caller,
    Path(names): Names,
    said: Preconditions,
    id: RequestId,
    Json(body): Json<Body<S>>,
) -> Result<Response, Refused> {
    let text = body
        .name
        .as_deref()
        .ok_or_else(|| Problem::bad_request("a new object needs a name").field("name"))?;
    let new = name(text, "name")?;
    let (octets, description, spec) = parts(collection, &body)?;
    let (names, who) = (in_order(names), caller.clone());
    let place = app
        .world
        .look(move |world| {
            if collection.kind() == Kind::Project {
                who.operator()?;
            }
            collection.parent(world.intent(), &who, &names, Wish::Change)
        })
        .await??;
    let path = format!("{}/{}", said.path(), segment(text));
    let actor = caller.actor();
    let asked = Asked {
        request: Request::Create {
            parent: place.parent,
            name: new,
            description: description.unwrap_or_default(),
            spec,
        },
        repeat: said.repeat(&actor, &octets)?,
        by: By {
            actor,
            request_id: id.as_str().to_owned(),
            path: path.clone(),
            project: place.project,
        },
    };
    let mut response = answer(app.world.change(asked).await?);
    if let Ok(location) = HeaderValue::from_str(&path) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

async fn replace<S: Serialize>(
    collection: Collection,
    State(app): State<App>,
    caller: Caller,
    Path(names): Names,
    said: Preconditions,
    id: RequestId,
    Json(body): Json<Body<S>>,
) -> Result<Response, Refused> {
    let names = in_order(names);
    if body
        .name
        .as_ref()
        .is_some_and(|name| Some(name) != names.last())
    {
        let problem = Problem::bad_request("a name never changes").field("name");
        return Err(problem.next("delete the object and create another").into());
    }
    let (octets, description, spec) = parts(collection, &body)?;
    let if_match = said.if_match()?;
    change(
        &app,
        collection,
        caller,
        names,
        said,
        id,
        octets,
        move |key| Request::Update {
            key,
            if_match,
            description,
            spec,
        },
    )
    .await
}

async fn remove(
    collection: Collection,
    State(app): State<App>,
    caller: Caller,
    Path(names): Names,
    said: Preconditions,
    id: RequestId,
) -> Result<Response, Refused> {
    let if_match = said.if_match()?;
    let names = in_order(names);
    change(
        &app,
        collection,
        caller,
        names,
        said,
        id,
        Vec::new(),
        move |key| Request::Delete { key, if_match },
    )
    .await
}

/// Changes an object that is there.
#[expect(clippy::too_many_arguments, reason = "all that a request says")]
async fn change(
    app: &App,
    collection: Collection,
    caller: Caller,
    names: Vec<String>,
    said: Preconditions,
    id: RequestId,
    octets: Vec<u8>,
    request: impl FnOnce(rackweave_control::Key) -> Request,
) -> Result<Response, Refused> {
    let actor = caller.actor();
    let repeat = said.repeat(&actor, &octets)?;
    let found = app
        .world
        .look(move |world| {
            let found = collection.object(world.intent(), &caller, &names, Wish::Change);
            found.map(|(object, place)| (object.key(), place.project))
        })
        .await?;
    let (key, project) = match (found, &repeat) {
        (Ok(found), _) => found,
        (Err(problem), Some(repeat)) if problem.status == 404 => {
            // What is removed already was perhaps removed by this very request.
            let answered = repeat.answered(&app.store).await?;
            return answered.map(answer).ok_or_else(|| problem.into());
        }
        (Err(problem), _) => return Err(problem.into()),
    };
    let asked = Asked {
        request: request(key),
        repeat,
        by: By {
            actor,
            request_id: id.as_str().to_owned(),
            path: said.path().to_owned(),
            project,
        },
    };
    Ok(answer(app.world.change(asked).await?))
}

/// What a body says: its octets, description and spec.
type Parts = (Vec<u8>, Option<String>, rackweave_control::model::Spec);

fn parts<S: Serialize>(collection: Collection, body: &Body<S>) -> Result<Parts, Problem> {
    let description = body.description.clone();
    check_description(description.as_deref().unwrap_or_default())?;
    let octets = serde_json::to_vec(body).map_err(|error| Problem::internal(error.to_string()))?;
    let spec = spec(collection.kind(), &body.spec)?;
    Ok((octets, description, spec))
}

fn etag(generation: u64) -> HeaderValue {
    // Digits between quotation marks may stand in a header.
    HeaderValue::from_str(&format!("\"{generation}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
}

/// An answer as HTTP.
fn answer(answered: Answered) -> Response {
    let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::OK);
    let mut headers = HeaderMap::new();
    headers.insert(REVISION, HeaderValue::from(answered.revision));
    if let Some(generation) = answered.generation {
        headers.insert(ETAG, etag(generation));
    }
    match answered.body {
        Some(body) if status != StatusCode::NO_CONTENT => {
            (status, headers, Json(body)).into_response()
        }
        _ => (status, headers).into_response(),
    }
}
