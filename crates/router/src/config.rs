//! The configuration file of a router, and what the command line puts in its place.

use std::path::PathBuf;
use std::time::Duration;

use rackweave_api::router::{RUN_DIR, SOCKET};
use rackweave_daemon::config::{ConfigFileError, ControlConfig, MetricsConfig};
use rackweave_routing::bfd;
use rackweave_types::{AzPrefix, MacAddr, Role};
use serde::{Deserialize, Serialize};

use crate::links::{PatternError, Patterns};

/// What `rackweave router run` is told; every field has a default, so an empty file is a configuration: a sled's whose
/// messages are signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Control socket, and what lives as long as the machine runs: liveness, history.
    pub run_dir: PathBuf,
    /// What outlives the machine's restart: identity, assignment, keys, rack table.
    pub state_dir: PathBuf,
    /// What the node does.
    pub role: Role,
    /// Who the node is; its machine's serial number where nothing is said, else its least permanent hardware address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The hardware address that the bootstrap prefix is made of; the least permanent one where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware: Option<MacAddr>,
    /// The links that the fabric runs on, by name, as [`Patterns`]; where there is none, all that stand for hardware.
    pub links: Vec<String>,
    /// The AZ's /48, of a spine; other nodes have it from rack setup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub az: Option<AzPrefix>,
    /// Whether signed messages alone are believed.
    pub signed: bool,
    /// The node's keys, as `rackweave keys node` makes them; `keys` in the state directory where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<PathBuf>,
    /// The ports it listens on.
    pub ports: Ports,
    /// How patient it is.
    pub timers: Timers,
    /// Where counters are read.
    pub metrics: MetricsConfig,
    /// Who may ask and change.
    pub control: ControlConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            run_dir: RUN_DIR.into(),
            state_dir: "/var/lib/rackweave/router".into(),
            role: Role::Sled,
            id: None,
            hardware: None,
            links: Vec::new(),
            az: None,
            signed: true,
            keys: None,
            ports: Ports::default(),
            timers: Timers::default(),
            metrics: MetricsConfig::default(),
            control: ControlConfig::default(),
        }
    }
}

/// The ports it listens on: the same on all nodes of a fabric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ports {
    /// Sessions of the interior protocol (UDP).
    pub ddm: u16,
    /// Liveness of links (BFD over UDP); another one than 3784 speaks with no other implementation.
    pub bfd: u16,
    /// Beacons between neighbours (UDP).
    pub beacons: u16,
    /// End-to-end probes (UDP).
    pub verify: u16,
    /// Rack setup (TCP).
    pub rack: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            ddm: 6090,
            bfd: bfd::PORT,
            beacons: 6091,
            verify: 6092,
            rack: 6093,
        }
    }
}

/// How patient the router is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timers {
    /// How long a neighbour may say nothing until its control counts as dead, in milliseconds; it says something three
    /// times as often.
    pub hold_ms: u64,
    /// How often neighbours tell each other that frames pass, in milliseconds.
    pub bfd_ms: u64,
    /// How many of these may be missing until forwarding counts as dead.
    pub bfd_multiplier: u8,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            hold_ms: 3000,
            bfd_ms: 10,
            bfd_multiplier: 3,
        }
    }
}

impl Timers {
    /// How long a neighbour may say nothing.
    #[must_use]
    pub const fn hold(self) -> Duration {
        Duration::from_millis(self.hold_ms)
    }

    /// How neighbours tell each other that frames pass.
    #[must_use]
    pub fn bfd(self) -> bfd::Settings {
        let every = Duration::from_millis(self.bfd_ms);
        let every = bfd::message::Micros(u32::try_from(every.as_micros()).unwrap_or(u32::MAX));
        bfd::Settings {
            desired_min_tx: every,
            required_min_rx: every,
            multiplier: self.bfd_multiplier,
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
        if let Some(id) = &self.id
            && rackweave_trust::check_identity(id).is_err()
        {
            return wrong("id", "not 1 to 64 printable characters without spaces");
        }
        if self.patterns().is_err() {
            return wrong(
                "links",
                "names such as `eth0`; `*` and `?` stand for others, `!` leaves links out",
            );
        }
        if self.role == Role::Spine && self.az.is_none() && !self.signed {
            return wrong("az", "missing: a spine is in no rack that could tell it");
        }
        if self.role != Role::Spine && self.az.is_some() {
            return wrong(
                "az",
                "only a spine's is configured: others have it from rack setup",
            );
        }
        let ports = self.ports;
        let udp = [ports.ddm, ports.beacons, ports.verify, ports.bfd];
        let twice = (1..udp.len()).any(|index| udp[..index].contains(&udp[index]));
        if twice || udp.contains(&0) || ports.rack == 0 {
            return wrong("ports", "each is another number, and none is 0");
        }
        if !(100..=300_000).contains(&self.timers.hold_ms) {
            return wrong("timers.hold_ms", "not between 100 and 300000");
        }
        if !(5..=10_000).contains(&self.timers.bfd_ms) {
            return wrong("timers.bfd_ms", "not between 5 and 10000");
        }
        if !(1..=50).contains(&self.timers.bfd_multiplier) {
            return wrong("timers.bfd_multiplier", "not between 1 and 50");
        }
        if !self.metrics.is_local() {
            return wrong(
                "metrics.listen",
                "not an address of the loopback: let a local collector forward them",
            );
        }
        Ok(())
    }

    /// The control socket.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.run_dir.join(SOCKET)
    }

    /// The directory of the node's keys.
    #[must_use]
    pub fn keys_dir(&self) -> PathBuf {
        let given = self.keys.clone();
        given.unwrap_or_else(|| self.state_dir.join("keys"))
    }

    /// Which links are of the fabric.
    ///
    /// # Errors
    /// Where a pattern is none.
    pub fn patterns(&self) -> Result<Patterns, PatternError> {
        self.links.clone().try_into()
    }
}

#[cfg(test)]
mod tests {
    use rackweave_daemon::config;

    use super::*;

    fn read(text: &str) -> Result<Config, ConfigFileError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("router.toml");
        std::fs::write(&path, text).unwrap();
        config::read(&path)
    }

    #[test]
    fn an_empty_file_is_a_configuration() {
        let config = read("").unwrap();
        assert_eq!(config, Config::default());
        config.check().unwrap();
        assert!(config.signed);
    }

    #[test]
    fn a_mistyped_field_is_named_with_its_line() {
        let error = read("role = \"switch\"\n\n[ports]\ndmm = 1\n").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("line 4"), "{text}");
        assert!(text.contains("dmm"), "{text}");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, field) in [
            ("id = \"\"", "id"),
            ("links = [\"a/b\"]", "links"),
            ("role = \"spine\"\nsigned = false", "az"),
            ("az = \"fd00:1122:3344::/48\"", "az"),
            ("[ports]\nddm = 6091", "ports"),
            ("[ports]\nbfd = 6092", "ports"),
            ("[timers]\nhold_ms = 1", "timers.hold_ms"),
            ("[timers]\nbfd_ms = 1", "timers.bfd_ms"),
            ("[timers]\nbfd_multiplier = 0", "timers.bfd_multiplier"),
            ("[metrics]\nlisten = \"0.0.0.0:9102\"", "metrics.listen"),
        ] {
            let error = read(text).unwrap().check().unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
    }
}
