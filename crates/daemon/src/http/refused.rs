//! Refusals: whatever a handler or axum itself refuses becomes a problem with the request's id.

use axum::body::{Body, to_bytes};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use rackweave_api::http::{PROBLEM_JSON, Problem};

use super::RequestId;

/// The most octets of a refusal of axum that are shown.
const TOLD_MAX: usize = 4096;

/// What a handler refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Box<Problem>);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl IntoResponse for Refused {
    /// The problem travels beside an empty body until the request's id stands in it.
    fn into_response(self) -> Response {
        let mut response = self.0.status_code().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// An answer as the client gets it: if it refuses, then by a problem.
pub(super) async fn told(
    response: Response,
    id: &RequestId,
    method: &Method,
    path: &str,
) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let mut problem = match head.extensions.remove::<Refused>() {
        Some(Refused(problem)) => *problem,
        None => translated(status, head.headers.get(ALLOW), body, method, path).await,
    };
    problem.request_id = Some(id.as_str().to_owned());
    // A problem is texts and a number: it always has a form in JSON.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    head.headers
        .insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    head.headers.remove(axum::http::header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(body))
}

/// A refusal of axum as a problem.
async fn translated(
    status: StatusCode,
    allow: Option<&HeaderValue>,
    body: Body,
    method: &Method,
    path: &str,
) -> Problem {
    let text = to_bytes(body, TOLD_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let problem = Problem::of(status);
    match status {
        StatusCode::NOT_FOUND if text.is_empty() => problem
            .detail(format!("there is no {path}"))
            .next("GET /openapi.json tells what there is"),
        StatusCode::METHOD_NOT_ALLOWED => {
            let allow = allow.and_then(|allow| allow.to_str().ok());
            let known = allow.unwrap_or("other methods");
            problem.detail(format!("{path} knows no {method}, but {known}"))
        }
        _ if text.is_empty() => problem,
        _ => problem.detail(text),
    }
}
