//! One process for each run directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How often a lock that is held is looked at, and what lies between.
const LOOKS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// Held as long as the process runs; the kernel gives it back, however the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the run directory cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process has it.
    #[error(
        "another {name} runs with {}: stop it, or give this one another --run-dir",
        dir.display()
    )]
    Taken {
        /// The directory.
        dir: PathBuf,
        /// What the process calls itself.
        name: &'static str,
    },
    /// The file cannot be opened or locked.
    #[error("{} cannot be locked", dir.display())]
    Lock {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the run directory, for a process that calls itself `name`. One that was killed a moment ago may still hold
    /// it while the kernel takes it apart, so this waits for up to a second.
    ///
    /// # Errors
    /// Where another process has it, or the system refuses.
    pub fn take(dir: &Path, name: &'static str) -> Result<Self, LockError> {
        let fault = |source| LockError::Lock {
            dir: dir.into(),
            source,
        };
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join("lock"))
            .map_err(fault)?;
        for _ in 0..LOOKS {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => pause(),
                Err(TryLockError::Error(source)) => return Err(fault(source)),
            }
        }
        Err(LockError::Taken {
            dir: dir.into(),
            name,
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing tells when another process has ended; this is before anything else of the daemon runs"
)]
fn pause() {
    thread::sleep(PAUSE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_directory_is_one_process_s() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path(), "sled").unwrap();
        let error = Lock::take(dir.path(), "sled").unwrap_err().to_string();
        assert!(error.contains("another sled runs"), "{error}");
        drop(first);
        Lock::take(dir.path(), "sled").unwrap();
    }

    #[test]
    fn who_ends_a_moment_later_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path(), "sled").unwrap();
        let ending = thread::spawn(move || {
            pause();
            drop(first);
        });
        assert!(Lock::take(dir.path(), "sled").is_ok());
        ending.join().unwrap();
    }
}
