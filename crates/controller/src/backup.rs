//! All of intent in one file: what was asked for, what was given to it, and who may ask.
//!
//! Lines of JSON. The first says what it is, of which version, and of which revision; then comes each key with its value
//! as it is stored; the last counts them and holds the hash (BLAKE3) of all lines before it, so that a file that broke off
//! or was changed is known. What tokens are themselves does not stand in it, only their hashes.

mod restore;

use std::collections::BTreeSet;

use rackweave_control::model::Object;
use rackweave_control::{Intent, Key as IntentKey};
use rackweave_store::Entry;
use rackweave_types::Generation;
use serde::{Deserialize, Serialize};
use serde_json::value::Value;

pub(crate) use restore::{Replace, UNFINISHED, restore};

use crate::auth;
use crate::world::Head;

/// What it is.
const FORMAT: &str = "rackweave-backup";
/// The version in which it is written.
const VERSION: u16 = 1;
/// The newest version that is read: one release ahead.
const NEWEST: u16 = 2;
/// What keys of all that is backed up begin with.
pub(crate) const PREFIXES: [&str; 2] = [IntentKey::PREFIX, auth::PREFIX];

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct First {
    format: String,
    version: u16,
    program: String,
    made_ms: u64,
    revision: u64,
}

/// A line between.
#[derive(Debug, Deserialize)]
struct Line {
    key: String,
    value: Value,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
struct Last {
    entries: u64,
    digest: String,
}

/// Writes the lines of a backup, one after the other.
#[derive(Debug)]
pub(crate) struct Writer {
    hasher: blake3::Hasher,
    entries: u64,
}

impl Writer {
    /// A backup of a revision; tells the first line.
    pub(crate) fn begin(made_ms: u64, revision: Generation) -> serde_json::Result<(Self, Vec<u8>)> {
        let mut writer = Self {
            hasher: blake3::Hasher::new(),
            entries: 0,
        };
        let first = serde_json::to_vec(&First {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: rackweave_daemon::program(),
            made_ms,
            revision: revision.get(),
        })?;
        let line = writer.line(first);
        Ok((writer, line))
    }

