//! Why a store cannot be opened or read.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

/// What lies below an error of the store.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

/// Why a store cannot be opened.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the file.
    #[error("{} is open in another process: stop that one first", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a release that this one does not know.
    #[error("{} has format {found}, and this release knows {known}: upgrade it", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format that it has.
        found: u64,
        /// The format of this release.
        known: u64,
    },
    /// The file is there but cannot be used.
    #[error("{} cannot be opened as a store", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Cause,
    },
    /// The options make no sense.
    #[error("{0}")]
    Options(&'static str),
    /// The cluster did not answer.
    #[error("no member of the cluster answers at {endpoints}")]
    Cluster {
        /// Where it was tried.
        endpoints: String,
        /// What the last one said.
        source: Cause,
    },
}

/// Why something cannot be read or watched.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The revision lies further back than the store remembers: list again.
    #[error("the revision is no longer kept: read the newest one again")]
    Compacted,
    /// The revision is one that the store has not reached.
    #[error("the revision lies in the future")]
    Future,
    /// What is stored is no entry.
    #[error("the stored data is damaged: {0}")]
    Damaged(String),
    /// The store does not answer now.
    #[error("the store cannot be read now")]
    Unavailable(#[source] Cause),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}
