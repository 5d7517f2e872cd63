//! What stands in the file.
//!
//! | table | key | value |
//! |---|---|---|
//! | `versions` | (key, revision that wrote it) | a [`Version`] |
//! | `log` | (revision, number of the change) | key that it changed |
//! | `meta` | `format`, `head`, `floor` | number |
//!
//! The head is the newest revision, the floor the oldest one that can be read. Of each key, `versions` has those written
//! after the floor and the last one before, unless that is a deletion; the log has what comes after the floor.

use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, TableDefinition};

use crate::{Entry, Key, OpenError, ReadError, Revision};

/// The format of this release.
const FORMAT: u64 = 1;
/// The head of a new store. Zero is before everything.
const FIRST: u64 = 1;

pub(super) const VERSIONS: TableDefinition<'static, (&str, u64), &[u8]> =
    TableDefinition::new("versions");
pub(super) const LOG: TableDefinition<'static, (u64, u32), &str> = TableDefinition::new("log");
pub(super) const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

pub(super) const HEAD: &str = "head";
pub(super) const FLOOR: &str = "floor";
const FORMAT_KEY: &str = "format";

/// A version of a key, as octets: empty is a deletion, otherwise the revision that created the key (u64, little-endian),
/// how often it was written since (u64, little-endian), and the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version<'a> {
    Deleted,
    Value {
        created: u64,
        version: u64,
        value: &'a [u8],
    },
}

impl<'a> Version<'a> {
    pub(super) fn read(octets: &'a [u8]) -> Result<Self, ReadError> {
        if octets.is_empty() {
            return Ok(Self::Deleted);
        }
        let parts = octets.split_first_chunk().and_then(|(created, rest)| {
            let (version, value) = rest.split_first_chunk()?;
            Some((created, version, value))
        });
        let (created, version, value) =
            parts.ok_or_else(|| ReadError::Damaged("a version is too short".to_owned()))?;
        Ok(Self::Value {
            created: u64::from_le_bytes(*created),
            version: u64::from_le_bytes(*version),
            value,
        })
    }

    pub(super) fn write(self) -> Vec<u8> {
        match self {
            Self::Deleted => Vec::new(),
            Self::Value {
                created,
                version,
                value,
            } => [&created.to_le_bytes()[..], &version.to_le_bytes(), value].concat(),
        }
    }

    /// The entry that it is; `None` for a deletion.
    pub(super) fn entry(self, key: &str, modified: u64) -> Result<Option<Entry>, ReadError> {
        match self {
            Self::Deleted => Ok(None),
            Self::Value {
                created,
                version,
                value,
            } => Ok(Some(Entry {
                key: read_key(key)?,
                value: Arc::from(value),
                created: Revision::new(created),
                modified: Revision::new(modified),
                version,
            })),
        }
    }
}

pub(super) fn read_key(key: &str) -> Result<Key, ReadError> {
    Key::new(key).map_err(|error| ReadError::Damaged(error.to_string()))
}

/// Makes the tables of a new file, checks the format of an old one, and says what the head is.
pub(super) fn prepare(database: &Database, path: &Path) -> Result<Revision, OpenError> {
    let fault = |error: redb::Error| OpenError::File {
        path: path.to_owned(),
        source: Arc::new(error),
    };
    let found = read_meta(database).map_err(fault)?;
    match found {
        Some((FORMAT, head)) => Ok(Revision::new(head)),
        Some((found, _)) => Err(OpenError::Format {
            path: path.to_owned(),
            found,
            known: FORMAT,
        }),
        None => make(database).map_err(fault),
    }
}

/// Format and head of a file that has tables.
fn read_meta(database: &Database) -> Result<Option<(u64, u64)>, redb::Error> {
    let reader = database.begin_read()?;
    match reader.open_table(META) {
        Ok(meta) => {
            let number = |name| -> Result<u64, redb::Error> {
                Ok(meta.get(name)?.map_or(0, |number| number.value()))
            };
            Ok(Some((number(FORMAT_KEY)?, number(HEAD)?)))
        }
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn make(database: &Database) -> Result<Revision, redb::Error> {
    let writer = database.begin_write()?;
    writer.open_table(VERSIONS)?;
    writer.open_table(LOG)?;
    {
        let mut meta = writer.open_table(META)?;
        meta.insert(FORMAT_KEY, FORMAT)?;
        meta.insert(HEAD, FIRST)?;
        meta.insert(FLOOR, FIRST)?;
    }
    writer.commit()?;
    Ok(Revision::new(FIRST))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{EmbeddedOptions, Store};

    proptest! {
        #[test]
        fn a_version_is_read_as_written(created: u64, version: u64, value: Vec<u8>) {
            let value = Version::Value { created, version, value: &value };
            for version in [value, Version::Deleted] {
                let octets = version.write();
                prop_assert_eq!(Version::read(&octets).unwrap(), version);
            }
        }

        #[test]
        fn no_octets_panic(octets: Vec<u8>) {
            prop_assert_eq!(Version::read(&octets).is_err(), (1..16).contains(&octets.len()));
        }
    }

    /// Frozen: files of this layout are out there. Do not change the test, add one for the next format.
    #[tokio::test]
    async fn format_1_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let database = Database::create(&path).unwrap();
        let writer = database.begin_write().unwrap();
        {
            let definition = TableDefinition::<(&str, u64), &[u8]>::new("versions");
            let mut versions = writer.open_table(definition).unwrap();
            let old = *b"\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0old";
            let new = *b"\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0new";
            versions.insert(("a", 2), &old[..]).unwrap();
            versions.insert(("a", 3), &new[..]).unwrap();
            versions.insert(("b", 2), &old[..]).unwrap();
            versions.insert(("b", 4), &[][..]).unwrap();
            let definition = TableDefinition::<(u64, u32), &str>::new("log");
            let mut log = writer.open_table(definition).unwrap();
            log.insert((3, 0), "a").unwrap();
            log.insert((4, 0), "b").unwrap();
            let definition = TableDefinition::<&str, u64>::new("meta");
            let mut meta = writer.open_table(definition).unwrap();
            for (name, number) in [("format", 1), ("head", 4), ("floor", 2)] {
                meta.insert(name, number).unwrap();
            }
        }
        writer.commit().unwrap();
        drop(database);

        let store = Store::embedded(&path, EmbeddedOptions::default()).unwrap();
        assert_eq!(store.head().await.unwrap(), Revision::new(4));
        let now = store.list("", None).await.unwrap().entries;
        assert_eq!(now.len(), 1);
        assert_eq!(&*now[0].value, b"new");
        assert_eq!((now[0].created, now[0].version), (Revision::new(2), 2));
        let then = store.list("", Some(Revision::new(2))).await.unwrap();
        assert_eq!(then.entries.len(), 2);
        store.close().await;

        let database = Database::open(&path).unwrap();
        let writer = database.begin_write().unwrap();
        writer
            .open_table(META)
            .unwrap()
            .insert("format", 9)
            .unwrap();
        writer.commit().unwrap();
        assert!(database.begin_read().is_ok());
        drop(database);
        let error = Store::embedded(&path, EmbeddedOptions::default()).unwrap_err();
        assert!(error.to_string().contains("has format 9"), "{error}");
    }
}
