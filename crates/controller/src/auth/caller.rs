//! Who asks: by a token, over the unix socket, or by a host's certificate.

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rackweave_api::control::{Actor, Grant, Role, Token};
use rackweave_api::http::Problem;
use rackweave_daemon::http::{Peer, Refused};
use rackweave_daemon::node_tls::node;
use rackweave_linux::clock;
use rackweave_trust::UnixTime;
use rackweave_types::NodePrefix;

use super::{Unusable, is_operator};
use crate::app::App;

/// Who asks, proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Root, or the controller's own user, on this machine.
    Local {
        /// Its number.
        uid: u32,
    },
    /// The holder of a token.
    Token(Token),
    /// A node of the AZ, by its certificate.
    Node {
        /// Who it is.
        identity: String,
        /// Its /64, where its rack gave it one.
        prefix: Option<NodePrefix>,
    },
}

impl Caller {
    /// Whether everything is open to them.
    pub(crate) fn is_operator(&self) -> bool {
        match self {
            Self::Local { .. } => true,
            Self::Token(token) => is_operator(token),
            Self::Node { .. } => false,
        }
    }

    /// What they may do in a project; nothing where they may not know of it.
    pub(crate) fn role(&self, project_id: &str) -> Option<Role> {
        match self {
            _ if self.is_operator() => Some(Role::Admin),
            Self::Local { .. } | Self::Node { .. } => None,
            Self::Token(token) => {
                let granted = token.grants.iter().filter_map(|grant| match grant {
                    Grant::Project { project, role } if project == project_id => Some(*role),
                    _ => None,
                });
                granted.max()
            }
        }
    }

    /// Refuses all but operators.
    pub(crate) fn operator(&self) -> Result<(), Problem> {
        if self.is_operator() {
            return Ok(());
        }
        let problem = Problem::forbidden("operators alone may do this");
        Err(problem.next("ask an operator, or use an operator's token"))
    }

    /// Refuses all but operators and the node itself: its certificate opens what is its own and nothing else.
    pub(crate) fn host(&self, node: NodePrefix) -> Result<(), Problem> {
        match self {
            Self::Node { prefix, .. } if *prefix == Some(node) => Ok(()),
            Self::Node { .. } => Err(Problem::forbidden(
                "a node hears and reports of itself alone",
            )),
            Self::Local { .. } | Self::Token(_) => self.operator(),
        }
    }

    /// How the audit log names them.
    pub(crate) fn actor(&self) -> Actor {
        match self {
            Self::Local { uid } => Actor::Local { uid: *uid },
            Self::Token(token) => Actor::Token {
                id: token.id.clone(),
                subject: token.subject.clone(),
            },
            Self::Node { identity, .. } => Actor::Node {
                identity: identity.clone(),
            },
        }
    }
}

/// Why nobody is known to ask. The answer says how to show who one is (RFC 6750, 3).
#[derive(Debug)]
pub(crate) struct Unknown(Refused);

impl From<Problem> for Unknown {
    fn from(problem: Problem) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Unknown {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        if response.status() == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Bearer realm=\"rackweave\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, how);
        }
        response
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Unknown;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Unknown> {
        let caller = who(parts, app).await?;
        // A node's certificate opens what nodes hear and say, each its own ([`Caller::host`]), and nothing else.
        let of_node = parts.uri.path().starts_with("/v1/nodes/");
        if matches!(caller, Self::Node { .. }) && !of_node {
            return Err(Problem::forbidden("a node hears and reports of itself alone").into());
        }
        Ok(caller)
    }
}

/// Who asks, whatever for.
async fn who(parts: &Parts, app: &App) -> Result<Caller, Unknown> {
    let unauthorized = |detail: &str| {
        let problem = Problem::of(StatusCode::UNAUTHORIZED).detail(detail);
        problem.next("show a token: `authorization: Bearer rwt_…`")
    };
    let Some(secret) = bearer(&parts.headers) else {
        let peer = parts.extensions.get::<Peer>();
        return match peer {
            Some(Peer::Tls {
                certificate: Some(certificate),
                ..
            }) => by_certificate(app, certificate).map_err(Into::into),
            Some(peer @ Peer::Unix { uid, .. }) if peer.is_privileged() => {
                Ok(Caller::Local { uid: *uid })
            }
            _ => Err(unauthorized("nobody is known to ask").into()),
        };
    };
    match app.tokens.shown(secret, clock::unix_millis()).await? {
        Ok(token) => Ok(Caller::Token(token)),
        Err(Unusable::Unknown) => Err(unauthorized("this token opens nothing").into()),
        Err(Unusable::Ended) => Err(unauthorized("the token's time is over").into()),
    }
}

/// The node that a certificate proves; the handshake has proved that whoever shows it has its key.
fn by_certificate(app: &App, certificate: &[u8]) -> Result<Caller, Problem> {
    let anchor = app.anchor.as_ref();
    let anchor = anchor.ok_or_else(|| Problem::internal("no AZ's root is known"))?;
    let proven = node(certificate, anchor, UnixTime(clock::unix_seconds()));
    let proven = proven.map_err(|error| {
        let problem = Problem::of(StatusCode::UNAUTHORIZED);
        problem.detail(error.to_string())
    })?;
    Ok(Caller::Node {
        identity: proven.verified.identity,
        prefix: proven.prefix,
    })
}

/// The token that a request shows.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let shown = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = shown.split_once(' ')?;
    let secret = secret.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty()).then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(grants: Vec<Grant>) -> Caller {
        Caller::Token(Token {
            id: "0123456789abcdef".to_owned(),
            subject: "eve".to_owned(),
            grants,
            made_ms: 0,
            ends_ms: None,
        })
    }

    #[test]
    fn a_token_opens_its_projects_alone() {
        let grant = |project: &str, role| Grant::Project {
            project: project.to_owned(),
            role,
        };
        let eve = caller(vec![
            grant("a", Role::Viewer),
            grant("b", Role::Viewer),
            grant("b", Role::Developer),
        ]);
        assert_eq!(eve.role("a"), Some(Role::Viewer));
        assert_eq!(eve.role("b"), Some(Role::Developer));
        assert_eq!(eve.role("c"), None);
        assert_eq!(eve.operator().unwrap_err().status, 403);
        let operator = caller(vec![Grant::Operator {}]);
        assert_eq!(operator.role("c"), Some(Role::Admin));
        assert!(operator.operator().is_ok());
    }

    #[test]
    fn a_nodes_certificate_opens_what_is_its_own() {
        let prefix = |number: u8| format!("fd00:1:2:1{number:02x}::/64").parse().unwrap();
        let sled = Caller::Node {
            identity: "sled-1".to_owned(),
            prefix: Some(prefix(1)),
        };
        assert!(sled.host(prefix(1)).is_ok());
        assert_eq!(sled.host(prefix(2)).unwrap_err().status, 403);
        assert_eq!(sled.operator().unwrap_err().status, 403);
        assert_eq!(sled.role("a"), None);
        let unassigned = Caller::Node {
            identity: "sled-2".to_owned(),
            prefix: None,
        };
        assert!(unassigned.host(prefix(2)).is_err());
        let eve = caller(vec![]);
        assert!(eve.host(prefix(1)).is_err());
        assert!(caller(vec![Grant::Operator {}]).host(prefix(1)).is_ok());
    }

    #[test]
    fn a_token_is_shown_as_the_standard_says() {
        let shown = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(text));
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(shown("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(shown("bearer  abc ").as_deref(), Some("abc"));
        for text in ["abc", "Basic abc", "Bearer ", "Bearer"] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
