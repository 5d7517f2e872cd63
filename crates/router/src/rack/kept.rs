//! What a node keeps of rack setup over every restart.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rackweave_routing::rack::Acceptor;
use rackweave_trust::SecretKey;

use crate::keys::{FileError, RACK_KEY, read_key};

/// What was promised, accepted and chosen, in the state directory.
const TABLE: &str = "rack.json";

/// What is on disk, and in memory as it is there.
#[derive(Debug)]
pub(crate) struct Kept {
    dir: PathBuf,
    acceptor: Acceptor,
    key: Option<SecretKey>,
}

/// Why what is kept cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum KeptError {
    /// The system refused.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// The table's file is damaged.
    #[error("{} is damaged: restore it, or remove it where two other nodes keep the rack's table", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        #[source]
        source: serde_json::Error,
    },
    /// The rack's key cannot be read.
    #[error("cannot read the rack's key")]
    Key(#[from] FileError),
}

impl Kept {
    /// Reads what is kept in this directory; nothing, of a node that is new.
    pub(crate) fn read(dir: &Path) -> Result<Self, KeptError> {
        let path = dir.join(TABLE);
        let acceptor = match fs::read(&path) {
            Ok(text) => {
                let read = serde_json::from_slice(&text);
                read.map_err(|source| KeptError::Damaged { path, source })?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Acceptor::default(),
            Err(source) => {
                let doing = "read";
                return Err(KeptError::Io {
                    doing,
                    path,
                    source,
                });
            }
        };
        let path = dir.join(RACK_KEY);
        let key = path.exists().then(|| read_key(&path)).transpose()?;
        Ok(Self {
            dir: dir.to_owned(),
            acceptor,
            key,
        })
    }

    /// What was promised, accepted and chosen.
    pub(crate) const fn acceptor(&self) -> &Acceptor {
        &self.acceptor
    }

    /// The rack's key, of a keeper.
    pub(crate) const fn key(&self) -> Option<&SecretKey> {
        self.key.as_ref()
    }

    /// Has the acceptor change; what it says to it may leave only once it is on disk.
    pub(crate) fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Acceptor) -> T,
    ) -> Result<T, KeptError> {
        let mut acceptor = self.acceptor.clone();
        let said = change(&mut acceptor);
        if acceptor != self.acceptor {
            let path = self.dir.join(TABLE);
            let text = serde_json::to_vec(&acceptor).map_err(|source| KeptError::Damaged {
                path: path.clone(),
                source,
            })?;
            write(&path, &text)?;
            self.acceptor = acceptor;
        }
        Ok(said)
    }

    /// Keeps the rack's key.
    pub(crate) fn keep(&mut self, key: SecretKey) -> Result<(), KeptError> {
        let pem = key.to_pem().map_err(|source| {
            let path = self.dir.join(RACK_KEY);
            FileError::Key { path, source }
        })?;
        write(&self.dir.join(RACK_KEY), pem.as_ref().as_bytes())?;
        self.key = Some(key);
        Ok(())
    }
}

/// Writes a file that its owner alone can read, whole or not at all.
fn write(path: &Path, content: &[u8]) -> Result<(), KeptError> {
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut open = fs::OpenOptions::new();
        open.write(true).create(true).truncate(true).mode(0o600);
        let mut file = open.open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        // The name is on disk once its directory is.
        fs::File::open(path.parent().unwrap_or(path))?.sync_all()
    };
    write().map_err(|source| KeptError::Io {
        doing: "write",
        path: path.to_owned(),
        source,
    })
}
