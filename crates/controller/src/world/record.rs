//! What is kept of a change beside it: the audit log, and the answer for whoever repeats the request.

use rackweave_api::control::{Actor, AuditEntry};
use rackweave_api::http::{Problem, StatusCode};
use rackweave_store::{Commit, Key, Store};
use serde::{Deserialize, Serialize};

use crate::problems::{unreadable, unwritten};

/// What keys of answers begin with.
pub(crate) const ANSWERS: &str = "idempotency/";
/// The version in which answers are written.
const VERSION: u16 = 1;

/// What whoever asked is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answered {
    /// The status.
    pub(crate) status: u16,
    /// The count of commits with it.
    pub(crate) revision: u64,
    /// The object's generation, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) generation: Option<u64>,
    /// The object, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<serde_json::Value>,
}

/// What makes the repetition of a request known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repeat {
    key: Key,
    digest: String,
}

/// An answer as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u16,
    digest: String,
    at_ms: u64,
    answer: Answered,
}

impl Repeat {
    /// Of a request that somebody named so; `request` are its method, path and body.
    ///
    /// # Errors
    /// Where the name is none.
    pub(crate) fn new(actor: &Actor, name: &str, request: &[&[u8]]) -> Result<Self, Problem> {
        if name.is_empty() || name.len() > 128 {
            let problem = Problem::bad_request("a name of 1 to 128 letters is wanted");
            return Err(problem.field("idempotency-key"));
        }
        let who = match actor {
            Actor::Token { id, .. } => format!("token {id}"),
            Actor::Local { uid } => format!("local {uid}"),
            Actor::Node { identity } => format!("node {identity}"),
        };
        let named = digest(&[who.as_bytes(), name.as_bytes()]);
        let key = Key::new(&format!("{ANSWERS}{named}"));
        Ok(Self {
            key: key.map_err(|error| Problem::internal(error.to_string()))?,
            digest: digest(request),
        })
    }

    /// What its answer is kept under.
    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    /// The answer that was given, if the request was made before.
    ///
    /// # Errors
    /// Where another request had this name, or the store does not answer.
    pub(crate) async fn answered(&self, store: &Store) -> Result<Option<Answered>, Problem> {
        let entry = store.get(&self.key, None).await;
        let Some(entry) = entry.map_err(|error| unreadable(&error))? else {
            return Ok(None);
        };
        let kept: Kept = serde_json::from_slice(&entry.value)
            .map_err(|_| Problem::internal("an answer that is kept cannot be read"))?;
        if kept.digest == self.digest {
            return Ok(Some(kept.answer));
        }
        let problem = Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "the idempotency key was used for another request",
        );
        Err(problem
            .field("idempotency-key")
            .next("draw a new key for each change"))
    }

    /// The answer, as it is kept.
    pub(super) fn kept(&self, answer: &Answered, at_ms: u64) -> Result<Vec<u8>, Problem> {
        json(&Kept {
            version: VERSION,
            digest: self.digest.clone(),
            at_ms,
            answer: answer.clone(),
        })
    }
}

/// When an answer was given.
#[derive(Debug, Deserialize)]
struct Given {
    at_ms: u64,
}

/// Forgets answers from before then: nobody repeats a request after so long. Tells how many.
///
/// # Errors
/// Where the store does not answer.
pub(crate) async fn forget(store: &Store, before_ms: u64) -> Result<usize, Problem> {
    let listing = store.list(ANSWERS, None).await;
    let entries = listing.map_err(|error| unreadable(&error))?.entries;
    let old = entries.into_iter().filter(|entry| {
        let given = serde_json::from_slice::<Given>(&entry.value);
        given.is_ok_and(|given| given.at_ms < before_ms)
    });
    let old: Vec<Key> = old.map(|entry| entry.key).collect();
    for some in old.chunks(Commit::MAX_WRITES) {
        let commit = some.iter().cloned().fold(Commit::new(), Commit::delete);
        let done = store.commit(commit).await;
        done.map_err(|error| unwritten(&error))?;
    }
    Ok(old.len())
}

/// The hash of some texts, which cannot run into each other.
fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex().to_string()
}

/// What an entry of the audit log is kept under: entries are in the order of time.
pub(super) fn audit_key(entry: &AuditEntry) -> Result<Key, Problem> {
    let key = Key::new(&format!("{}{}", crate::audit::PREFIX, entry.sequence));
    key.map_err(|error| Problem::internal(error.to_string()))
}

/// A value as it is kept.
pub(super) fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|_| Problem::internal("what is to be kept is no JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeat(uid: u32, name: &str, request: &[&[u8]]) -> Repeat {
        Repeat::new(&Actor::Local { uid }, name, request).unwrap()
    }

    #[tokio::test]
    async fn answers_are_kept_for_a_while() {
        let store = Store::in_memory(rackweave_store::EmbeddedOptions::default()).unwrap();
        let answer = Answered {
            status: 201,
            revision: 7,
            generation: None,
            body: None,
        };
        for (name, at_ms) in [("old", 5), ("new", 10)] {
            let kept = repeat(0, name, &[]).kept(&answer, at_ms).unwrap();
            let commit = Commit::new().put(repeat(0, name, &[]).key, kept);
            store.commit(commit).await.unwrap();
        }
        assert_eq!(forget(&store, 10).await, Ok(1));
        let answered = async |name| repeat(0, name, &[]).answered(&store).await.unwrap();
        assert_eq!(answered("old").await, None);
        assert_eq!(answered("new").await, Some(answer));
    }

    #[test]
    fn names_are_their_owners_and_requests_are_told_apart() {
        let first = repeat(0, "a", &[b"POST", b"/v1/projects", b"{}"]);
        assert_eq!(first, repeat(0, "a", &[b"POST", b"/v1/projects", b"{}"]));
        assert_ne!(first.key, repeat(1, "a", &[]).key);
        let other = repeat(0, "a", &[b"POST", b"/v1/project", b"s{}"]);
        assert_eq!(first.key, other.key);
        assert_ne!(first.digest, other.digest);
        let long = "x".repeat(129);
        for bad in ["", &long] {
            assert!(Repeat::new(&Actor::Local { uid: 0 }, bad, &[]).is_err());
        }
    }
}
