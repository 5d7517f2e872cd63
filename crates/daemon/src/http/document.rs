//! An API as its own handlers describe it (`OpenAPI` 3.1).

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use rackweave_api::http::{PROBLEM_JSON, Problem};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Components, Content, Info, OpenApi, Ref, Response};
use utoipa::{PartialSchema as _, ToSchema as _};
use utoipa_axum::router::OpenApiRouter;

/// Handlers with their description.
#[derive(Clone)]
pub struct Api {
    pub(super) router: Router,
    document: OpenApi,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Api")
            .field(&self.document.info.title)
            .finish()
    }
}

impl Api {
    /// The API of these handlers, with `GET /openapi.json`. Each operation gets [`Problem`] for what it refuses.
    #[must_use]
    pub fn new(title: &str, description: &str, router: OpenApiRouter) -> Self {
        let (router, document) = router.split_for_parts();
        let document = Self::describe(title, description, document);
        let text = document_text(&document);
        let serve = get(async move || ([(CONTENT_TYPE, "application/json")], text));
        Self {
            router: router.route("/openapi.json", serve),
            document,
        }
    }

    /// What handlers say of themselves, with what they all have in common. For an API whose handlers are not to be served.
    #[must_use]
    pub fn describe(title: &str, description: &str, document: OpenApi) -> OpenApi {
        let mut document = document;
        document.info = Info::new(title, env!("CARGO_PKG_VERSION"));
        document.info.description = Some(description.to_owned());
        let components = document.components.get_or_insert_with(Components::new);
        components
            .schemas
            .insert(Problem::name().into_owned(), Problem::schema());
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            for (status, whose) in [("4XX", "what the request asks for"), ("5XX", "the server")] {
                let mut response = Response::new(format!("Not done, because of {whose}."));
                let content = Content::new(Some(Ref::from_schema_name(Problem::name())));
                response
                    .content
                    .insert(PROBLEM_JSON.to_owned(), content.into());
                let responses = &mut operation.responses.responses;
                responses
                    .entry(status.to_owned())
                    .or_insert_with(|| response.into());
            }
        }
        document
    }

    /// What the handlers say of themselves.
    #[must_use]
    pub const fn document(&self) -> &OpenApi {
        &self.document
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ]
    .into_iter()
    .flatten()
}

/// A document as it is kept in a file: the same text for the same API.
#[must_use]
pub fn document_text(document: &OpenApi) -> String {
    // The document is texts in maps whose keys are texts: it always has a form in JSON.
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}
