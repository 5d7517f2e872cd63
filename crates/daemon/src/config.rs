//! Configuration files, and what those of all daemons have in common.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::output::Failure;

/// Where counters are read; nowhere where neither is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// A TCP address, of the loopback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Path of a unix socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix: Option<PathBuf>,
}

impl MetricsConfig {
    /// Puts what a command line says in place of the file's: an address with port, or else the path of a unix socket.
    pub fn put(&mut self, place: &str) {
        match place.parse() {
            Ok(address) => self.listen = Some(address),
            Err(_) => self.unix = Some(place.into()),
        }
    }

    /// Whether counters are read on this machine alone.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.listen.is_none_or(|address| address.ip().is_loopback())
    }
}

/// Who may ask and change over the control socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControlConfig {
    /// The group that may ask; only root may where there is none. Root alone may change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFileError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not TOML of this form; line, column and field stand in the text.
    #[error("{}: {message}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// A value cannot be used.
    #[error("{field}: {problem}")]
    Value {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl From<ConfigFileError> for Failure {
    fn from(error: ConfigFileError) -> Self {
        let failure = Self::new(error.to_string()).next("correct the configuration");
        match std::error::Error::source(&error) {
            Some(source) => failure.cause(source.to_string()),
            None => failure,
        }
    }
}

/// Reads a file of TOML.
///
/// # Errors
/// Where the file cannot be read, or is of another form.
pub fn read<C: DeserializeOwned>(path: &Path) -> Result<C, ConfigFileError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigFileError::Read {
        path: path.into(),
        source,
    })?;
    let form = |error: toml::de::Error| ConfigFileError::Form {
        path: path.into(),
        message: error.to_string().trim_end().to_owned(),
    };
    toml::from_str(&text).map_err(form)
}

/// Reads the file that is named, or else the usual one if it is there, or else takes what holds without a file.
///
/// # Errors
/// Where the file cannot be read, or is of another form.
pub fn read_named_or_usual<C: DeserializeOwned + Default>(
    named: Option<&Path>,
    usual: &Path,
) -> Result<C, ConfigFileError> {
    match named {
        Some(path) => read(path),
        None if usual.exists() => read(usual),
        None => Ok(C::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_named_must_be_there_and_the_usual_one_need_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.toml");
        let read = |named| read_named_or_usual::<ControlConfig>(named, &path);
        assert_eq!(read(None).unwrap(), ControlConfig::default());
        assert!(matches!(
            read(Some(&path)),
            Err(ConfigFileError::Read { .. })
        ));
        std::fs::write(&path, "group = \"net\"").unwrap();
        assert_eq!(read(None).unwrap().group.as_deref(), Some("net"));
        std::fs::write(&path, "grup = \"net\"").unwrap();
        let failure = Failure::from(read(None).unwrap_err());
        assert!(failure.what.contains("unknown field `grup`"), "{failure}");
    }

    #[test]
    fn an_address_is_told_from_a_path() {
        let mut metrics = MetricsConfig::default();
        metrics.put("127.0.0.1:9000");
        metrics.put("/run/metrics.sock");
        assert!(metrics.listen.is_some() && metrics.unix.is_some());
        assert!(metrics.is_local());
        metrics.put("[::]:9000");
        assert!(!metrics.is_local());
    }
}
