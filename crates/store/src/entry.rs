//! What is read and what is watched.

use std::sync::Arc;

use crate::{Key, Revision};

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value.
    pub value: Arc<[u8]>,
    /// The commit that made the key, since it was absent last.
    pub created: Revision,
    /// The commit that wrote this value: what [`crate::Commit::expect_at`] compares.
    pub modified: Revision,
    /// How often it was written since it was created, from 1.
    pub version: u64,
}

/// All keys with a prefix, at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The revision.
    pub revision: Revision,
    /// What was there, by key.
    pub entries: Vec<Entry>,
}

/// Some of the keys with a prefix, at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The revision: the next page is read at the same one, after this one's last key.
    pub revision: Revision,
    /// What was there, by key.
    pub entries: Vec<Entry>,
    /// Whether there are more.
    pub more: bool,
}

/// What a commit did with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was written.
    Put(Entry),
    /// It was deleted.
    Delete(Key),
}

impl Event {
    /// The key.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(entry) => &entry.key,
            Self::Delete(key) => key,
        }
    }
}

/// What one commit did with the keys that are watched: all of it, never a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The commit.
    pub revision: Revision,
    /// What it did, in the order in which the commit named the keys; at least one.
    pub events: Vec<Event>,
}
