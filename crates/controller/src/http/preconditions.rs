//! What a client says of a change beside it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use rackweave_api::control::{Actor, IDEMPOTENCY_KEY};
use rackweave_api::http::Problem;
use rackweave_types::Generation;

use crate::world::Repeat;

/// What a client says of a change beside it.
#[derive(Clone, Debug)]
pub(super) struct Preconditions {
    method: Method,
    path: String,
    headers: HeaderMap,
}

impl<S: Send + Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            headers: parts.headers.clone(),
        })
    }
}

impl Preconditions {
    /// The path of the request.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The generation that the object must have (RFC 9110, 13.1.1); none where any will do.
    ///
    /// # Errors
    /// Where it is no generation.
    pub(super) fn if_match(&self) -> Result<Option<Generation>, Problem> {
        let Some(value) = self.headers.get(IF_MATCH) else {
            return Ok(None);
        };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(None);
        }
        let digits = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        let number = digits.unwrap_or(text).parse::<u64>();
        number
            .map(|number| Some(Generation::new(number)))
            .map_err(|_| {
                let problem = Problem::bad_request("one generation is wanted, as `etag` tells it");
                problem.field("if-match")
            })
    }

    /// What makes the repetition of the request known, if the client named it.
    ///
    /// # Errors
    /// Where the name is none.
    pub(super) fn repeat(&self, actor: &Actor, body: &[u8]) -> Result<Option<Repeat>, Problem> {
        let Some(name) = self.headers.get(IDEMPOTENCY_KEY) else {
            return Ok(None);
        };
        let name = name.to_str().unwrap_or_default();
        let request = [self.method.as_str().as_bytes(), self.path.as_bytes(), body];
        Repeat::new(actor, name, &request).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_generation_is_read_as_it_is_told() {
        let if_match = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_MATCH, HeaderValue::from_static(text));
            let said = Preconditions {
                method: Method::PUT,
                path: String::new(),
                headers,
            };
            said.if_match()
        };
        assert_eq!(if_match("\"7\""), Ok(Some(Generation::new(7))));
        assert_eq!(if_match("7"), Ok(Some(Generation::new(7))));
        assert_eq!(if_match("*"), Ok(None));
        for bad in ["", "\"7", "x", "W/\"7\"", "\"7\", \"8\""] {
            assert!(if_match(bad).is_err(), "{bad}");
        }
    }
}
