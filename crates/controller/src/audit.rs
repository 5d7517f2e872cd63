//! The audit log: an entry for every change, stored together with it.

use rackweave_api::control::{Action, Actor, AuditEntry, Page};
use rackweave_api::http::Problem;
use rackweave_linux::{clock, random};
use rackweave_store::{Commit, Key, Store};
use rackweave_types::Generation;

use crate::problems::{unreadable, unwritten};

/// What keys of entries begin with.
pub(crate) const PREFIX: &str = "audit/";
/// Entries that are read at once, of which a project's are chosen.
const READ: usize = 1000;

/// The place in the log of the entries of a commit: ordered by time, and told apart by the commit and their own number.
pub(crate) fn sequence(at_ms: u64, commit: Generation, own: usize) -> String {
    format!("{at_ms:012x}-{:016x}-{own:02x}", commit.get())
}

/// Writes an entry of its own: of a change that stands outside of intent.
pub(crate) async fn write(
    store: &Store,
    actor: Actor,
    request_id: &str,
    action: Action,
    path: String,
) -> Result<(), Problem> {
    let at_ms = clock::unix_millis();
    let drawn = random::bytes().map_err(|_| Problem::internal("nothing can be drawn"))?;
    let entry = AuditEntry {
        // It is before the commits of its millisecond.
        sequence: format!("{at_ms:012x}-{:016x}-{:08x}", 0, u32::from_be_bytes(drawn)),
        at_ms,
        actor,
        request_id: request_id.to_owned(),
        action,
        path,
        id: None,
        project: None,
        revision: None,
    };
    let value = serde_json::to_vec(&entry);
    let value = value.map_err(|_| Problem::internal("an audit entry is no JSON"))?;
    let commit = Commit::new().put(key(&entry.sequence)?, value);
    let written = store.commit(commit).await;
    written.map(drop).map_err(|error| unwritten(&error))
}

/// Entries behind `after`, the oldest first; of one project where it is named by its id.
pub(crate) async fn page(
    store: &Store,
    after: Option<&str>,
    limit: usize,
    project: Option<&str>,
) -> Result<Page<AuditEntry>, Problem> {
    let mut last = after.map(key).transpose()?;
    let mut items = Vec::new();
    loop {
        let page = store.page(PREFIX, None, last.as_ref(), READ).await;
        let page = page.map_err(|error| unreadable(&error))?;
        for entry in &page.entries {
            last = Some(entry.key.clone());
            let found: AuditEntry = serde_json::from_slice(&entry.value)
                .map_err(|_| Problem::internal("an audit entry cannot be read"))?;
            if project.is_some_and(|project| found.project.as_deref() != Some(project)) {
                continue;
            }
            items.push(found);
            if items.len() == limit {
                let next = items.last().map(|entry| entry.sequence.clone());
                return Ok(Page { items, next });
            }
        }
        if !page.more {
            return Ok(Page { items, next: None });
        }
    }
}

fn key(sequence: &str) -> Result<Key, Problem> {
    let key = Key::new(&format!("{PREFIX}{sequence}"));
    key.map_err(|error| Problem::bad_request(error.to_string()).field("after"))
}
