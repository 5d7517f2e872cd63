//! What outlives the gateway: files of the state directory, each written whole and then put in the place of the one
//! before, and a log that is only ever added to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// For the gateway's eyes only.
const MODE: u32 = 0o600;

/// Why something was not kept, or is not known any more.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}", path.display())]
pub struct KeptError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// What a file holds; `None` where there is none.
///
/// # Errors
/// Where it cannot be read, or holds something else.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, KeptError> {
    let failed = |source| KeptError {
        what: "read",
        path: path.into(),
        source,
    };
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
        Ok(octets) => {
            let value = serde_json::from_slice(&octets);
            value.map(Some).map_err(|error| failed(error.into()))
        }
    }
}

/// Writes a value to a file, so that a loss of power leaves it or the one before.
///
/// # Errors
/// What the system says.
pub fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), KeptError> {
    let octets = serde_json::to_vec_pretty(value).map_err(|error| KeptError {
        what: "write",
        path: path.into(),
        source: error.into(),
    })?;
    write_octets(path, &octets)
}

/// Writes octets to a file, so that a loss of power leaves them or those before.
///
/// # Errors
/// What the system says.
pub fn write_octets(path: &Path, octets: &[u8]) -> Result<(), KeptError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let written = || {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(MODE)
            .open(&new)?;
        file.write_all(octets)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        match path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    };
    written().map_err(|source| KeptError {
        what: "write",
        path: path.into(),
        source,
    })
}

/// Adds a line to a log; it is on the disk when this returns.
///
/// # Errors
/// What the system says.
pub fn append<T: Serialize>(path: &Path, line: &T) -> Result<(), KeptError> {
    let written = || {
        let mut octets = serde_json::to_vec(line)?;
        octets.push(b'\n');
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).mode(MODE).open(path)?;
        file.write_all(&octets)?;
        file.sync_all()
    };
    written().map_err(|source| KeptError {
        what: "add to",
        path: path.into(),
        source,
    })
}

/// Removes a file, if it is there.
///
/// # Errors
/// What the system says.
pub fn remove(path: &Path) -> Result<(), KeptError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(KeptError {
            what: "remove",
            path: path.into(),
            source,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_a_log_only_grows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept.json");
        assert_eq!(read::<Vec<u8>>(&path).unwrap(), None);
        write(&path, &[1, 2]).unwrap();
        write(&path, &[3]).unwrap();
        assert_eq!(read::<Vec<u8>>(&path).unwrap(), Some(vec![3]));
        let log = dir.path().join("log");
        append(&log, &"one").unwrap();
        append(&log, &"two").unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "\"one\"\n\"two\"\n");
        remove(&path).unwrap();
        remove(&path).unwrap();
        std::fs::write(&path, "{").unwrap();
        let error = read::<Vec<u8>>(&path).unwrap_err().to_string();
        assert!(error.starts_with("cannot read /"), "{error}");
    }
}
