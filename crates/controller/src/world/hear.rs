//! What the store tells: others' commits, and all of it where something was missed.

use rackweave_control::model::Object;
use rackweave_control::{Change, Commit, Intent, Key, Plan};
use rackweave_store::{Entry, Event, FeedEvent, ReadError, Revision};
use rackweave_types::Generation;
use serde::{Deserialize, Serialize};

use super::World;

/// The count of commits, as it is kept beside the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The version in which it is written.
    pub(crate) version: u16,
    /// The count.
    pub(crate) revision: Generation,
}

impl Head {
    /// The version in which it is written.
    pub(crate) const VERSION: u16 = 1;
}

/// What one commit of the store did with intent.
struct Heard {
    head: Option<Head>,
    changes: Vec<Change>,
}

impl World {
    /// Takes in what the store tells.
    ///
    /// # Errors
    /// Where what is stored cannot be understood; the snapshot stays as it was.
    pub(super) fn hear(&mut self, event: FeedEvent) -> Result<(), ReadError> {
        match event {
            FeedEvent::Listed { entries, .. } => self.load(&entries),
            FeedEvent::Change(change) => {
                let heard = heard(&change.events)?;
                let Some(head) = heard.head else {
                    tracing::warn!("objects were stored without their count");
                    return Ok(());
                };
                if head.revision <= self.intent.head() {
                    // Our own.
                    return Ok(());
                }
                let commit = Commit {
                    base: self.intent.head(),
                    changes: heard.changes,
                };
                if head.revision != commit.head() {
                    return Err(damaged("a commit is missing"));
                }
                self.adopt(&commit, change.revision);
                Ok(())
            }
        }
    }

    /// Goes along with a commit that is stored.
    pub(super) fn adopt(&mut self, commit: &Commit, at: Revision) {
        let delta = self.plan.commit(&mut self.intent, commit);
        self.head = Some(at);
        self.tell_hosts(delta);
    }

    fn load(&mut self, entries: &[Entry]) -> Result<(), ReadError> {
        let mut head = None;
        let mut objects = Vec::with_capacity(entries.len());
        for entry in entries {
            if entry.key.as_str() == Key::HEAD {
                head = Some((read_head(&entry.value)?, entry.modified));
            } else {
                objects.push(read_object(key(entry.key.as_str())?, &entry.value)?);
            }
        }
        let count = head.map_or(Generation::default(), |(head, _)| head.revision);
        self.intent = Intent::load(count, objects);
        self.plan = Plan::new(&self.intent);
        self.hub.reset(count);
        self.head = head.map(|(_, modified)| modified);
        Ok(())
    }
}

fn heard(events: &[Event]) -> Result<Heard, ReadError> {
    let mut heard = Heard {
        head: None,
        changes: Vec::with_capacity(events.len()),
    };
    for event in events {
        match event {
            Event::Put(entry) if entry.key.as_str() == Key::HEAD => {
                heard.head = Some(read_head(&entry.value)?);
            }
            Event::Put(entry) => {
                let key = key(entry.key.as_str())?;
                let object = Some(read_object(key, &entry.value)?);
                heard.changes.push(Change { key, object });
            }
            Event::Delete(deleted) => heard.changes.push(Change {
                key: key(deleted.as_str())?,
                object: None,
            }),
        }
    }
    Ok(heard)
}

fn key(text: &str) -> Result<Key, ReadError> {
    text.parse()
        .map_err(|_| damaged(&format!("{text} is no key of intent")))
}

fn read_head(value: &[u8]) -> Result<Head, ReadError> {
    serde_json::from_slice(value).map_err(|error| damaged(&format!("{}: {error}", Key::HEAD)))
}

fn read_object(key: Key, value: &[u8]) -> Result<Object, ReadError> {
    Object::decode(key.kind, value).map_err(|error| damaged(&format!("{key}: {error}")))
}

fn damaged(what: &str) -> ReadError {
    ReadError::Damaged(what.to_owned())
}
