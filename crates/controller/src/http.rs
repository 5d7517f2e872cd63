//! The API: users' and operators' objects, tokens, the audit log.

mod audit;
mod backup;
mod collection;
mod declare;
mod describe;
mod nodes;
mod objects;
mod preconditions;
mod tokens;

use axum::extract::DefaultBodyLimit;
use rackweave_control::Kind;
use rackweave_daemon::http::Api;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::collection::Collection;
use crate::app::App;
use crate::objects::with_spec;

const TITLE: &str = "Rackweave controller";
const DESCRIPTION: &str = "What users ask for and what operators run. Show a bearer token with each request. An object's \
    `etag` is its generation: `if-match` makes a change happen only if nobody was faster. `idempotency-key` makes the \
    repetition of a change harmless. `x-revision` names a change.";

/// The API with its document.
pub(crate) fn api(app: App) -> Api {
    Api::new(TITLE, DESCRIPTION, router().with_state(app))
}

/// The document alone.
pub(crate) fn document() -> OpenApi {
    Api::describe(TITLE, DESCRIPTION, router().into_openapi())
}

fn router() -> OpenApiRouter<App> {
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let mut components = Components::new();
    components.add_security_scheme("token", bearer);
    let document = OpenApiBuilder::new()
        .components(Some(components))
        .security(Some([SecurityRequirement::new::<_, [&str; 0], &str>(
            "token",
            [],
        )]))
        .build();
    let router = OpenApiRouter::with_openapi(document)
        .routes(routes!(tokens::list_tokens, tokens::create_token))
        .routes(routes!(tokens::delete_token))
        .routes(routes!(audit::list_audit))
        .routes(routes!(nodes::list_nodes))
        .routes(routes!(nodes::node_state))
        .routes(routes!(nodes::node_stream))
        .routes(routes!(nodes::report_node))
        .routes(routes!(nodes::answer_preview))
        .routes(routes!(nodes::get_revision))
        .routes(routes!(declare::export))
        .routes(routes!(backup::backup))
        .merge(declarations());
    collections(router)
}

/// What takes many objects at once.
fn declarations() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(declare::plan))
        .routes(routes!(declare::apply))
        .layer(DefaultBodyLimit::max(declare::BODY_MAX))
}

/// Every kind of object.
fn collections(router: OpenApiRouter<App>) -> OpenApiRouter<App> {
    Kind::ALL.iter().fold(router, |router, kind| {
        with_spec!(*kind, Spec => objects::add::<Spec>(router, Collection::new(*kind)))
    })
}
