//! The configuration file of a sled, and what the command line puts in its place.

use std::fmt;
use std::path::PathBuf;

use rackweave_daemon::config::{ConfigFileError, ControlConfig, MetricsConfig};
use rackweave_daemon::follow::ControllerConfig;
use serde::{Deserialize, Serialize};

use crate::workers::PollMode;

/// What `rackweave sled run` is told; every field has a default, so an empty file is a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Control socket, and what lives as long as the machine runs: journals, frozen ports, the boot's secret.
    pub run_dir: PathBuf,
    /// What outlives the machine's restart: the last host state.
    pub state_dir: PathBuf,
    /// The host state as a file; where there is none, the last one applied is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_state: Option<PathBuf>,
    /// Who says what the sled is to be, instead of a file.
    pub controller: ControllerConfig,
    /// Worker threads: a power of two.
    pub workers: u16,
    /// The processors that workers are pinned to, one each in turn; not pinned where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Vec<usize>>,
    /// How workers wait.
    pub poll: PollMode,
    /// How the sled reaches others.
    pub underlay: UnderlayConfig,
    /// Where counters are read.
    pub metrics: MetricsConfig,
    /// Who may ask and change.
    pub control: ControlConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            run_dir: "/run/rackweave/sled".into(),
            state_dir: "/var/lib/rackweave/sled".into(),
            host_state: None,
            controller: ControllerConfig::default(),
            workers: 1,
            cpus: None,
            poll: PollMode::default(),
            underlay: UnderlayConfig::default(),
            metrics: MetricsConfig::default(),
            control: ControlConfig::default(),
        }
    }
}

/// How the sled reaches others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnderlayConfig {
    /// The back end.
    pub kind: UnderlayKind,
    /// Name of the TAP.
    pub tap: String,
    /// Path of the vhost-user socket; `wire.sock` in the run directory where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
}

impl Default for UnderlayConfig {
    fn default() -> Self {
        Self {
            kind: UnderlayKind::default(),
            tap: "rw-underlay".into(),
            socket: None,
        }
    }
}

/// A way to reach other sleds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum UnderlayKind {
    /// The fastest that works here: `tap`, else `udp`.
    #[default]
    Auto,
    /// UDP sockets with segmentation offload: every kernel, every NIC.
    Udp,
    /// A TAP with tunnel segmentation offload (Linux 6.17 or newer), routed by the kernel.
    Tap,
    /// A vhost-user port as the wire: simulators, `SmartNIC`s.
    Vhost,
}

impl fmt::Display for UnderlayKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Udp => "udp",
            Self::Tap => "tap",
            Self::Vhost => "vhost",
        })
    }
}

impl Config {
    /// Checks what no single field's type can say.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn check(&self) -> Result<(), ConfigFileError> {
        let value = |field, problem| ConfigFileError::Value { field, problem };
        if !self.workers.is_power_of_two() || self.workers > 64 {
            return Err(value(
                "workers",
                "not a power of two up to 64; 1 serves a few Gbit/s",
            ));
        }
        if self.cpus.as_ref().is_some_and(Vec::is_empty) {
            return Err(value(
                "cpus",
                "an empty list; leave it out to pin to no processor",
            ));
        }
        if self
            .underlay
            .tap
            .parse::<rackweave_types::state::InterfaceName>()
            .is_err()
        {
            return Err(value("underlay.tap", "not the name of an interface"));
        }
        if self.controller.is_used() && self.host_state.is_some() {
            return Err(value(
                "host_state",
                "a sled that follows controllers takes no file; leave out one of the two",
            ));
        }
        self.controller.check()?;
        if !self.metrics.is_local() {
            return Err(value(
                "metrics.listen",
                "not an address of the loopback; counters name guests, so let a local collector forward them",
            ));
        }
        Ok(())
    }

    /// The control socket.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.run_dir.join("sled.sock")
    }

    /// The vhost-user socket of the wire.
    #[must_use]
    pub fn wire_socket(&self) -> PathBuf {
        let given = self.underlay.socket.clone();
        given.unwrap_or_else(|| self.run_dir.join("wire.sock"))
    }
}

#[cfg(test)]
mod tests {
    use rackweave_daemon::config;

    use super::*;

    fn read(text: &str) -> Result<Config, ConfigFileError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sled.toml");
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
    fn a_mistyped_field_is_named_with_its_line() {
        let error = read("workers = 2\n\n[underlay]\nkin = \"udp\"\n").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("line 4"), "{text}");
        assert!(text.contains("kin"), "{text}");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, field) in [
            ("workers = 3", "workers"),
            ("cpus = []", "cpus"),
            ("[underlay]\ntap = \"a/b\"", "underlay.tap"),
            (
                "host_state = \"/h.json\"\n[controller]\nkeys = \"/k\"",
                "host_state",
            ),
            (
                "[controller]\naddresses = [\"[::1]:6094\"]",
                "controller.keys",
            ),
            ("[metrics]\nlisten = \"0.0.0.0:9101\"", "metrics.listen"),
        ] {
            let error = read(text).unwrap().check().unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
    }
}
