//! What tells requests apart, in answers and in the log.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use rackweave_api::http::{Problem, REQUEST_ID};
use rackweave_linux::{clock, random};

use super::Refused;

/// The most letters of a request id.
const LENGTH_MAX: usize = 64;

/// The id of a request: the client's own, or else drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a request with these header fields.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let own = headers.get(REQUEST_ID).and_then(|own| own.to_str().ok());
        own.filter(|own| is_id(own))
            .map_or_else(Self::drawn, |own| Self(own.to_owned()))
    }

    fn drawn() -> Self {
        // Without entropy, which a running system has, the time tells requests apart well enough for a log.
        let drawn =
            random::bytes().map_or_else(|_| u128::from(clock::unix_millis()), u128::from_be_bytes);
        Self(format!("{drawn:032x}"))
    }

    pub(super) fn header(&self) -> HeaderValue {
        // What `of` accepts and `drawn` writes are letters that may stand in a header.
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

fn is_id(text: &str) -> bool {
    let letter = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    (1..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(letter)
}

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refused> {
        let id = parts.extensions.get::<Self>().cloned();
        id.ok_or_else(|| Problem::internal("the request has no id").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_own_id_is_kept_if_it_can_stand_in_a_log() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(text).unwrap());
            RequestId::of(&headers).as_str().to_owned()
        };
        assert_eq!(of("deploy-7.a_b"), "deploy-7.a_b");
        for bad in ["", "a b", "a\"b", &"x".repeat(65)] {
            let drawn = of(bad);
            assert!(drawn != bad && drawn.len() == 32, "{drawn}");
        }
        let none = HeaderMap::new();
        assert_ne!(RequestId::of(&none), RequestId::of(&none));
    }
}
