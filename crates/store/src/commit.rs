//! Changes that are made together, and why they are not.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::Cause;
use crate::{Key, Revision};

/// Writes to several keys that happen together or not at all, and what they expect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    expected: Vec<(Key, Expected)>,
    writes: Vec<(Key, Option<Arc<[u8]>>)>,
}

/// What a commit expects of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is not there.
    Absent,
    /// It was last written at this revision.
    At(Revision),
}

/// A key that is not as a commit expected it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The key.
    pub key: Key,
    /// What was expected.
    pub expected: Expected,
    /// When it was last written; `None` where it is absent.
    pub found: Option<Revision>,
}

/// Why a commit was not made.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Keys are not as expected, at least one: read them again.
    #[error("{} changed meanwhile", name(.0))]
    Conflict(Vec<Mismatch>),
    /// It writes or expects too much.
    #[error("a commit takes at most {max} {what}, not {count}: make several of it")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it has.
        count: usize,
        /// How many it may have.
        max: usize,
    },
    /// Its keys and values are too long.
    #[error("a commit takes at most {max} octets, not {octets}: make several of it", max = Commit::MAX_OCTETS)]
    TooLarge {
        /// Octets that it has.
        octets: usize,
    },
    /// It names a key twice.
    #[error("{0} is named twice in one commit")]
    Duplicate(Key),
    /// There is no room. Nothing was done; what is stored can still be read.
    #[error("the store is full: make room where it lies")]
    Full(#[source] Cause),
    /// The store cannot write now. Nothing was done.
    #[error("the store cannot write now")]
    Unavailable(#[source] Cause),
    /// The store did not say in time whether it was done: read again.
    #[error("it is not known whether the change was stored: read it again")]
    Unknown(#[source] Cause),
    /// The store was closed. Nothing was done.
    #[error("the store is closed")]
    Closed,
}

impl Commit {
    /// How many keys a commit may write, and how many it may expect something of. etcd takes 128 operations, of which the
    /// store keeps some.
    pub const MAX_WRITES: usize = 120;

    /// How many octets its keys and values may have together. etcd takes requests of 1.5 MiB.
    pub const MAX_OCTETS: usize = 1 << 20;

    /// A commit of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The key must be absent.
    #[must_use]
    pub fn expect_absent(mut self, key: Key) -> Self {
        self.expected.push((key, Expected::Absent));
        self
    }

    /// The key must be as a commit at `revision` wrote it.
    #[must_use]
    pub fn expect_at(mut self, key: Key, revision: Revision) -> Self {
        self.expected.push((key, Expected::At(revision)));
        self
    }

    /// Writes a value.
    #[must_use]
    pub fn put(mut self, key: Key, value: impl Into<Arc<[u8]>>) -> Self {
        self.writes.push((key, Some(value.into())));
        self
    }

    /// Deletes a key, if it is there.
    #[must_use]
    pub fn delete(mut self, key: Key) -> Self {
        self.writes.push((key, None));
        self
    }

    /// How many keys it writes.
    pub fn writes(&self) -> usize {
        self.writes.len()
    }

    pub(crate) fn expected(&self) -> &[(Key, Expected)] {
        &self.expected
    }

    pub(crate) fn changes(&self) -> &[(Key, Option<Arc<[u8]>>)] {
        &self.writes
    }

    /// Refuses what one of the stores could not hold.
    pub(crate) fn check(&self) -> Result<(), CommitError> {
        for (what, count) in [
            ("writes", self.writes.len()),
            ("expectations", self.expected.len()),
        ] {
            if count > Self::MAX_WRITES {
                let max = Self::MAX_WRITES;
                return Err(CommitError::TooMany { what, count, max });
            }
        }
        let values = |value: &Option<Arc<[u8]>>| value.as_ref().map_or(0, |value| value.len());
        let written = self.writes.iter();
        let written = written.map(|(key, value)| key.as_str().len() + values(value));
        let expected = self.expected.iter().map(|(key, _)| key.as_str().len());
        let octets: usize = written.chain(expected).sum();
        if octets > Self::MAX_OCTETS {
            return Err(CommitError::TooLarge { octets });
        }
        let written = self.writes.iter().map(|(key, _)| key);
        let expected = self.expected.iter().map(|(key, _)| key);
        match twice(written).or_else(|| twice(expected)) {
            Some(key) => Err(CommitError::Duplicate(key.clone())),
            None => Ok(()),
        }
    }

    /// The expectations that do not hold, given when each key was last written.
    pub(crate) fn mismatches(&self, found: &[Option<Revision>]) -> Vec<Mismatch> {
        let pairs = self.expected.iter().zip(found);
        let wrong = pairs.filter(|((_, expected), found)| !expected.holds(**found));
        wrong
            .map(|((key, expected), found)| Mismatch {
                key: key.clone(),
                expected: *expected,
                found: *found,
            })
            .collect()
    }
}

impl Expected {
    /// Whether a key that was last written then is as expected.
    fn holds(self, found: Option<Revision>) -> bool {
        match self {
            Self::Absent => found.is_none(),
            Self::At(revision) => found == Some(revision),
        }
    }
}

fn twice<'a>(mut keys: impl Iterator<Item = &'a Key>) -> Option<&'a Key> {
    let mut seen = BTreeSet::new();
    keys.find(|key| !seen.insert(*key))
}

/// The first key that changed, and how many more.
fn name(mismatches: &[Mismatch]) -> String {
    match mismatches {
        [] => "something".to_owned(),
        [one] => one.key.to_string(),
        [one, rest @ ..] => format!("{} and {} more", one.key, rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        Key::new(&format!("k{number}")).unwrap()
    }

    fn writes(count: usize) -> Commit {
        (0..count).fold(Commit::new(), |commit, n| commit.put(key(n), *b"v"))
    }

    #[test]
    fn what_etcd_could_not_hold_is_refused() {
        assert!(writes(Commit::MAX_WRITES).check().is_ok());
        let error = writes(Commit::MAX_WRITES + 1).check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "a commit takes at most 120 writes, not 121: make several of it"
        );
        let room = Commit::MAX_OCTETS - key(0).as_str().len();
        assert!(Commit::new().put(key(0), vec![0; room]).check().is_ok());
        let large = Commit::new().put(key(0), vec![0; room + 1]).check();
        assert!(matches!(large, Err(CommitError::TooLarge { .. })));
    }

    #[test]
    fn a_key_is_named_once() {
        let twice = Commit::new().put(key(1), *b"v").delete(key(1)).check();
        assert!(matches!(twice, Err(CommitError::Duplicate(found)) if found == key(1)));
        let twice = Commit::new().expect_absent(key(2)).expect_absent(key(2));
        assert!(matches!(twice.check(), Err(CommitError::Duplicate(_))));
        let once = Commit::new().expect_absent(key(3)).put(key(3), *b"v");
        assert!(once.check().is_ok());
    }

    #[test]
    fn expectations_that_fail_are_named() {
        let (seen, now) = (Revision::new(3), Revision::new(4));
        let commit = Commit::new()
            .expect_absent(key(0))
            .expect_at(key(1), seen)
            .expect_at(key(2), seen);
        assert_eq!(commit.mismatches(&[None, Some(seen), Some(seen)]), []);
        let wrong = commit.mismatches(&[Some(seen), Some(now), None]);
        assert_eq!(
            wrong.iter().map(|m| m.found).collect::<Vec<_>>(),
            [Some(seen), Some(now), None]
        );
        let error = CommitError::Conflict(wrong);
        assert_eq!(error.to_string(), "k0 and 2 more changed meanwhile");
    }
}
