//! `rackweave sled run`.

use std::path::{Path, PathBuf};

use clap::Args;
use rackweave_daemon::config::{self, ConfigFileError};
use rackweave_daemon::log::LogArgs;
use rackweave_daemon::output::Failure;

use crate::config::{Config, UnderlayKind};
use crate::workers::PollMode;

/// The configuration that is read where none is named and this one is there.
const CONFIG: &str = "/etc/rackweave/sled.toml";

/// How a sled is run: a file, and what the command line puts in its place.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Configuration file (TOML); /etc/rackweave/sled.toml where it is there and none is named.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Host state (JSON); the last one applied where none is named.
    #[arg(long, value_name = "FILE")]
    host_state: Option<PathBuf>,
    /// Where the sled has its sockets, and what lives until the machine restarts.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Where the sled keeps what outlives the machine's restart.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// How the sled reaches others.
    #[arg(long, value_name = "KIND")]
    underlay: Option<UnderlayKind>,
    /// Worker threads: a power of two.
    #[arg(long, value_name = "COUNT")]
    workers: Option<u16>,
    /// How workers wait.
    #[arg(long, value_name = "MODE")]
    poll: Option<PollMode>,
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
        self.put_over(&mut config);
        config.check()?;
        Ok(config)
    }

    fn put_over(&self, config: &mut Config) {
        if self.host_state.is_some() {
            config.host_state.clone_from(&self.host_state);
        }
        if let Some(dir) = &self.run_dir {
            config.run_dir.clone_from(dir);
        }
        if let Some(dir) = &self.state_dir {
            config.state_dir.clone_from(dir);
        }
        config.underlay.kind = self.underlay.unwrap_or(config.underlay.kind);
        config.workers = self.workers.unwrap_or(config.workers);
        config.poll = self.poll.unwrap_or(config.poll);
        if let Some(metrics) = &self.metrics {
            config.metrics.put(metrics);
        }
    }
}

/// Runs a sled until it ends.
pub(super) fn run(
    args: &RunArgs,
    run: impl FnOnce(&Config) -> anyhow::Result<()>,
) -> Result<(), Failure> {
    args.log.start()?;
    Ok(run(&args.config()?)?)
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

    fn config(line: &str) -> Result<Config, ConfigFileError> {
        let words = ["run"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().args.config()
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sled.toml");
        std::fs::write(
            &path,
            "workers = 4\npoll = \"spin\"\n[underlay]\ntap = \"up0\"\n",
        )
        .unwrap();
        let line = format!(
            "--config {} --workers 2 --underlay tap --run-dir /r --state-dir /s --host-state /h.json --metrics 127.0.0.1:9101",
            path.display()
        );
        let config = config(&line).unwrap();
        assert_eq!((config.workers, config.poll), (2, PollMode::Spin));
        assert_eq!(config.underlay.kind, UnderlayKind::Tap);
        assert_eq!(config.underlay.tap, "up0");
        assert_eq!(config.control_socket(), Path::new("/r/sled.sock"));
        assert_eq!(config.state_dir, Path::new("/s"));
        assert_eq!(config.host_state.as_deref(), Some(Path::new("/h.json")));
        assert_eq!(config.metrics.listen, Some(([127, 0, 0, 1], 9101).into()));
    }

    #[test]
    fn metrics_may_be_a_path_and_only_a_loopback_address() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("empty.toml");
        std::fs::write(&path, "").unwrap();
        let with =
            |metrics: &str| config(&format!("--config {} --metrics {metrics}", path.display()));
        let unix = with("/run/metrics.sock").unwrap();
        assert_eq!(
            unix.metrics.unix.as_deref(),
            Some(Path::new("/run/metrics.sock"))
        );
        assert!(with("0.0.0.0:9101").is_err());
    }
}
