//! The controller program.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::clock::wait_until;
use crate::namespace::Namespace;
use crate::process::Daemon;

/// How long a controller may take to begin: after a kill its store is checked first.
const BEGIN: Duration = Duration::from_mins(1);

/// A controller: its folders, and the program where it runs. Everything ends with its owner.
#[derive(Debug)]
pub struct Controller {
    daemon: Option<Daemon>,
    program: PathBuf,
    notify: UnixDatagram,
    folder: TempDir,
}

impl Controller {
    /// Writes a configuration for a controller; nothing runs yet. `more` is what the configuration says beside the
    /// folders: `etcd = […]`, `listen = […]`, then tables.
    ///
    /// # Errors
    /// What the file system refuses.
    pub fn new(program: &Path, more: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rwcontroller").tempdir()?;
        let notify = UnixDatagram::bind(folder.path().join("notify"))?;
        notify.set_nonblocking(true)?;
        let controller = Self {
            daemon: None,
            program: program.to_owned(),
            notify,
            folder,
        };
        let here = controller.folder.path().display();
        let config = format!("run_dir = \"{here}/run\"\nstate_dir = \"{here}/state\"\n{more}");
        fs::write(controller.config(), config)?;
        Ok(controller)
    }

    /// The folder of all that is the controller's.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("controller.toml")
    }

    /// The folder of its embedded store.
    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The unix socket of its API.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("run/api.sock")
    }

    /// Starts the program, in a namespace or here, and waits until it says that it serves.
    ///
    /// # Errors
    /// What the program said, where it ended, or did not begin within a minute.
    pub fn start(&mut self, namespace: Option<&Namespace>) -> Result<()> {
        let (program, config) = (self.program.display().to_string(), self.config());
        let config = config.display().to_string();
        let words = [&program, "controller", "run", "--config", &config];
        let (notify, log) = (self.folder.path().join("notify"), self.log_path());
        // What a program before this one said is read already, or was never of interest.
        while self.notify.recv(&mut [0; 4096]).is_ok() {}
        let env = [("NOTIFY_SOCKET", notify.as_path())];
        let mut daemon = if let Some(namespace) = namespace {
            namespace.start(&words, &env, &log)?
        } else {
            let words = words.map(str::to_owned);
            Daemon::start("controller", &words, &env, &log, Stdio::null())?
        };
        let mut ready = false;
        let waited = wait_until(BEGIN, "the controller serves", || {
            ready |= self.is_announced();
            Ok(ready || !daemon.is_running()?)
        });
        let said = daemon.log();
        self.daemon = Some(daemon);
        waited.with_context(|| said.clone())?;
        ensure!(ready, "the controller ended before it was ready:\n{said}");
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
        self.daemon.take().context("no controller runs")?.kill()
    }

    /// Asks the program to end, which it must do with exit code 0.
    ///
    /// # Errors
    /// Where it does not.
    pub fn stop(&mut self) -> Result<()> {
        let mut daemon = self.daemon.take().context("no controller runs")?;
        let code = daemon.stop(BEGIN)?;
        ensure!(code == 0, "ended with {code}:\n{}", daemon.log());
        Ok(())
    }

    /// Its program.
    ///
    /// # Errors
    /// Where none runs.
    pub fn daemon(&mut self) -> Result<&mut Daemon> {
        self.daemon.as_mut().context("no controller runs")
    }

    /// All that its programs said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}
