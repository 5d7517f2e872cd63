//! A store in the process: one file, redb.
//!
//! ```text
//! commit ─► requests (bounded) ─► writer thread: a group at a time, one transaction, one sync ─► answers, head
//! get, page, digest ─► a transaction that reads, on a thread that may block
//! watch ─ head moved? ─► a transaction that reads the log after its position
//! ```
//!
//! Every version of a key that somebody may still read stands in one table, ordered by key and revision, and the log says
//! which keys each revision changed (`layout`). Compaction walks the log from its old end.
//!
//! A full disk takes no reader the store: [`reserve`] keeps room that is given back when a write fails, so that the file
//! can be opened again, as it was after the last commit. Writes are refused until there is room for the reserve again.

mod layout;
mod read;
mod reserve;
mod watch;
mod write;
mod writer;

use std::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use redb::{Database, ReadableDatabase};
use tokio::sync::{RwLock, mpsc, oneshot, watch as channel};

use self::read::Snapshot;
use self::reserve::Reserve;
pub(crate) use self::watch::EmbeddedWatch;
use self::writer::{Request, Writer};
use crate::error::Cause;
use crate::{Commit, CommitError, Digest, Entry, Key, OpenError, Page, ReadError, Revision};

/// Requests that may wait for the writer.
const QUEUE: usize = 1_024;
/// Octets of the file that are kept in memory.
const CACHE: usize = 64 << 20;

/// How an embedded store behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmbeddedOptions {
    /// How many revisions can be read and watched back from the newest one.
    pub history: u64,
    /// Octets of disk that are kept for the day when there are no others.
    pub reserve: u64,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            history: 10_000,
            reserve: 8 << 20,
        }
    }
}

/// A store in the process.
#[derive(Clone, Debug)]
pub(crate) struct Embedded {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
    ended: channel::Receiver<()>,
}

/// What readers and the writer share.
struct Shared {
    /// `None` while the file is opened again, and after the end.
    database: RwLock<Option<Database>>,
    /// How often the file was opened.
    opening: AtomicU64,
    head: channel::Sender<Revision>,
    /// The file; `None` in memory.
    path: Option<PathBuf>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shared = f.debug_struct("Shared");
        shared.field("path", &self.path).field("head", &self.head);
        shared.finish_non_exhaustive()
    }
}

