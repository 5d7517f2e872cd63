//! The sled program at one end of a site.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rackweave_types::state::HostState;
use tempfile::TempDir;

use crate::clock::{SHORT, wait_until};
use crate::namespace::Namespace;
use crate::process::{Daemon, Output};
use crate::site::Underlay;

/// A sled: its folders, and the program where it runs.
#[derive(Debug)]
pub struct Sled {
    daemon: Option<Daemon>,
    program: PathBuf,
    notify: UnixDatagram,
    folder: TempDir,
}

impl Sled {
    /// Writes a configuration for a sled; nothing runs yet.
    ///
    /// # Errors
    /// What the file system refuses.
    pub fn new(program: &Path, underlay: Underlay, state: &HostState) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rwsled").tempdir()?;
        let notify = UnixDatagram::bind(folder.path().join("notify"))?;
        notify.set_nonblocking(true)?;
        let sled = Self {
            daemon: None,
            program: program.to_owned(),
            notify,
            folder,
        };
        let here = sled.folder.path().display();
        let config = format!(
            "run_dir = \"{here}/run\"\nstate_dir = \"{here}/state\"\nhost_state = \"{here}/host.json\"\n\
             [underlay]\nkind = \"{underlay}\"\n[metrics]\nunix = \"{here}/metrics.sock\"\n"
        );
        fs::write(sled.config(), config)?;
        sled.write_state(state)?;
        Ok(sled)
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("sled.toml")
    }

    /// Its host state file.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("host.json")
    }

    /// The folder of its sockets.
    pub fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// The socket where its metrics are.
    pub fn metrics(&self) -> PathBuf {
        self.folder.path().join("metrics.sock")
    }

    /// Writes its host state file; a running program is not told.
    ///
    /// # Errors
    /// What the file system refuses.
    pub fn write_state(&self, state: &HostState) -> Result<()> {
        fs::write(self.state(), serde_json::to_string_pretty(state)?)?;
        Ok(())
    }

    /// Starts the program in a namespace and waits until it says that it is ready.
    ///
    /// # Errors
    /// What the program said, where it ended, or was not ready within [`SHORT`].
    pub fn start(&mut self, namespace: &Namespace) -> Result<()> {
        let (program, config) = (self.program.display().to_string(), self.config());
        let config = config.display().to_string();
        let words = [&program, "sled", "run", "--config", &config];
        let notify = self.folder.path().join("notify");
        // What a program before this one said is read already, or was never of interest.
        while self.notify.recv(&mut [0; 4096]).is_ok() {}
        let env = [("NOTIFY_SOCKET", notify.as_path())];
        let mut daemon = namespace.start(&words, &env, &self.folder.path().join("log"))?;
        let mut ready = false;
        let waited = wait_until(SHORT, "the sled is ready", || {
            ready |= self.is_announced();
            Ok(ready || !daemon.is_running()?)
        });
        let log = daemon.log();
        self.daemon = Some(daemon);
        waited.with_context(|| log.clone())?;
        ensure!(ready, "the sled ended before it was ready:\n{log}");
        Ok(())
    }

    /// Whether the program has said that it is ready since it was last asked.
    fn is_announced(&self) -> bool {
        let mut message = [0; 4096];
        while let Ok(length) = self.notify.recv(&mut message) {
            let text = String::from_utf8_lossy(&message[..length]);
            if text.lines().any(|line| line == "READY=1") {
                return true;
            }
        }
        false
    }

    /// Kills the program without asking.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.daemon.take().context("no sled runs")?.kill()
    }

    /// Asks the program to end, which it must do well within [`SHORT`] and with exit code 0.
    ///
    /// # Errors
    /// Where it does not.
    pub fn stop(&mut self) -> Result<()> {
        let mut daemon = self.daemon.take().context("no sled runs")?;
        let code = daemon.stop(SHORT)?;
        ensure!(code == 0, "ended with {code}:\n{}", daemon.log());
        Ok(())
    }

    /// Its program.
    ///
    /// # Errors
    /// Where none runs.
    pub fn daemon(&mut self) -> Result<&mut Daemon> {
        self.daemon.as_mut().context("no sled runs")
    }

    /// All that its programs said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Asks the running program by `rackweave sled WORDS…`.
    ///
    /// # Errors
    /// Where the command cannot be started.
    pub fn ask(&self, words: &[&str]) -> Result<Output> {
        let (program, run_dir) = (self.program.display().to_string(), self.run_dir());
        let run_dir = run_dir.display().to_string();
        let all = [&[program.as_str(), "sled"], words, &["--run-dir", &run_dir]];
        crate::process::run(&all.concat(), "")
    }

    /// Writes and applies a host state.
    ///
    /// # Errors
    /// What the program has against it.
    pub fn apply(&self, state: &HostState) -> Result<()> {
        self.write_state(state)?;
        let file = self.state().display().to_string();
        self.ask(&["apply", &file])?.ok().context("apply")?;
        Ok(())
    }

    /// Waits until a line of its log holds a text.
    ///
    /// # Errors
    /// Where none does in time.
    pub fn wait_for_log(&self, text: &str, within: Duration) -> Result<()> {
        wait_until(within, &format!("the log says {text}"), || {
            Ok(self.log().contains(text))
        })
    }
}
