//! `rackweave controller`: the program.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rackweave_daemon::config::{self, ConfigFileError};
use rackweave_daemon::http::document_text;
use rackweave_daemon::log::LogArgs;
use rackweave_daemon::output::{Failure, write_all, written};

use crate::config::Config;

/// The configuration that is read where none is named and this one is there.
const CONFIG: &str = "/etc/rackweave/controller.toml";

/// What `rackweave controller` is told.
#[derive(Clone, Debug, Args)]
pub struct ControllerArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Serves the API until it is told to end.
    Run(RunArgs),
    /// Writes the API's `OpenAPI` document.
    Openapi,
}

/// What `rackweave controller run` is told.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The configuration; /etc/rackweave/controller.toml if it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The unix socket of the API.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// The embedded store.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// A member of an etcd cluster, instead of an embedded store; may be said many times.
    #[arg(long, value_name = "URL")]
    etcd: Vec<String>,
    #[command(flatten)]
    log: LogArgs,
}

impl RunArgs {
    /// The configuration: the file's, with what the command line puts in its place.
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
        if !self.etcd.is_empty() {
            config.etcd.clone_from(&self.etcd);
        }
        config.check()?;
        Ok(config)
    }
}

/// Does what the command line says.
#[must_use]
pub fn main(args: ControllerArgs) -> ExitCode {
    let done = match args.command {
        Command::Run(args) => run(&args),
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
