//! Network namespaces.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

/// Where namespaces have names; `ip netns` looks here too.
const NAMES: &str = "/run/netns";
/// The namespace of the thread that looks. `/proc/self` would be that of the process's first thread.
const OWN: &str = "/proc/thread-self/ns/net";

/// Why a namespace could not be had or entered.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} network namespace {}", path.display())]
pub struct NetnsError {
    /// What was tried: `create`, `open` or `enter`.
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// A network namespace, held open: it lives at least as long as this value.
#[derive(Debug)]
pub struct Netns {
    path: PathBuf,
    file: File,
    remove: bool,
}

impl Netns {
    /// Makes a namespace with a name, `/run/netns/NAME`, as `ip netns add` does; it stays until
    /// [`remove`](Self::remove). Its loopback is down.
    ///
    /// # Errors
    /// Where the name is taken, or the process may not (it needs root).
    pub fn create(name: &str) -> Result<Self, NetnsError> {
        let path = Path::new(NAMES).join(name);
        make(&path).map_err(|source| NetnsError {
            what: "create",
            path: path.clone(),
            source,
        })?;
        Self::open(&path).inspect_err(|_| unmake(&path))
    }

    /// Makes a namespace for a test: with a name of its own that begins with `prefix`, removed when this value goes.
    ///
    /// # Errors
    /// Where the process may not (it needs root).
    pub fn temporary(prefix: &str) -> Result<Self, NetnsError> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let mut netns = Self::create(&format!("{prefix}-{}-{count}", std::process::id()))?;
        netns.remove = true;
        Ok(netns)
    }

    /// The namespace that this file stands for: `/run/netns/NAME` or `/proc/PID/ns/net`.
    ///
    /// # Errors
    /// Where there is none.
    pub fn open(path: &Path) -> Result<Self, NetnsError> {
        let file = File::open(path).map_err(|source| NetnsError {
            what: "open",
            path: path.into(),
            source,
        })?;
        Ok(Self {
            path: path.into(),
            file,
            remove: false,
        })
    }

    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// Where `/proc` is not mounted.
    pub fn current() -> Result<Self, NetnsError> {
        Self::open(Path::new(OWN))
    }

    /// Where its file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name, where it is one of `/run/netns`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.path.strip_prefix(NAMES).ok()?.to_str()
    }

    /// Runs `job` in the namespace, on a thread of its own, and waits for it. Sockets and devices that it opens stay in
    /// the namespace wherever they are used, and so do processes that it starts. A panic of the job goes on here.
    ///
    /// # Errors
    /// Where the namespace cannot be entered (it needs root); the job did not run.
    pub fn run_in<T: Send>(&self, job: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
        let entered = thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&self.file, CloneFlags::CLONE_NEWNET)?;
                Ok::<T, io::Error>(job())
            });
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        });
        entered.map_err(|source| NetnsError {
            what: "enter",
            path: self.path.clone(),
            source,
        })
    }

    /// Takes its name away; it ends with the last process and device that uses it.
    pub fn remove(mut self) {
        self.remove = true;
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if self.remove {
            unmake(&self.path);
        }
    }
}

/// Binds a new namespace to the file, from a thread that has moved into it and ends.
fn make(path: &Path) -> io::Result<()> {
    fs::create_dir_all(NAMES)?;
    share_names()?;
    File::create_new(path)?;
    let bound = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            mount(
                Some(OWN),
                path,
                None::<&str>,
                MsFlags::MS_BIND,
                None::<&str>,
            )
        });
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    });
    bound.map_err(io::Error::from).inspect_err(|_| unmake(path))
}

/// Lets names that are made or go here be made and go in every mount namespace.
fn share_names() -> io::Result<()> {
    let share = || {
        let flags = MsFlags::MS_SHARED | MsFlags::MS_REC;
        mount(None::<&str>, NAMES, None::<&str>, flags, None::<&str>)
    };
    if share().is_ok() {
        return Ok(());
    }
    // Only a mount point can be shared: make it one.
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(NAMES), NAMES, None::<&str>, flags, None::<&str>)?;
    Ok(share()?)
}

/// What is not there is gone already; what cannot be removed is left for `ip netns del`.
fn unmake(path: &Path) {
    let _unmounted = umount2(path, MntFlags::MNT_DETACH);
    let _removed = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::testing::root;

    fn inode(path: &Path) -> u64 {
        fs::metadata(path).unwrap().ino()
    }

    #[test]
    fn jobs_run_in_the_namespace() {
        if !root("jobs_run_in_the_namespace") {
            return;
        }
        let netns = Netns::temporary("rwt").unwrap();
        let path = netns.path().to_owned();
        let here = inode(Path::new(OWN));
        let there = netns.run_in(|| inode(Path::new(OWN))).unwrap();
        assert_ne!(here, there);
        assert_eq!(there, inode(&path));
        assert_eq!(here, inode(Path::new(OWN)));
        let name = netns.name().unwrap();
        assert!(Netns::create(name).is_err(), "the name is taken");
        assert_eq!(there, inode(&path), "and stays taken");
        drop(netns);
        assert!(!path.exists());
    }

    #[test]
    fn a_missing_namespace_is_named() {
        let error = Netns::open(Path::new("/run/netns/no-such-namespace")).unwrap_err();
        let text = "cannot open network namespace /run/netns/no-such-namespace";
        assert_eq!(error.to_string(), text);
    }
}
