//! What is answered to a request: a function of who asks, the request and the time.

use std::time::Duration;

use rackweave_types::PortId;

use super::http::{Request, Response, Status};
use super::token::Tokens;
use super::tree::{Node, tree};
use crate::agent::turn::Turn;
use crate::agent::view::InstanceView;

/// The longest life of a token: six hours.
const MAX_TTL: u64 = 21_600;
/// The header field that tells a token's life.
const TTL_FIELD: &str = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds";
/// Versions of the tree, all of the same contents: those that cloud-init knows, and the newest.
const VERSIONS: [&str; 5] = [
    "2009-04-04",
    "2016-09-02",
    "2018-09-24",
    "2021-03-23",
    "latest",
];

/// Who asks: known by the port that the request came through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    /// The port.
    pub(crate) port: PortId,
    /// The instance it belongs to.
    pub(crate) instance: Option<&'a InstanceView>,
}

/// Answers a request.
pub(crate) fn respond(
    asker: Asker<'_>,
    request: &Request,
    tokens: &Tokens,
    turn: &mut Turn<'_>,
) -> Response {
    turn.counters.metadata_requests += 1;
    let mut response = decide(asker, request, tokens, turn);
    match response.status {
        Status::Ok => turn.counters.metadata_answered += 1,
        _ => turn.counters.metadata_refused += 1,
    }
    response.head_only = request.method == "HEAD";
    response.keep_alive &= request.keep_alive;
    response
}

fn decide(asker: Asker<'_>, request: &Request, tokens: &Tokens, turn: &mut Turn<'_>) -> Response {
    // Who is led to a proxy that stands open on the guest must not read what is the guest's.
    if request.fields.forwarded {
        return Response::of(Status::Forbidden);
    }
    let names: Vec<&str> = request
        .path
        .split('/')
        .filter(|name| !name.is_empty())
        .collect();
    match (request.method.as_str(), names.as_slice()) {
        ("PUT", ["latest", "api", "token"]) => give_token(asker, request, tokens, turn),
        (_, ["latest", "api", "token"]) => not_allowed("PUT"),
        ("GET" | "HEAD", _) => read(asker, request, &names, tokens, turn),
        _ => not_allowed("GET, HEAD"),
    }
}

fn not_allowed(methods: &str) -> Response {
    let mut response = Response::of(Status::MethodNotAllowed);
    response.fields.push(("Allow", methods.to_owned()));
    response
}

fn give_token(
    asker: Asker<'_>,
    request: &Request,
    tokens: &Tokens,
    turn: &mut Turn<'_>,
) -> Response {
    let ttl = request.fields.token_ttl.as_deref().and_then(seconds);
    let Some(ttl) = ttl.filter(|ttl| (1..=MAX_TTL).contains(ttl)) else {
        return Response::of(Status::BadRequest);
    };
    let life = Duration::from_secs(ttl);
    let token = tokens.give(asker.port, life, turn.now, turn.random);
    turn.counters.metadata_tokens += 1;
    let mut response = Response::of(Status::Ok);
    response.fields.push((TTL_FIELD, ttl.to_string()));
    response.body = token.into_bytes();
    response
}

fn seconds(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn read(
    asker: Asker<'_>,
    request: &Request,
    names: &[&str],
    tokens: &Tokens,
    turn: &Turn<'_>,
) -> Response {
    let token = request.fields.token.as_deref();
    let left = token.and_then(|token| tokens.check(asker.port, token, turn.now));
    let Some(left) = left else {
        return Response::of(Status::Unauthorized);
    };
    let mut response = contents(asker, names);
    response
        .fields
        .push((TTL_FIELD, left.as_secs().to_string()));
    response
}

fn contents(asker: Asker<'_>, names: &[&str]) -> Response {
    let Some((version, path)) = names.split_first() else {
        return text(VERSIONS.join("\n"));
    };
    let known = asker.instance.filter(|_| VERSIONS.contains(version));
    let tree = known.map(tree);
    let node = tree
        .as_ref()
        .and_then(|tree| tree.find(path.iter().copied()));
    match node {
        None => Response::of(Status::NotFound),
        Some(Node::Directory(entries, listing)) => text(Node::list(entries, *listing)),
        Some(Node::Leaf(leaf)) => Response {
            content_type: leaf.content_type,
            body: leaf.body.clone(),
            ..Response::of(Status::Ok)
        },
    }
}

fn text(body: String) -> Response {
    Response {
        body: body.into_bytes(),
        ..Response::of(Status::Ok)
    }
}
