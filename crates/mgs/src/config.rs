//! The configuration file of a gateway.

use std::path::PathBuf;

use rackweave_api::http::Endpoint;
use rackweave_api::mgs::{RUN_DIR, SOCKET};
use rackweave_daemon::config::{ConfigFileError, ControlConfig, MetricsConfig};
use rackweave_daemon::http::Place;
use serde::{Deserialize, Serialize};

/// What `rackweave mgs run` is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Socket and lock.
    pub run_dir: PathBuf,
    /// What outlives the machine's restart: which unit was where, the audit log, updates under way.
    pub state_dir: PathBuf,
    /// The interface that leads to the switch.
    pub uplink: String,
    /// Files of the types of rack that it may be in.
    pub racks: Vec<PathBuf>,
    /// The file of the keys of service processors; without one, none is asked for proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<PathBuf>,
    /// Where the API is served: `unix:PATH` or an address with port; a unix socket in the run directory where nothing
    /// is said.
    pub listen: Vec<Place>,
    /// The API of the other switch's gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The socket of the router that knows the neighbours on the data network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// What the data network's links are called before the number of their switch port.
    pub data_links: String,
    /// Seconds between self-tests; 0 for none but those asked for.
    pub selftest_s: u64,
    /// Where counters are read.
    pub metrics: MetricsConfig,
    /// Who may ask and change.
    pub control: ControlConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            run_dir: RUN_DIR.into(),
            state_dir: "/var/lib/rackweave/mgs".into(),
            uplink: "up".into(),
            racks: vec!["/etc/rackweave/racks/rack-1.toml".into()],
            keys: None,
            listen: Vec::new(),
            peer: None,
            data: None,
            data_links: "p".into(),
            selftest_s: 60,
            metrics: MetricsConfig::default(),
            control: ControlConfig::default(),
        }
    }
}

impl Config {
    /// Checks what no single field's type can say.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn check(&self) -> Result<(), ConfigFileError> {
        let wrong = |field, problem| Err(ConfigFileError::Value { field, problem });
        if self.uplink.is_empty() || self.uplink.len() > 15 || self.uplink.contains('/') {
            return wrong("uplink", "not the name of an interface: 1 to 15 characters");
        }
        if self.racks.is_empty() {
            return wrong(
                "racks",
                "name at least one file that describes a type of rack",
            );
        }
        if self.peer().is_none() && self.peer.is_some() {
            return wrong("peer", "not `unix:PATH` and not `http://HOST:PORT`");
        }
        if self.selftest_s > 86_400 {
            return wrong("selftest_s", "not between 0 and 86400");
        }
        if !self.metrics.is_local() {
            return wrong(
                "metrics.listen",
                "not an address of the loopback: let a local collector forward them",
            );
        }
        Ok(())
    }

    /// The API of the other switch's gateway.
    #[must_use]
    pub fn peer(&self) -> Option<Endpoint> {
        self.peer.as_ref()?.parse().ok()
    }

    /// The API's socket where nothing else is said.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.run_dir.join(SOCKET)
    }
}

#[cfg(test)]
mod tests {
    use rackweave_daemon::config;

    use super::*;

    fn read(text: &str) -> Result<Config, ConfigFileError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mgs.toml");
        std::fs::write(&path, text).unwrap();
        config::read(&path)
    }

    #[test]
    fn an_empty_file_is_a_configuration() {
        let config = read("").unwrap();
        assert_eq!(config, Config::default());
        config.check().unwrap();
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, field) in [
            ("uplink = \"\"", "uplink"),
            ("racks = []", "racks"),
            ("peer = \"ftp://x\"", "peer"),
            ("selftest_s = 100000", "selftest_s"),
            ("[metrics]\nlisten = \"0.0.0.0:9102\"", "metrics.listen"),
        ] {
            let error = read(text).unwrap().check().unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
        let error = read("uplnk = \"up\"").unwrap_err().to_string();
        assert!(error.contains("uplnk"), "{error}");
    }
}
