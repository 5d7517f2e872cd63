//! `rackweave controller`: the program.

mod keep;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rackweave_api::http::Endpoint;
use rackweave_daemon::config::{self, ConfigFileError};
use rackweave_daemon::http::document_text;
use rackweave_daemon::log::LogArgs;
use rackweave_daemon::output::{Failure, write_all, written};

use crate::config::Config;

/// The configuration that is read where none is named and this one is there.
const CONFIG: &str = "/etc/rackweave/controller.toml";

/// What stands under the help of `rackweave controller`.
const EXAMPLES: &str = "\
Examples:
  rackweave controller run --metrics 127.0.0.1:9104
  rackweave controller backup /var/backups/rackweave.backup
  rackweave controller restore --replace /var/backups/rackweave.backup

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// What `rackweave controller` is told.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ControllerArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Serves the API until it is told to end.
    Run(RunArgs),
    /// Writes all that was asked for into a file, from a controller that runs.
    Backup(BackupArgs),
    /// Puts such a file into the store, while no controller runs.
    Restore(RestoreArgs),
    /// Writes the API's `OpenAPI` document.
    Openapi,
}

/// What `rackweave controller run` is told.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The unix socket of the API.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Where counters are read over HTTP: a loopback address with port, or the path of a unix socket.
    #[arg(long, value_name = "ADDRESS|PATH")]
    metrics: Option<String>,
    #[command(flatten)]
    log: LogArgs,
}

/// Which store.
#[derive(Clone, Debug, Args)]
pub struct StoreArgs {
    /// The configuration; /etc/rackweave/controller.toml if it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The embedded store.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// A member of an etcd cluster, instead of an embedded store; may be said many times.
    #[arg(long, value_name = "URL")]
    etcd: Vec<String>,
}

/// What `rackweave controller backup` is told.
#[derive(Clone, Debug, Args)]
pub struct BackupArgs {
    /// The controller's API: `unix:PATH` or `http://HOST:PORT`.
    #[arg(long, value_name = "ENDPOINT")]
    api: Option<Endpoint>,
    /// The file of an operator's token; root needs none over the unix socket.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Where to; `-` is standard output.
    file: PathBuf,
}

/// What `rackweave controller restore` is told.
#[derive(Clone, Debug, Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Removes what is stored first.
    #[arg(long)]
    replace: bool,
    /// Looks whether the file is whole, and does no more.
    #[arg(long)]
    check: bool,
    /// The file.
    file: PathBuf,
}

impl RunArgs {
    /// The configuration: the file's, with what the command line puts in its place.
    ///
    /// # Errors
    /// Where the file cannot be read, or a value cannot be used.
    pub fn config(&self) -> Result<Config, ConfigFileError> {
        let mut config = self.store.config()?;
        if let Some(dir) = &self.run_dir {
            config.run_dir.clone_from(dir);
        }
        if let Some(metrics) = &self.metrics {
            config.metrics.put(metrics);
        }
        config.check()?;
        Ok(config)
    }
}

impl StoreArgs {
    /// The configuration, with the store that is named.
    fn config(&self) -> Result<Config, ConfigFileError> {
        let mut config: Config =
            config::read_named_or_usual(self.config.as_deref(), Path::new(CONFIG))?;
        if let Some(dir) = &self.state_dir {
            config.state_dir.clone_from(dir);
        }
        if !self.etcd.is_empty() {
            config.etcd.clone_from(&self.etcd);
        }
        Ok(config)
    }
}

/// Does what the command line says.
#[must_use]
pub fn main(args: ControllerArgs) -> ExitCode {
    let done = match args.command {
        Command::Run(args) => run(&args),
        Command::Backup(args) => keep::backup(&args),
        Command::Restore(args) => keep::restore(&args),
        Command::Openapi => written(write_all(document().as_bytes())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn run(args: &RunArgs) -> Result<(), Failure> {
    args.log.start()?;
    Ok(crate::run::run(&args.config()?)?)
}

/// The API's document, as it is checked in.
#[must_use]
pub fn document() -> String {
    document_text(&crate::http::document())
}
