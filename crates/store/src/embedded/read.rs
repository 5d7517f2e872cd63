//! Reading: one transaction, one revision.

use std::ops::Bound;
use std::sync::Arc;

use redb::{AccessGuard, ReadOnlyTable, ReadTransaction};

use super::layout::{self, FLOOR, HEAD, LOG, META, VERSIONS, Version};
use crate::{Change, Digest, Entry, Event, Key, Page, ReadError, Revision};

/// How much of the log is read at once: octets of values, and keys.
const STRETCH_OCTETS: usize = 4 << 20;
const STRETCH_KEYS: usize = 4_096;

/// The file, as it is now.
pub(super) struct Snapshot {
    versions: ReadOnlyTable<(&'static str, u64), &'static [u8]>,
    log: ReadOnlyTable<(u64, u32), &'static str>,
    head: u64,
    floor: u64,
}

/// A part of the log.
pub(super) struct Stretch {
    pub(super) changes: Vec<Change>,
    /// The last revision that was looked at.
    pub(super) up_to: Revision,
}

impl Snapshot {
    pub(super) fn of(reader: &ReadTransaction) -> Result<Self, ReadError> {
        let meta = reader.open_table(META).map_err(unavailable)?;
        let number = |name| match meta.get(name) {
            Ok(Some(number)) => Ok(number.value()),
            Ok(None) => Err(ReadError::Damaged(format!("{name} is missing"))),
            Err(error) => Err(unavailable(error)),
        };
        Ok(Self {
            versions: reader.open_table(VERSIONS).map_err(unavailable)?,
            log: reader.open_table(LOG).map_err(unavailable)?,
            head: number(HEAD)?,
            floor: number(FLOOR)?,
        })
    }

    /// The number of a revision that is kept; the newest one's where none is named.
    pub(super) fn check(&self, at: Option<Revision>) -> Result<u64, ReadError> {
        let at = at.map_or(self.head, Revision::get);
        if at < self.floor {
            return Err(ReadError::Compacted);
        }
        if at > self.head {
            return Err(ReadError::Future);
        }
        Ok(at)
    }

    pub(super) fn get(&self, key: &Key, at: Option<Revision>) -> Result<Option<Entry>, ReadError> {
        let at = self.check(at)?;
        let mut versions = self
            .versions
            .range((key.as_str(), 0)..=(key.as_str(), at))
            .map_err(unavailable)?;
        let Some(newest) = versions.next_back() else {
            return Ok(None);
        };
        let (place, version) = newest.map_err(unavailable)?;
        Version::read(version.value())?.entry(key.as_str(), place.value().1)
    }

    pub(super) fn page(
        &self,
        prefix: &str,
        at: Option<Revision>,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let at = self.check(at)?;
        let limit = limit.max(1);
        let mut page = Page {
            revision: Revision::new(at),
            entries: Vec::new(),
            more: false,
        };
        self.visit(prefix, at, after, |key, modified, version| {
            if let Some(entry) = version.entry(key, modified)? {
                page.more = page.entries.len() == limit;
                if page.more {
                    return Ok(false);
                }
                page.entries.push(entry);
            }
            Ok(true)
        })?;
        Ok(page)
    }

    pub(super) fn digest(
        &self,
        prefix: &str,
        at: Option<Revision>,
    ) -> Result<(Revision, Digest), ReadError> {
        let at = self.check(at)?;
        let mut digest = Digest::default();
        self.visit(prefix, at, None, |key, modified, version| {
            if version != Version::Deleted {
                digest.add_parts(key, Revision::new(modified));
            }
            Ok(true)
        })?;
        Ok((Revision::new(at), digest))
    }

    /// What happened after a revision to keys with a prefix: as much of it as is read at once.
    pub(super) fn changes(&self, prefix: &str, after: Revision) -> Result<Stretch, ReadError> {
        let mut up_to = self.check(Some(after))?;
        let mut changes: Vec<Change> = Vec::new();
        let (mut octets, mut keys) = (0, 0);
        let log = self.log.range((up_to + 1, 0)..).map_err(unavailable)?;
        for change in log {
            let (place, key) = change.map_err(unavailable)?;
            let (revision, key) = (place.value().0, key.value());
            if revision != up_to && (octets >= STRETCH_OCTETS || keys >= STRETCH_KEYS) {
                let up_to = Revision::new(up_to);
                return Ok(Stretch { changes, up_to });
            }
            up_to = revision;
            keys += 1;
            if !key.starts_with(prefix) {
                continue;
            }
            let event = self.event(key, revision)?;
            octets += match &event {
                Event::Put(entry) => entry.value.len(),
                Event::Delete(_) => 0,
            };
            let revision = Revision::new(revision);
            match changes.last_mut().filter(|last| last.revision == revision) {
                Some(last) => last.events.push(event),
                None => changes.push(Change {
                    revision,
                    events: vec![event],
                }),
            }
        }
        let up_to = Revision::new(self.head);
        Ok(Stretch { changes, up_to })
    }

    fn event(&self, key: &str, revision: u64) -> Result<Event, ReadError> {
        let version = self.versions.get((key, revision)).map_err(unavailable)?;
        let version = version.ok_or_else(|| {
            ReadError::Damaged(format!(
                "the log names {key} at {revision}, which is missing"
            ))
        })?;
        Ok(
            match Version::read(version.value())?.entry(key, revision)? {
                Some(entry) => Event::Put(entry),
                None => Event::Delete(layout::read_key(key)?),
            },
        )
    }

    /// Shows the version that each key with a prefix had at a revision, deletions too, until `look` says that it is enough.
    fn visit(
        &self,
        prefix: &str,
        at: u64,
        after: Option<&Key>,
        mut look: impl FnMut(&str, u64, Version<'_>) -> Result<bool, ReadError>,
    ) -> Result<(), ReadError> {
        let start = match after {
            Some(after) if after.as_str() >= prefix => Bound::Excluded((after.as_str(), u64::MAX)),
            _ => Bound::Included((prefix, 0)),
        };
        let range = self.versions.range((start, Bound::Unbounded));
        let mut last: Option<Row<'_>> = None;
        for row in range.map_err(unavailable)? {
            let row = row.map_err(unavailable)?;
            let (key, revision) = row.0.value();
            if !key.starts_with(prefix) {
                break;
            }
            if revision > at {
                continue;
            }
            // Versions of a key follow each other: the last one before another key is the newest.
            if let Some(last) = last.take_if(|last| last.0.value().0 != key)
                && !show(&last, &mut look)?
            {
                return Ok(());
            }
            last = Some(row);
        }
        last.map_or(Ok(true), |last| show(&last, &mut look))
            .map(drop)
    }
}

type Row<'a> = (
    AccessGuard<'a, (&'static str, u64)>,
    AccessGuard<'a, &'static [u8]>,
);

fn show(
    row: &Row<'_>,
    look: &mut impl FnMut(&str, u64, Version<'_>) -> Result<bool, ReadError>,
) -> Result<bool, ReadError> {
    let (key, revision) = row.0.value();
    look(key, revision, Version::read(row.1.value())?)
}

/// What redb says, where the store cannot be read.
pub(super) fn unavailable(error: impl Into<redb::Error>) -> ReadError {
    ReadError::Unavailable(Arc::new(error.into()))
}
