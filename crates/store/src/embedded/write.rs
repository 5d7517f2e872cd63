//! Writing: commits and the end of the log, in one transaction.

use redb::{ReadableTable, Table, WriteTransaction};

use super::layout::{FLOOR, HEAD, LOG, META, VERSIONS, Version};
use crate::{Commit, Key, Mismatch, ReadError, Revision};

/// The tables, in a transaction that writes.
pub(super) struct Tables<'t> {
    versions: Table<'t, (&'static str, u64), &'static [u8]>,
    log: Table<'t, (u64, u32), &'static str>,
    meta: Table<'t, &'static str, u64>,
    head: u64,
    floor: u64,
}

/// What became of a commit.
#[derive(Debug)]
pub(super) enum Outcome {
    /// All is as it says, since this revision.
    Done(Revision),
    /// Nothing was done.
    Conflict(Vec<Mismatch>),
}

/// The newest version of a key that is there.
struct Newest {
    modified: u64,
    created: u64,
    version: u64,
}

impl<'t> Tables<'t> {
    pub(super) fn of(writer: &'t WriteTransaction) -> Result<Self, redb::Error> {
        let meta = writer.open_table(META)?;
        let number = |name: &str| -> Result<u64, redb::Error> {
            let number = meta.get(name)?.map(|number| number.value());
            number.ok_or_else(|| redb::Error::Corrupted(format!("{name} is missing")))
        };
        let (head, floor) = (number(HEAD)?, number(FLOOR)?);
        Ok(Self {
            versions: writer.open_table(VERSIONS)?,
            log: writer.open_table(LOG)?,
            meta,
            head,
            floor,
        })
    }

    pub(super) fn head(&self) -> Revision {
        Revision::new(self.head)
    }

    /// Does what a commit says, if what it expects holds.
    pub(super) fn apply(&mut self, commit: &Commit) -> Result<Outcome, redb::Error> {
        let found = commit.expected().iter().map(|(key, _)| self.newest(key));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let modified = |newest: Option<Newest>| newest.map(|newest| Revision::new(newest.modified));
        let found: Vec<_> = found.into_iter().map(modified).collect();
        let wrong = commit.mismatches(&found);
        if !wrong.is_empty() {
            return Ok(Outcome::Conflict(wrong));
        }
        let revision = self.head + 1;
        let mut number = 0;
        for (key, value) in commit.changes() {
            let newest = self.newest(key)?;
            let version = match (value, newest) {
                (None, None) => continue,
                (None, Some(_)) => Version::Deleted,
                (Some(value), None) => Version::Value {
                    created: revision,
                    version: 1,
                    value,
                },
                (Some(value), Some(newest)) => Version::Value {
                    created: newest.created,
                    version: newest.version + 1,
                    value,
                },
            };
            let octets = version.write();
            let place = (key.as_str(), revision);
            self.versions.insert(place, octets.as_slice())?;
            self.log.insert((revision, number), key.as_str())?;
            number += 1;
        }
        if number > 0 {
            self.head = revision;
        }
        Ok(Outcome::Done(self.head()))
    }

    fn newest(&self, key: &Key) -> Result<Option<Newest>, redb::Error> {
        let key = key.as_str();
        let mut versions = self.versions.range((key, 0)..=(key, u64::MAX))?;
        let Some(newest) = versions.next_back() else {
            return Ok(None);
        };
        let (place, version) = newest?;
        let modified = place.value().1;
        Ok(
            match Version::read(version.value()).map_err(|error| damaged(&error))? {
                Version::Deleted => None,
                Version::Value {
                    created, version, ..
                } => Some(Newest {
                    modified,
                    created,
                    version,
                }),
            },
        )
    }

    /// Forgets what was before a revision, at most so many revisions of it. Says whether that was all.
    pub(super) fn forget(&mut self, before: Revision, most: u64) -> Result<bool, redb::Error> {
        let before = before.get().min(self.head);
        let end = before.min(self.floor.saturating_add(most));
        while self.floor < end {
            let revision = self.floor + 1;
            let mut changed = Vec::new();
            for change in self.log.range((revision, 0)..=(revision, u32::MAX))? {
                let (place, key) = change?;
                changed.push((place.value(), key.value().to_owned()));
            }
            for (place, key) in changed {
                self.forget_versions(&key, revision)?;
                self.log.remove(place)?;
            }
            self.floor = revision;
        }
        Ok(self.floor >= before)
    }

    /// Forgets what a key was before a revision that changed it; and that it was deleted then, for absent says the same.
    fn forget_versions(&mut self, key: &str, revision: u64) -> Result<(), redb::Error> {
        self.versions
            .retain_in((key, 0)..(key, revision), |_, _| false)?;
        let version = self.versions.get((key, revision))?;
        let deleted = version.is_some_and(|version| version.value().is_empty());
        if deleted {
            self.versions.remove((key, revision))?;
        }
        Ok(())
    }

    /// Notes head and floor.
    pub(super) fn finish(mut self) -> Result<(), redb::Error> {
        self.meta.insert(HEAD, self.head)?;
        self.meta.insert(FLOOR, self.floor)?;
        Ok(())
    }
}

fn damaged(error: &ReadError) -> redb::Error {
    redb::Error::Corrupted(error.to_string())
}
