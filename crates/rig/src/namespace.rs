//! Network namespaces that go away by themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Stdio, id};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use crate::process::{Daemon, Output, must, run};

/// Where `ip netns` keeps them.
const FOLDER: &str = "/run/netns";
/// How the names of ours begin; the owner's process id follows.
const PREFIX: &str = "rwrig";

static REAP: Once = Once::new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A network namespace of this test, removed when it is dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one, with its loopback up and without duplicate address detection. The name is unique and ends with `role`.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn new(role: &str) -> Result<Self> {
        REAP.call_once(reap);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}-{}-{number}-{role}", id());
        must(&["ip", "netns", "add", &name], "")?;
        let namespace = Self { name };
        for (key, value) in [
            ("ipv6/conf/default/accept_dad", "0"),
            ("ipv6/conf/all/accept_dad", "0"),
        ] {
            namespace.sysctl(key, value)?;
        }
        namespace.ip("link set dev lo up")?;
        Ok(namespace)
    }

    /// Its name, as `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file by which it is entered.
    pub fn path(&self) -> PathBuf {
        Path::new(FOLDER).join(&self.name)
    }

    /// Runs lines of `ip` in it, all in one process.
    ///
    /// # Errors
    /// The first line that `ip` refuses.
    pub fn ip(&self, lines: &str) -> Result<()> {
        must(&["ip", "-n", &self.name, "-batch", "-"], lines)?;
        Ok(())
    }

    /// Sets a value under `/proc/sys/net`.
    ///
    /// # Errors
    /// Where the kernel has no such value.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/net/{key}");
        self.enter(|| fs::write(&path, value))?
            .with_context(|| format!("{path} in {}", self.name))
    }

    /// Runs a program in it to its end.
    ///
    /// # Errors
    /// Where it cannot be started; what it says itself is in the output.
    pub fn run(&self, words: &[&str]) -> Result<Output> {
        self.run_with(words, "")
    }

    /// Runs a program in it to its end, with something on its standard input.
    ///
    /// # Errors
    /// Where it cannot be started; what it says itself is in the output.
    pub fn run_with(&self, words: &[&str], input: &str) -> Result<Output> {
        let inside = ["ip", "netns", "exec", &self.name];
        run(&[&inside, words].concat(), input)
    }

    /// Runs a program in it that must succeed, and gives its standard output.
    ///
    /// # Errors
    /// All that the program said, where it did not succeed.
    pub fn must(&self, words: &[&str]) -> Result<String> {
        self.run(words)?
            .ok()
            .with_context(|| format!("{} in {}", words.join(" "), self.name))
    }

    /// Starts a program in it; all that it says goes to the file `log`.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(&self, words: &[&str], env: &[(&str, &Path)], log: &Path) -> Result<Daemon> {
        let name = words.first().copied().unwrap_or_default();
        let inside = ["ip", "netns", "exec", &self.name];
        let words: Vec<String> = [&inside, words]
            .concat()
            .into_iter()
            .map(Into::into)
            .collect();
        Daemon::start(name, &words, env, log, Stdio::null())
    }

    /// Calls a function on a thread that is in it. Sockets that it opens stay in it.
    ///
    /// # Errors
    /// Where the thread cannot enter, or panics.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                enter(&self.path())?;
                Ok(work())
            });
            inside
                .join()
                .map_err(|_| anyhow!("work in {} panicked", self.name))?
        })
    }
}

/// Takes the thread into a namespace.
pub(crate) fn enter(path: &Path) -> Result<()> {
    let file = fs::File::open(path).with_context(|| format!("no namespace {}", path.display()))?;
    setns(file, CloneFlags::CLONE_NEWNET).context("cannot enter the namespace")?;
    Ok(())
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Where it is gone already, nothing is left to do.
        let _ = run(&["ip", "netns", "del", &self.name], "");
    }
}

/// Removes namespaces whose test is no more.
fn reap() {
    let Ok(entries) = fs::read_dir(FOLDER) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if owner(&name).is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Another test may have been quicker.
            let _ = run(&["ip", "netns", "del", &name], "");
        }
    }
}

/// The process id in the name of a namespace of ours.
fn owner(name: &str) -> Option<&str> {
    let mut parts = name.split('-');
    let ours = parts.next() == Some(PREFIX);
    parts.next().filter(|_| ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ours_have_an_owner() {
        assert_eq!(owner("rwrig-17-0-web"), Some("17"));
        assert_eq!(owner("web-17-0"), None);
    }

    #[test]
    fn a_namespace_goes_with_its_value() {
        if !crate::may_run("a_namespace_goes_with_its_value") {
            return;
        }
        let namespace = Namespace::new("gone").unwrap();
        let path = namespace.path();
        assert!(path.exists());
        let links = namespace.must(&["ip", "-o", "link"]).unwrap();
        assert_eq!(links.lines().count(), 1, "{links}");
        drop(namespace);
        assert!(!path.exists());
    }
}
