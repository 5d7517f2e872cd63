//! Where the state of ports outlives the process: journals, which are always true, and frozen ports, which a planned
//! stop leaves behind and which hold counters and rates too.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rackweave_engine::program::Limits;
use rackweave_engine::{Port, PortError, Program, Shard};
use rackweave_linux::shm::{Region, ShmError};
use rackweave_types::{Instant, PortId};

use crate::worker::JournalWriter;

/// The directories of journals and of frozen ports. They live as long as the machine runs.
#[derive(Debug)]
pub struct Keep {
    journals: PathBuf,
    frozen: PathBuf,
}

/// Why a shard gets no journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalFault {
    /// No memory for it.
    #[error("no memory for the journal")]
    Memory(#[source] ShmError),
    /// The engine refuses it.
    #[error("the journal cannot be begun")]
    Begin(#[source] rackweave_engine::journal::JournalError),
    /// It cannot take the place of the one before.
    #[error("{} cannot be put in its place", path.display())]
    Place {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// How a port came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was not there before.
    New,
    /// The process before stopped as planned.
    Frozen,
    /// The process before was killed.
    Journal {
        /// Whether everything that it knew came back.
        clean: bool,
    },
}

/// What a port is made with.
#[derive(Clone, Copy, Debug)]
pub struct Making<'a> {
    /// Its name.
    pub id: PortId,
    /// How many shards: one for each worker.
    pub shards: u16,
    /// The boot's secret.
    pub secret: [u64; 2],
    /// How much state it may hold.
    pub limits: Limits,
    /// What it runs.
    pub program: &'a Arc<Program>,
    /// The time.
    pub now: Instant,
}

impl Keep {
    /// The directories in `run_dir`, made where they are not there.
    ///
    /// # Errors
    /// What the system said.
    pub fn new(run_dir: &Path) -> io::Result<Self> {
        let keep = Self {
            journals: run_dir.join("journal"),
            frozen: run_dir.join("frozen"),
        };
        fs::create_dir_all(&keep.journals)?;
        fs::create_dir_all(&keep.frozen)?;
        Ok(keep)
    }

    /// A port, with the state that the process before left of it, if any.
    ///
    /// # Errors
    /// Where no port can be made.
    pub fn restore(&self, making: &Making<'_>) -> Result<(Port, Origin), PortError> {
        let Making {
            id,
            shards,
            secret,
            limits,
            program,
            now,
        } = *making;
        let frozen = parts(&self.frozen, id);
        if !frozen.is_empty() {
            let bytes = frozen.iter().filter_map(|path| fs::read(path).ok());
            let bytes: Vec<_> = bytes.collect();
            let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
            match Port::thaw(shards, secret, limits, program, &slices, now) {
                Ok(port) => return Ok((port, Origin::Frozen)),
                Err(error) => {
                    tracing::warn!(port = %id, %error, "the frozen port cannot be read; its journal is");
                }
            }
        }
        let journals = parts(&self.journals, id);
        if journals.is_empty() {
            return Ok((Port::new(shards, secret, limits, program)?, Origin::New));
        }
        let bytes: Vec<_> = journals
            .iter()
            .filter_map(|path| fs::read(path).ok())
            .collect();
        let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        let (port, recovery) = Port::recover(shards, secret, limits, program, &slices, now)?;
        let clean = recovery.is_clean();
        tracing::info!(
            port = %id,
            connections = recovery.connections,
            damaged = recovery.damaged,
            missing = recovery.missing,
            resting_ports = recovery.resting_ports,
            "port recovered from its journal"
        );
        Ok((port, Origin::Journal { clean }))
    }

    /// Begins the journal of a shard, in the place of the one before.
    ///
    /// # Errors
    /// Where there is no memory for it, or the engine refuses.
    pub fn begin(
        &self,
        id: PortId,
        index: u16,
        shard: &mut Shard,
        now: Instant,
    ) -> Result<Box<dyn JournalWriter>, JournalFault> {
        let path = self.journals.join(format!("{id}.{index}"));
        let new = self.journals.join(format!("new-{id}.{index}"));
        let _nothing_there = fs::remove_file(&new);
        let len = NonZeroUsize::new(shard.journal_len()).unwrap_or(NonZeroUsize::MIN);
        let mut region = Region::create_or_open(&new, len).map_err(JournalFault::Memory)?;
        shard
            .begin_journal(region.bytes_mut(), now)
            .map_err(JournalFault::Begin)?;
        // Until here the journal of the process before is whole, and from here on this one is.
        fs::rename(&new, &path).map_err(|source| JournalFault::Place { path, source })?;
        Ok(Box::new(Journal {
            region,
            failed: false,
        }))
    }

    /// The port's state of before is in use: what was frozen is stale, and so are journals of more shards than now.
    pub fn settle(&self, id: PortId, shards: u16) {
        for path in parts(&self.frozen, id) {
            remove(&path);
        }
        for path in parts(&self.journals, id) {
            let index = path
                .extension()
                .and_then(|text| text.to_str()?.parse::<u16>().ok());
            if index.is_none_or(|index| index >= shards) {
                remove(&path);
            }
        }
    }

    /// Forgets a port.
    pub fn forget(&self, id: PortId) {
        self.settle(id, 0);
    }

    /// Writes down a port that has stopped.
    ///
    /// # Errors
    /// What the system said; then the journals are what the next process has.
    pub fn freeze(&self, id: PortId, parts: &[Vec<u8>]) -> io::Result<()> {
        for (index, bytes) in parts.iter().enumerate() {
            let path = self.frozen.join(format!("{id}.{index}"));
            let written = write_private(&path, bytes);
            if written.is_err() {
                self.settle(id, u16::MAX);
            }
            written?;
        }
        Ok(())
    }

    /// The ports that the process before left something of.
    #[must_use]
    pub fn left(&self) -> Vec<PortId> {
        let mut ids: Vec<PortId> = [&self.journals, &self.frozen]
            .into_iter()
            .flat_map(|dir| files(dir))
            .filter_map(|path| path.file_stem()?.to_str()?.parse().ok())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// The journal of a shard.
#[derive(Debug)]
struct Journal {
    region: Region,
    /// It has been said that it cannot be written.
    failed: bool,
}

impl JournalWriter for Journal {
    fn write(&mut self, shard: &mut Shard, now: Instant) {
        if let Err(error) = shard.journal(self.region.bytes_mut(), now)
            && !self.failed
        {
            self.failed = true;
            tracing::error!(%error, journal = %self.region.path().display(), "the journal is not kept");
        }
    }
}

/// The files of a port's shards, in the order of their names.
fn parts(dir: &Path, id: PortId) -> Vec<PathBuf> {
    let name = id.to_string();
    let ours = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == name.as_str());
    let mut parts: Vec<_> = files(dir).into_iter().filter(ours).collect();
    parts.sort();
    parts
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "a stale file stays");
    }
}

/// Writes a file that only its owner reads.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}
