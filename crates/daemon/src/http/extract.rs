//! What handlers take from requests; what does not fit is refused with the field at fault.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rackweave_api::http::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::Refused;

/// How long a client may take to send a body.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body of JSON, of a request or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        if !is_json(request.headers()) {
            let problem = Problem::of(StatusCode::UNSUPPORTED_MEDIA_TYPE)
                .detail("the body must be JSON")
                .next("say `content-type: application/json`");
            return Err(problem.into());
        }
        let Ok(body) = timeout(PATIENCE, Bytes::from_request(request, state)).await else {
            let problem = Problem::of(StatusCode::REQUEST_TIMEOUT);
            return Err(problem.detail("the body took too long").into());
        };
        let body = body.map_err(unread)?;
        parse(&body).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers
        .get(CONTENT_TYPE)
        .and_then(|media| media.to_str().ok());
    let media = media.and_then(|media| media.split(';').next());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

fn unread(rejection: BytesRejection) -> Refused {
    let problem = match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
            Problem::of(StatusCode::PAYLOAD_TOO_LARGE).detail("the body is too long")
        }
        other => Problem::bad_request(other.body_text()),
    };
    problem.into()
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        let problem = Problem::bad_request(plain(&error.inner().to_string()));
        // A dot is the whole, a question mark is where the form broke off.
        if field == "." || field == "?" {
            problem
        } else {
            problem.field(field)
        }
    })?;
    json.end()
        .map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(value)
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Names in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        let axum::extract::Path(value) =
            path.map_err(|error| Problem::bad_request(plain(&error.body_text())))?;
        Ok(Self(value))
    }
}

/// Parameters of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        let axum::extract::Query(value) = query.map_err(|error| misread(&error.body_text()))?;
        Ok(Self(value))
    }
}

/// A query that cannot be read; axum says the field first, if it knows it.
fn misread(text: &str) -> Problem {
    let text = text
        .strip_prefix("Failed to deserialize query string: ")
        .unwrap_or(text);
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match text.split_once(": ") {
        Some((field, problem)) if is_name(field) => {
            Problem::bad_request(plain(problem)).field(field)
        }
        _ => Problem::bad_request(plain(text)),
    }
}

/// What serde says, without words of Rust.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        if word != "struct" || words.peek().is_none() {
            plain.push_str(word);
            continue;
        }
        // Its name, and how many fields it has.
        words.next();
        if words.peek() == Some(&"with") {
            words.nth(2);
        }
        plain.push_str("an object");
    }
    let more = "more is wanted than this word: an object with it as its one field";
    plain
        .replace("invalid type: unit variant, expected newtype variant", more)
        .replace("a sequence", "a list")
        .replace("to a `u64`", "as a number")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rules {
        rules: Vec<Rule>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        port: u16,
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let refused = |text: &str| *parse::<Rules>(text.as_bytes()).unwrap_err().0;
        let problem = refused(r#"{"rules":[{"port":1},{"port":70000}]}"#);
        assert_eq!(problem.field.as_deref(), Some("rules[1].port"));
        assert_eq!(problem.status, 400);
        let problem = refused(r#"{"rules":[{"prot":1}]}"#);
        assert!(problem.to_string().contains("unknown field `prot`"));
        for text in ["", "{", r#"{"rules":[]} x"#] {
            assert_eq!(refused(text).field, None);
        }
        let problem = refused(r#"{"rules":7}"#);
        assert!(problem.to_string().contains("expected a list"), "{problem}");
        let problem = refused(r#"{"rules":[null]}"#);
        assert!(
            problem.to_string().contains("expected an object at line"),
            "{problem}"
        );
        let rules: Rules = parse(br#"{"rules":[{"port":1}]}"#).unwrap();
        assert_eq!(rules.rules[0].port, 1);
    }

    #[test]
    fn people_read_no_words_of_rust() {
        for (said, expected) in [
            (
                "invalid length 2, expected struct Body with 3 elements at line 1",
                "invalid length 2, expected an object at line 1",
            ),
            (
                "invalid type: null, expected struct VpcSpec at line 1",
                "invalid type: null, expected an object at line 1",
            ),
            ("struct", "struct"),
            ("expected a sequence", "expected a list"),
        ] {
            assert_eq!(plain(said), expected);
        }
        let problem = misread("Failed to deserialize query string: limit: invalid digit");
        assert_eq!(problem.field.as_deref(), Some("limit"));
        assert_eq!(problem.detail.as_deref(), Some("invalid digit"));
        assert_eq!(misread("what: Is This").field.as_deref(), Some("what"));
        assert_eq!(misread("Too Bad: x").field, None);
    }
}
