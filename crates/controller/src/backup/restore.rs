//! A backup becomes what is stored.

use rackweave_control::Key as IntentKey;
use rackweave_linux::clock;
use rackweave_store::{Commit, CommitError, Key, KeyError, ReadError, Store};
use rackweave_types::Generation;

use super::{Backup, PREFIXES};
use crate::peers::living;
use crate::world::{ANSWERS, Head};

/// What is stored while a backup is restored. A controller does not start over it.
pub(crate) const UNFINISHED: &str = "restore/unfinished";
/// Octets of one commit, with room for keys.
const OCTETS: usize = Commit::MAX_OCTETS / 2;

/// Whether what is stored may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replace {
    /// Only an empty store is written to.
    Nothing,
    /// What is stored goes.
    Everything,
}

/// Why a backup was not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RestoreError {
    /// Something is stored.
    #[error("something is stored already: {0} keys; --replace removes them first")]
    NotEmpty(usize),
    /// A controller serves from this store.
    #[error("a controller serves from this store: stop all of them, and wait for 20 s")]
    Served,
    /// The store does not answer.
    #[error("the store cannot be read")]
    Read(#[from] ReadError),
    /// The store does not take it. What is stored is half a backup: no controller starts over it.
    #[error("the store does not take it; restore it again when it does")]
    Write(#[from] CommitError),
    /// A key cannot be one.
    #[error("a key cannot be stored")]
    Key(#[from] KeyError),
    /// Something in the store is not of its form.
    #[error("{0}")]
    Form(String),
}

/// Puts a backup into a store that no controller serves from. Broken off, it can be done again.
///
/// # Errors
/// Why it was not done, or not to its end.
pub(crate) async fn restore(
    store: &Store,
    backup: &Backup,
    replace: Replace,
) -> Result<Generation, RestoreError> {
    let alive = living(store, clock::unix_millis()).await;
    let alive = alive.map_err(|problem| RestoreError::Form(problem.to_string()))?;
    if !alive.is_empty() {
        return Err(RestoreError::Served);
    }
    let unfinished = Key::new(UNFINISHED)?;
    let again = store.get(&unfinished, None).await?.is_some();
    let mut old = Vec::new();
    for prefix in PREFIXES.into_iter().chain([ANSWERS]) {
        let listing = store.list(prefix, None).await?;
        old.extend(listing.entries);
    }
    if !old.is_empty() && !again && replace == Replace::Nothing {
        return Err(RestoreError::NotEmpty(old.len()));
    }
    let head_key = Key::new(IntentKey::HEAD)?;
    let stored = old.iter().find(|entry| entry.key == head_key);
    let stored = stored.and_then(|entry| serde_json::from_slice::<Head>(&entry.value).ok());
    let head = backup.next(stored.map(|head| head.revision));
    store
        .commit(Commit::new().put(unfinished.clone(), b"{}".to_vec()))
        .await?;
    for some in old.chunks(Commit::MAX_WRITES) {
        let keys = some.iter().map(|entry| entry.key.clone());
        store
            .commit(keys.fold(Commit::new(), Commit::delete))
            .await?;
    }
    let (mut commit, mut octets) = (Commit::new(), 0);
    for (key, value) in &backup.entries {
        if commit.writes() == Commit::MAX_WRITES || octets + value.len() > OCTETS {
            store.commit(std::mem::take(&mut commit)).await?;
            octets = 0;
        }
        octets += value.len();
        commit = commit.put(Key::new(key)?, value.clone());
    }
    if commit.writes() > 0 {
        store.commit(commit).await?;
    }
    let value = serde_json::to_vec(&head);
    let value = value.map_err(|error| RestoreError::Form(error.to_string()))?;
    // With the count it is whole.
    store
        .commit(Commit::new().put(head_key, value).delete(unfinished))
        .await?;
    Ok(head.revision)
}
