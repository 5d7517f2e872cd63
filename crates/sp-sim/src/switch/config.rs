//! The configuration file of `rackweave switch-sim`.

use std::path::PathBuf;

use rackweave_api::switch_sim::RUN_DIR;
use rackweave_daemon::config::ControlConfig;
use serde::{Deserialize, Serialize};

/// What `rackweave switch-sim run` is told (TOML); unknown fields are errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Control socket.
    pub run_dir: PathBuf,
    /// Whether the chips learn where addresses are.
    pub learning: bool,
    /// Chips of rack switches.
    pub vsc7448: Vec<Vsc7448>,
    /// Chips of units.
    pub ksz8463: Vec<Ksz8463>,
    /// Who may ask and change.
    pub control: ControlConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            run_dir: RUN_DIR.into(),
            learning: true,
            vsc7448: Vec::new(),
            ksz8463: Vec::new(),
            control: ControlConfig::default(),
        }
    }
}

/// The chip of a rack switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vsc7448 {
    /// What it is called.
    pub name: String,
    /// The file that describes the type of the rack: its VLANs follow from it.
    pub rack: PathBuf,
    /// What the names of the ports' interfaces begin with; two digits follow.
    #[serde(default = "ports")]
    pub ports: String,
    /// The interface of the upstream port.
    #[serde(default = "uplink")]
    pub uplink: String,
}

fn ports() -> String {
    "p".into()
}

fn uplink() -> String {
    "up".into()
}

/// The chip of a unit: its ports' interfaces are `UNIT-1` and `UNIT-2`, towards the switches, and `UNIT-3`, towards the
/// service processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ksz8463 {
    /// The unit, and the chip.
    pub unit: String,
}