    /// The line of what is stored under a key.
    pub(crate) fn entry(&mut self, entry: &Entry) -> serde_json::Result<Vec<u8>> {
        self.entries += 1;
        let mut line = br#"{"key":"#.to_vec();
        serde_json::to_writer(&mut line, entry.key.as_str())?;
        line.extend_from_slice(br#","value":"#);
        // What is stored is JSON without line ends.
        line.extend_from_slice(&entry.value);
        line.push(b'}');
        Ok(self.line(line))
    }

    /// The last line.
    pub(crate) fn end(self) -> serde_json::Result<Vec<u8>> {
        let mut last = serde_json::to_vec(&Last {
            entries: self.entries,
            digest: self.hasher.finalize().to_hex().to_string(),
        })?;
        last.push(b'\n');
        Ok(last)
    }

    fn line(&mut self, mut line: Vec<u8>) -> Vec<u8> {
        line.push(b'\n');
        self.hasher.update(&line);
        line
    }
}

/// A backup that was read and is whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Backup {
    /// The count of commits in it.
    pub(crate) revision: Generation,
    /// When it was made, in milliseconds since 1970.
    pub(crate) made_ms: u64,
    /// What was stored, by key, but for the count of commits.
    pub(crate) entries: Vec<(String, Vec<u8>)>,
}

/// Why a file is no backup that can be restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BackupError {
    /// It is something else.
    #[error("it is no backup of a controller")]
    Other,
    /// A newer release wrote it.
    #[error(
        "it has version {0}, and this release reads up to {NEWEST}: use the release that wrote it"
    )]
    Version(u16),
    /// It broke off, or was changed.
    #[error("line {line}: {problem}")]
    Damaged {
        /// Where.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

impl Backup {
    /// Reads a file, and checks all of it.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(crate) fn read(text: &[u8]) -> Result<Self, BackupError> {
        let mut lines: Vec<&[u8]> = text.split_inclusive(|octet| *octet == b'\n').collect();
        let first = lines.first().copied().unwrap_or_default();
        let first: First = serde_json::from_slice(first).map_err(|_| BackupError::Other)?;
        if first.format != FORMAT {
            return Err(BackupError::Other);
        }
        if first.version > NEWEST {
            return Err(BackupError::Version(first.version));
        }
        let count = lines.len();
        let damaged = |line, problem: &str| BackupError::Damaged {
            line,
            problem: problem.to_owned(),
        };
        let last = lines.pop().unwrap_or_default();
        let last: Last = serde_json::from_slice(last)
            .map_err(|_| damaged(count, "the file broke off: its last line is missing"))?;
        let mut hasher = blake3::Hasher::new();
        for line in &lines {
            hasher.update(line);
        }
        if hasher.finalize().to_hex().as_str() != last.digest {
            return Err(damaged(
                count,
                "the file was changed: its digest is another one",
            ));
        }
        let mut backup = Self {
            revision: Generation::new(first.revision),
            made_ms: first.made_ms,
            entries: Vec::with_capacity(count),
        };
        for (at, line) in lines.into_iter().enumerate().skip(1) {
            let wrong = |error: serde_json::Error| damaged(at + 1, &error.to_string());
            let line: Line = serde_json::from_slice(line).map_err(wrong)?;
            if line.key != IntentKey::HEAD {
                let value = serde_json::to_vec(&line.value).map_err(wrong)?;
                backup.entries.push((line.key, value));
            }
        }
        backup.check()?;
        Ok(backup)
    }

    /// Checks that what stands in it can be used.
    fn check(&self) -> Result<(), BackupError> {
        let mut objects = Vec::new();
        let mut keys = BTreeSet::new();
        for (at, (key, value)) in self.entries.iter().enumerate() {
            let damaged = |problem: String| BackupError::Damaged {
                // The first line is none of them.
                line: at + 2,
                problem: format!("{key}: {problem}"),
            };
            if !keys.insert(key) {
                return Err(damaged("it stands there twice".to_owned()));
            }
            if key.starts_with(IntentKey::PREFIX) {
                let key: IntentKey = key.parse().map_err(|_| damaged("no key".to_owned()))?;
                let object = Object::decode(key.kind, value);
                let object = object.map_err(|error| damaged(full(&error)))?;
                if object.key() != key {
                    return Err(damaged("it is another object's key".to_owned()));
                }
                objects.push(object);
            } else if key.starts_with(auth::PREFIX) {
                auth::check(value).map_err(|error| damaged(error.to_string()))?;
            } else {
                return Err(damaged("it is nothing that is backed up".to_owned()));
            }
        }
        let intent = Intent::load(self.revision, objects);
        let orphan = intent.objects().find(|object| {
            let parent = object.kind().parent().zip(object.meta().parent);
            let parent = parent.map(|(kind, id)| IntentKey::new(kind, id));
            let missing = parent.is_some_and(|parent| intent.get(parent).is_none());
            missing || object.kind().parent().is_some() != object.meta().parent.is_some()
        });
        match orphan {
            Some(object) => Err(BackupError::Damaged {
                line: 1,
                problem: format!("{}: what it belongs to is missing", object.key()),
            }),
            None => Ok(()),
        }
    }

    /// How many objects there are.
    pub(crate) fn objects(&self) -> usize {
        let keys = self.entries.iter();
        keys.filter(|(key, _)| key.starts_with(IntentKey::PREFIX))
            .count()
    }

    /// The count of commits after it was restored over a store that counts so many: far behind all that were made since,
    /// so that no host and no `etag` takes a new change for one of before.
    pub(crate) fn next(&self, stored: Option<Generation>) -> Head {
        let last = stored.map_or(self.revision, |stored| stored.max(self.revision));
        Head {
            version: Head::VERSION,
            revision: Generation::new(last.get().saturating_add(AHEAD)),
        }
    }
}

/// How far the count of commits goes on when a backup is restored.
const AHEAD: u64 = 1_000_000;

/// An error with what caused it.
fn full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
