//! `rackweave router run`.

use std::path::{Path, PathBuf};

use clap::Args;
use rackweave_daemon::config::{self, ConfigFileError};
use rackweave_daemon::log::{self, LogArgs, LogFormat};
use rackweave_daemon::output::Failure;
use rackweave_types::Role;

use crate::config::Config;
use crate::liveness::LivenessArgs;

/// The configuration that is read where none is named and this one is there.
const CONFIG: &str = "/etc/rackweave/router.toml";

/// How a router is run: a file, and what the command line puts in its place.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Configuration file (TOML); /etc/rackweave/router.toml where it is there and none is named.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the router has its sockets, and what lives until the machine restarts.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Where the router keeps what outlives the machine's restart.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// What the node does: sled, switch or spine.
    #[arg(long, value_name = "ROLE")]
    role: Option<Role>,
    /// Who the node is.
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    /// A link that the fabric runs on; may be given many times.
    #[arg(long = "link", value_name = "NAME")]
    links: Vec<String>,
    /// The directory of the node's keys.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// Believes messages that nobody signed.
    #[arg(long, conflicts_with = "keys")]
    unsigned: bool,
    /// Where counters are read over HTTP: a loopback address with port, or the path of a unix socket.
    #[arg(long, value_name = "ADDRESS|PATH")]
    metrics: Option<String>,
    /// Writes all that the node's machine is told to this new file, for `router replay`.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
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
        self.put_over(&mut config);
        config.check()?;
        Ok(config)
    }

    fn put_over(&self, config: &mut Config) {
        if let Some(dir) = &self.run_dir {
            config.run_dir.clone_from(dir);
        }
        if let Some(dir) = &self.state_dir {
            config.state_dir.clone_from(dir);
        }
        config.role = self.role.unwrap_or(config.role);
        if self.id.is_some() {
            config.id.clone_from(&self.id);
        }
        if !self.links.is_empty() {
            config.links.clone_from(&self.links);
        }
        if self.keys.is_some() {
            config.signed = true;
            config.keys.clone_from(&self.keys);
        }
        config.signed &= !self.unsigned;
        if let Some(metrics) = &self.metrics {
            config.metrics.put(metrics);
        }
    }
}

/// Runs a router until it ends.
pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    args.log.start()?;
    Ok(crate::run::run(&args.config()?, args.record.as_deref())?)
}

/// Runs liveness until nobody needs it.
pub(super) fn liveness(args: &LivenessArgs) -> Result<(), Failure> {
    log::init(LogFormat::Text, "info")?;
    Ok(args.run()?)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: RunArgs,
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("router.toml");
        std::fs::write(
            &path,
            "role = \"switch\"\nlinks = [\"a\"]\n[ports]\nddm = 7\n",
        )
        .unwrap();
        let line = format!(
            "run --config {} --link up0 --link up1 --unsigned --id BRM-7 --run-dir /r --state-dir /s --metrics 127.0.0.1:9102",
            path.display()
        );
        let args = Line::try_parse_from(line.split_whitespace()).unwrap().args;
        let config = args.config().unwrap();
        assert_eq!((config.role, config.ports.ddm), (Role::Switch, 7));
        assert_eq!(config.links, ["up0", "up1"]);
        assert_eq!(config.id.as_deref(), Some("BRM-7"));
        assert!(!config.signed);
        assert_eq!(config.control_socket(), Path::new("/r/router.sock"));
        assert_eq!(config.keys_dir(), Path::new("/s/keys"));
        assert_eq!(config.metrics.listen, Some(([127, 0, 0, 1], 9102).into()));
    }
}
