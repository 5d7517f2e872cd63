//! Tokens in the store: one key for each, under its hash.

use rackweave_api::control::{Grant, NewToken, Token};
use rackweave_api::http::Problem;
use rackweave_store::{Commit, CommitError, Key, Store};
use serde::{Deserialize, Serialize};

use super::{Secret, TokenHash};
use crate::problems::{unreadable, unwritten};

/// What keys of tokens begin with.
pub(crate) const PREFIX: &str = "auth/token/";
/// The version in which tokens are written.
const VERSION: u16 = 1;
/// The most tokens that there may be.
const TOKENS_MAX: usize = 10_000;

/// A token as it is kept. Grants name projects by their id: a project that follows another one of its name is another.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    version: u16,
    #[serde(flatten)]
    token: Token,
}

/// The tokens of a store.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    store: Store,
}

/// What was shown is no token that is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Nobody was given it, or it was taken back.
    Unknown,
    /// Its time is over.
    Ended,
}

impl Tokens {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// The token that somebody shows, at this time.
    pub(crate) async fn shown(
        &self,
        secret: &str,
        now_ms: u64,
    ) -> Result<Result<Token, Unusable>, Problem> {
        let key = key(&TokenHash::of(secret).to_string())?;
        let entry = self.store.get(&key, None).await;
        let Some(entry) = entry.map_err(|error| unreadable(&error))? else {
            return Ok(Err(Unusable::Unknown));
        };
        let token = read(&entry.value)?;
        Ok(if token.ends_ms.is_some_and(|ends| ends <= now_ms) {
            Err(Unusable::Ended)
        } else {
            Ok(token)
        })
    }

    /// Makes a token; its grants have been checked, and name projects by id.
    pub(crate) async fn make(
        &self,
        new: NewToken,
        drawn: &[u8; 32],
        now_ms: u64,
    ) -> Result<(Secret, Token), Problem> {
        let secret = Secret::new(drawn);
        let lifetime = new.lifetime_s.map(|seconds| seconds.saturating_mul(1000));
        let token = Token {
            id: secret.hash().id(),
            subject: new.subject,
            grants: new.grants,
            made_ms: now_ms,
            ends_ms: lifetime.map(|lifetime| now_ms.saturating_add(lifetime)),
        };
        if self.list().await?.len() >= TOKENS_MAX {
            let full = format!("there are {TOKENS_MAX} tokens already");
            return Err(Problem::conflict(full).next("delete those that nobody needs"));
        }
        let kept = Kept {
            version: VERSION,
            token: token.clone(),
        };
        let value =
            serde_json::to_vec(&kept).map_err(|_| Problem::internal("a token is no JSON"))?;
        let key = key(&secret.hash().to_string())?;
        let commit = Commit::new().expect_absent(key.clone()).put(key, value);
        let made = self.store.commit(commit).await;
        made.map_err(|error| unwritten(&error))?;
        Ok((secret, token))
    }

    /// All tokens, by id.
    pub(crate) async fn list(&self) -> Result<Vec<Token>, Problem> {
        let listing = self.store.list(PREFIX, None).await;
        let entries = listing.map_err(|error| unreadable(&error))?.entries;
        entries.iter().map(|entry| read(&entry.value)).collect()
    }

    /// Takes a token back; tells it.
    pub(crate) async fn delete(&self, id: &str) -> Result<Option<Token>, Problem> {
        let digits = id.len() == TokenHash::ID && id.bytes().all(|b| b.is_ascii_hexdigit());
        if !digits {
            return Ok(None);
        }
        let listing = self.store.list(&format!("{PREFIX}{id}"), None).await;
        let entries = listing.map_err(|error| unreadable(&error))?.entries;
        let Some(entry) = entries.into_iter().next() else {
            return Ok(None);
        };
        let token = read(&entry.value)?;
        let commit = Commit::new()
            .expect_at(entry.key.clone(), entry.modified)
            .delete(entry.key);
        match self.store.commit(commit).await {
            Ok(_) => Ok(Some(token)),
            // Somebody else was faster.
            Err(CommitError::Conflict(_)) => Ok(None),
            Err(error) => Err(unwritten(&error)),
        }
    }
}

/// Whether a token opens everything.
pub(crate) fn is_operator(token: &Token) -> bool {
    let all = |grant: &Grant| matches!(grant, Grant::Operator {});
    token.grants.iter().any(all)
}

fn key(hash: &str) -> Result<Key, Problem> {
    Key::new(&format!("{PREFIX}{hash}")).map_err(|error| Problem::internal(error.to_string()))
}

fn read(value: &[u8]) -> Result<Token, Problem> {
    let kept: Result<Kept, _> = serde_json::from_slice(value);
    kept.map(|kept| kept.token)
        .map_err(|_| Problem::internal("a token that is kept cannot be read"))
}
/// Whether a value is a token as it is kept.
///
/// # Errors
/// Why it is none.
pub(crate) fn check(value: &[u8]) -> serde_json::Result<()> {
    serde_json::from_slice::<Kept>(value).map(drop)
}
