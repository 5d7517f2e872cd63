//! What a daemon logs: structured lines on standard error.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::output::Failure;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object on each line.
    Json,
}

/// What a daemon's command line says of its log.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// How log lines look.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug or trace; `RUST_LOG` goes before it.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: String,
}

impl LogArgs {
    /// Starts logging to standard error.
    ///
    /// # Errors
    /// Where `RUST_LOG` or the level cannot be read, or somebody else logs already.
    pub fn start(&self) -> Result<(), Failure> {
        init(self.log_format, &self.log_level).map_err(|error| {
            Failure::new("cannot log")
                .cause(format!("{error:#}"))
                .next("name a level: error, warn, info, debug, trace")
        })
    }
}

/// Starts logging to standard error. `level` holds where `RUST_LOG` says nothing.
///
/// # Errors
/// Where `RUST_LOG` or the level cannot be read, or somebody else logs already.
pub fn init(format: LogFormat, level: &str) -> anyhow::Result<()> {
    let filter = match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(text)?,
        _ => EnvFilter::try_new(level)?,
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let started = match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot log: {error}"))
}
