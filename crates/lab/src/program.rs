//! Programs of ours that run in nodes of a lab, each by itself.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rackweave_linux::netns::Netns;

use crate::step::StepError;

/// Starts this program in a namespace, called by these words and with a configuration; what it says is added to its log.
///
/// # Errors
/// Where it cannot be started.
pub(crate) fn spawn(
    space: &Netns,
    called: &[&str],
    config: &Path,
    log: &Path,
) -> io::Result<Child> {
    let spawned = space.run_in(|| {
        let out = File::options().create(true).append(true).open(log)?;
        Command::new(std::env::current_exe()?)
            .args(called)
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            // Ctrl-C is for the command that started it.
            .process_group(0)
            .spawn()
    });
    spawned.map_err(io::Error::other)?
}

/// A program that was started. It runs on when this value goes.
#[derive(Debug)]
pub(crate) struct Started {
    /// What it is, in words.
    pub(crate) what: String,
    pub(crate) child: Child,
    /// What it says.
    pub(crate) log: PathBuf,
}

impl Started {
    /// That it has ended, where it has.
    pub(crate) fn ended(&mut self) -> Option<StepError> {
        let status = self.child.try_wait().ok()??;
        let what = format!("{} has ended ({status})", self.what);
        Some(
            StepError::new(what)
                .cause(last_words(&self.log))
                .log(&self.log),
        )
    }
}

/// The last line of a log.
fn last_words(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("it said nothing").trim().to_owned()
}
