//! Files of keys and certificates: private ones are their owner's alone, and nothing is overwritten by mistake.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rackweave_trust::{BadKey, PemError, SecretKey, Signed, Statement};

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system refused.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// It is there already.
    #[error("{0} is there already, and is not overwritten")]
    Exists(PathBuf),
    /// Others can read a private key.
    #[error("{path} can be read by others (mode {mode:04o})")]
    Open {
        /// The private key.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It holds no private key.
    #[error("{path} holds no private key")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: BadKey,
    },
    /// It holds no such certificate.
    #[error("{path} holds no such certificate")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: PemError,
    },
}

/// Wraps the system's word with what was tried on which path.
pub(crate) fn io_error<'p>(
    doing: &'static str,
    path: &'p Path,
) -> impl FnOnce(io::Error) -> FileError + use<'p> {
    move |source| FileError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// Makes a directory that its owner alone can enter, with all above it that are not there.
pub(crate) fn make_dir(path: &Path) -> Result<(), FileError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(io_error("make", path))
}

/// Writes a file that is not there yet.
fn create(path: &Path, text: &str, mode: u32) -> Result<(), FileError> {
    let open = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let mut file = open.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists(path.to_owned()),
        _ => io_error("make", path)(error),
    })?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    written.map_err(io_error("write", path))
}

/// Writes a private key that is not there yet.
pub(crate) fn create_key(path: &Path, key: &SecretKey) -> Result<(), FileError> {
    let pem = key.to_pem().map_err(|source| FileError::Key {
        path: path.to_owned(),
        source,
    })?;
    create(path, pem.as_ref(), 0o600)
}

/// Writes a certificate that is not there yet.
pub(crate) fn create_certificate<T: Statement>(
    path: &Path,
    certificate: &Signed<T>,
) -> Result<(), FileError> {
    create(path, &certificate.to_pem(), 0o644)
}

/// Where the next content of a file waits to take its place.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Puts what waits [beside](beside) a file into its place.
pub(crate) fn replace(path: &Path) -> Result<(), FileError> {
    fs::rename(beside(path), path).map_err(io_error("replace", path))
}

/// Removes what may be left of a change that did not end.
pub(crate) fn remove_beside(path: &Path) -> Result<(), FileError> {
    let path = beside(path);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("remove", &path)(error))
        }
        _ => Ok(()),
    }
}

/// Reads a private key that nobody but its owner can read.
pub(crate) fn read_key(path: &Path) -> Result<SecretKey, FileError> {
    let metadata = fs::metadata(path).map_err(io_error("read", path))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(FileError::Open { path, mode });
    }
    let text = fs::read_to_string(path).map_err(io_error("read", path))?;
    SecretKey::from_pem(&text).map_err(|source| FileError::Key {
        path: path.to_owned(),
        source,
    })
}

/// Reads a certificate.
pub(crate) fn read_certificate<T: Statement>(path: &Path) -> Result<Signed<T>, FileError> {
    let text = fs::read_to_string(path).map_err(io_error("read", path))?;
    Signed::from_pem(&text).map_err(|source| FileError::Certificate {
        path: path.to_owned(),
        source,
    })
}

/// Copies a certificate into a directory.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), FileError> {
    let text = fs::read_to_string(from).map_err(io_error("read", from))?;
    create(to, &text, 0o644)
}