impl Embedded {
    pub(crate) fn open(path: &Path, options: EmbeddedOptions) -> Result<Self, OpenError> {
        let fault = |source: Cause| OpenError::File {
            path: path.to_owned(),
            source,
        };
        let mut reserve = Reserve::of(path, options.reserve);
        let opened = open_file(path).or_else(|error| {
            // What a full disk cut short is taken back in the reserve's room.
            if !is_full(&error) {
                return Err(error);
            }
            reserve.release();
            open_file(path)
        });
        let database = opened.map_err(|error| opening(path, error))?;
        // Without room for it, the store begins as one that is full: it can be read.
        let held = reserve.hold();
        let head = layout::prepare(&database, path)?;
        // The names of both files outlive a crash of the machine.
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))
            .and_then(|dir| dir.sync_all())
            .map_err(|error| fault(Arc::new(error)))?;
        if let Err(error) = held {
            tracing::error!(path = %path.display(), %error, "no room for the store's reserve: it can only be read");
        }
        Self::start(database, head, Some((path.to_owned(), reserve)), options)
    }

    pub(crate) fn in_memory(options: EmbeddedOptions) -> Result<Self, OpenError> {
        let path = Path::new("(memory)");
        let database = Database::builder()
            .create_with_backend(redb::backends::InMemoryBackend::new())
            .map_err(|error| opening(path, error.into()))?;
        let head = layout::prepare(&database, path)?;
        Self::start(database, head, None, options)
    }

    fn start(
        database: Database,
        head: Revision,
        file: Option<(PathBuf, Reserve)>,
        options: EmbeddedOptions,
    ) -> Result<Self, OpenError> {
        if options.history == 0 {
            return Err(OpenError::Options(
                "a store keeps the history of at least one revision",
            ));
        }
        let (path, reserve) = file.unzip();
        let shared = Arc::new(Shared {
            database: RwLock::new(Some(database)),
            opening: AtomicU64::new(0),
            head: channel::Sender::new(head),
            path: path.clone(),
        });
        let (requests, queue) = mpsc::channel(QUEUE);
        let (end, ended) = channel::channel(());
        let writer = Writer::new(Arc::clone(&shared), reserve, options.history);
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                writer.run(queue);
                drop(end);
            })
            .map_err(|error| OpenError::File {
                path: path.unwrap_or_default(),
                source: Arc::new(error),
            })?;
        Ok(Self {
            shared,
            requests,
            ended,
        })
    }

    pub(crate) fn head(&self) -> Result<Revision, ReadError> {
        if self.requests.is_closed() {
            return Err(ReadError::Closed);
        }
        Ok(*self.shared.head.borrow())
    }

    pub(crate) async fn get(
        &self,
        key: Key,
        at: Option<Revision>,
    ) -> Result<Option<Entry>, ReadError> {
        self.read(move |snapshot| snapshot.get(&key, at)).await
    }

    pub(crate) async fn page(
        &self,
        prefix: &str,
        at: Option<Revision>,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let (prefix, after) = (prefix.to_owned(), after.cloned());
        self.read(move |snapshot| snapshot.page(&prefix, at, after.as_ref(), limit))
            .await
    }

    pub(crate) async fn digest(
        &self,
        prefix: &str,
        at: Option<Revision>,
    ) -> Result<(Revision, Digest), ReadError> {
        let prefix = prefix.to_owned();
        self.read(move |snapshot| snapshot.digest(&prefix, at))
            .await
    }

    pub(crate) async fn commit(&self, commit: Commit) -> Result<Revision, CommitError> {
        let (answer, answered) = oneshot::channel();
        let request = Request::Commit { commit, answer };
        let sent = self.requests.send(request).await;
        sent.map_err(|_| CommitError::Closed)?;
        answered.await.map_err(|_| CommitError::Closed)?
    }

    pub(crate) async fn compact(&self, before: Revision) -> Result<(), ReadError> {
        let (answer, answered) = oneshot::channel();
        let request = Request::Compact { before, answer };
        let sent = self.requests.send(request).await;
        sent.map_err(|_| ReadError::Closed)?;
        answered.await.map_err(|_| ReadError::Closed)?
    }

    pub(crate) async fn watch(
        &self,
        prefix: &str,
        after: Revision,
    ) -> Result<EmbeddedWatch, ReadError> {
        self.read(move |snapshot| snapshot.check(Some(after)).map(drop))
            .await?;
        let head = self.shared.head.subscribe();
        Ok(EmbeddedWatch::new(self.clone(), head, prefix, after))
    }

    pub(crate) async fn close(mut self) {
        // Where it is closed already, there is nobody to tell.
        let _ = self.requests.send(Request::End).await;
        // The sender is dropped at the end, which is an error.
        let _ = self.ended.changed().await;
    }

    /// Reads from the file. Where it cannot be read, the writer opens it again, and it is read once more.
    async fn read<T: Send + 'static>(
        &self,
        what: impl Fn(&Snapshot) -> Result<T, ReadError> + Send + Sync + 'static,
    ) -> Result<T, ReadError> {
        let what = Arc::new(what);
        let opening = self.shared.opening.load(Ordering::Acquire);
        let first = self.read_once(Arc::clone(&what)).await;
        if !matches!(first, Err(ReadError::Unavailable(_))) {
            return first;
        }
        let (answer, answered) = oneshot::channel();
        let sent = self.requests.send(Request::Mend { opening, answer }).await;
        sent.map_err(|_| ReadError::Closed)?;
        answered.await.map_err(|_| ReadError::Closed)?;
        self.read_once(what).await
    }

    async fn read_once<T: Send + 'static>(
        &self,
        what: Arc<impl Fn(&Snapshot) -> Result<T, ReadError> + Send + Sync + 'static>,
    ) -> Result<T, ReadError> {
        let shared = Arc::clone(&self.shared);
        let reading = tokio::task::spawn_blocking(move || {
            let database = shared.database.blocking_read();
            let database = database
                .as_ref()
                .ok_or_else(|| read::unavailable(redb::Error::DatabaseClosed))?;
            let reader = database.begin_read().map_err(read::unavailable)?;
            what(&Snapshot::of(&reader)?)
        });
        reading
            .await
            .map_err(|error| ReadError::Unavailable(Arc::new(error)))?
    }
}

/// Opens or makes the file.
fn open_file(path: &Path) -> Result<Database, redb::Error> {
    let database = Database::builder().set_cache_size(CACHE).create(path)?;
    Ok(database)
}

fn opening(path: &Path, error: redb::Error) -> OpenError {
    let path = path.to_owned();
    match error {
        redb::Error::DatabaseAlreadyOpen => OpenError::InUse { path },
        error => OpenError::File {
            path,
            source: Arc::new(error),
        },
    }
}

/// Whether the disk has no room for us.
fn is_full(error: &redb::Error) -> bool {
    let redb::Error::Io(error) = error else {
        return false;
    };
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}
