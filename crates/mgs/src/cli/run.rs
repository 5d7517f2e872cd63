//! `rackweave mgs run`.

use std::path::{Path, PathBuf};

use clap::Args;
use rackweave_daemon::config::{self, ConfigFileError};
use rackweave_daemon::log::LogArgs;
use rackweave_daemon::output::Failure;

use crate::config::Config;

/// The configuration that is read where none is named and this one is there.
const CONFIG: &str = "/etc/rackweave/mgs.toml";

/// How a gateway is run: a file, and what the command line puts in its place.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Configuration file (TOML); /etc/rackweave/mgs.toml where it is there and none is named.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the gateway has its socket and lock.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Where the gateway keeps what outlives the machine's restart.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The interface that leads to the switch.
    #[arg(long, value_name = "NAME")]
    uplink: Option<String>,
    /// A file of a type of rack; may be given many times.
    #[arg(long = "rack", value_name = "FILE")]
    racks: Vec<PathBuf>,
    /// Where counters are read over HTTP: a loopback address with port, or the path of a unix socket.
    #[arg(long, value_name = "ADDRESS|PATH")]
    metrics: Option<String>,
    #[command(flatten)]
    log: LogArgs,
}

impl RunArgs {
    /// The configuration that the arguments make, checked.
    ///
    /// # Errors
    /// Where the file cannot be read, or a value cannot be used.
    pub fn config(&self) -> Result<Config, ConfigFileError> {
        let mut config: Config =
            config::read_named_or_usual(self.config.as_deref(), Path::new(CONFIG))?;
        if let Some(dir) = &self.run_dir {
            config.run_dir.clone_from(dir);
        }
        if let Some(dir) = &self.state_dir {
            config.state_dir.clone_from(dir);
        }
        if let Some(uplink) = &self.uplink {
            config.uplink.clone_from(uplink);
        }
        if !self.racks.is_empty() {
            config.racks.clone_from(&self.racks);
        }
        if let Some(metrics) = &self.metrics {
            config.metrics.put(metrics);
        }
        config.check()?;
        Ok(config)
    }
}

pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    args.log.start()?;
    Ok(crate::run::run(&args.config()?)?)
}
