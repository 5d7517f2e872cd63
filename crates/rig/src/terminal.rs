//! Somebody at a terminal.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::clock::wait_until;
use crate::process::Daemon;

/// A program that runs in a terminal of its own (util-linux's `script`), with somebody who types and reads.
#[derive(Debug)]
pub struct Terminal {
    daemon: Daemon,
    stdin: std::process::ChildStdin,
    folder: TempDir,
}

impl Terminal {
    /// Starts a program in a terminal.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(words: &[&str]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rwterminal").tempdir()?;
        let command = words.join(" ");
        let words = [
            "script",
            "--quiet",
            "--flush",
            "--command",
            &command,
            "/dev/null",
        ];
        let words: Vec<String> = words.into_iter().map(Into::into).collect();
        let log = folder.path().join("screen");
        let mut daemon = Daemon::start("script", &words, &[], &log, Stdio::piped())?;
        let stdin = daemon.stdin().context("a terminal has a keyboard")?;
        Ok(Self {
            daemon,
            stdin,
            folder,
        })
    }

    /// Types.
    ///
    /// # Errors
    /// Where the program has ended.
    pub fn type_in(&mut self, octets: &[u8]) -> Result<()> {
        self.stdin.write_all(octets)?;
        Ok(self.stdin.flush()?)
    }

    /// All that stood on the screen until now.
    pub fn screen(&self) -> Vec<u8> {
        fs::read(self.file()).unwrap_or_default()
    }

    /// Where all that stands on the screen is written.
    pub fn file(&self) -> impl AsRef<Path> {
        self.folder.path().join("screen")
    }

    /// Waits until a text stands on the screen.
    ///
    /// # Errors
    /// Where it does not in time; then with what stands there.
    pub fn wait_for(&self, within: Duration, text: &str) -> Result<()> {
        wait_until(within, text, || {
            Ok(String::from_utf8_lossy(&self.screen()).contains(text))
        })
        .with_context(|| String::from_utf8_lossy(&self.screen()).into_owned())
    }

    /// Waits until the program has ended.
    ///
    /// # Errors
    /// Where it does not in time.
    pub fn wait_for_end(&mut self, within: Duration) -> Result<()> {
        wait_until(within, "the program in the terminal ends", || {
            Ok(!self.daemon.is_running()?)
        })
    }
}
