//! `rackweave router liveness`: the process as a command, which `router` starts.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use nix::errno::Errno;
use nix::unistd::setsid;
use rackweave_daemon::dir::private_dir;
use rackweave_daemon::lock::Lock;
use rackweave_routing::{bfd, probe};

use super::{LivenessPorts, process};

/// Where its lock is in the run directory.
const LOCK_DIR: &str = "liveness";

/// How the process is run.
#[derive(Clone, Debug, Args)]
pub struct LivenessArgs {
    /// The router's run directory: the socket is made here.
    #[arg(long, value_name = "DIR")]
    run_dir: PathBuf,
    /// Port of BFD.
    #[arg(long, value_name = "PORT", default_value_t = bfd::PORT)]
    bfd_port: u16,
    /// Port of beacons.
    #[arg(long, value_name = "PORT", default_value_t = probe::PORT)]
    beacon_port: u16,
}

impl LivenessArgs {
    /// Runs the process until it ends. One that finds another one for its run directory ends at once, and that is no
    /// error: who starts it wants one to run.
    ///
    /// # Errors
    /// Why it cannot begin, or had to end.
    pub fn run(&self) -> anyhow::Result<()> {
        let dir = self.run_dir.join(LOCK_DIR);
        private_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let _lock = match Lock::take(&dir, "liveness process") {
            Ok(lock) => lock,
            Err(_) if process::answers(&self.run_dir) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        // A session of its own: what ends the router's terminal or session does not end it. EPERM: it has one.
        match setsid() {
            Ok(_) | Err(Errno::EPERM) => {}
            Err(error) => return Err(error).context("cannot leave the router's session"),
        }
        let ports = LivenessPorts {
            bfd: self.bfd_port,
            beacons: self.beacon_port,
        };
        process::serve(&self.run_dir, ports)?;
        Ok(())
    }
}
