//! What one can ask the simulated management switches, on `RUN_DIR/switch-sim.sock`.
//!
//! | request | reply | who |
//! |---|---|---|
//! | [`tables`](Request::Tables) | [`Chips`] | the group |
//! | [`counters`](Request::Counters) | [`Counters`] | the group |
//! | [`program`](Request::Program) | [`Done`] | root |
//! | [`subvert`](Request::Subvert) | [`Done`] | root |
//! | [`restore`](Request::Restore) | [`Done`] | root |
//! | [`stop`](Request::Stop) | [`Done`] | root |

use std::collections::{BTreeMap, BTreeSet};

use rackweave_types::{MacAddr, Vlan};
use serde::{Deserialize, Serialize};

/// The service of the socket, as its hello names it.
pub const SERVICE: &str = "switch-sim";
/// The socket's name in the run directory.
pub const SOCKET: &str = "switch-sim.sock";
/// Where the sockets are where nothing else is said.
pub const RUN_DIR: &str = "/run/rackweave/switch-sim";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// What is programmed into the chips, and what they learned.
    Tables(ChipsRequest),
    /// What their ports have seen.
    Counters(ChipsRequest),
    /// Programs a chip anew, as its service processor could.
    Program(ProgramRequest),
    /// Programs a chip as a subverted service processor would: every VLAN reaches every port.
    Subvert(ChipRequest),
    /// Programs a chip as it was at the start.
    Restore(ChipRequest),
    /// Ends the switches.
    Stop(StopRequest),
}

impl Request {
    /// The names of all requests, as they stand on the socket.
    pub const NAMES: [&'static str; 6] = [
        "tables", "counters", "program", "subvert", "restore", "stop",
    ];
}

/// Which chips.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChipsRequest {
    /// This one; all where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chip: Option<String>,
}

/// Which chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChipRequest {
    /// Its name.
    pub chip: String,
}

/// What a chip is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRequest {
    /// Its name.
    pub chip: String,
    /// What is programmed into it.
    pub tables: Tables,
}

/// Ends the switches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {}

/// It is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// Chips by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chips {
    /// In the order of the configuration.
    pub chips: Vec<Chip>,
}

/// A chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chip {
    /// Its name.
    pub name: String,
    /// What is programmed into it.
    pub tables: Tables,
    /// Where it heard addresses last, where it learns.
    pub learned: Vec<Learned>,
}

/// What is programmed into a chip.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tables {
    /// Every port that is in use.
    pub ports: BTreeMap<u8, PortKind>,
    /// The ports of each VLAN, which are written as numbers.
    pub vlans: BTreeMap<Vlan, BTreeSet<u8>>,
    /// Whether it learns where addresses are.
    pub learning: bool,
}

/// What becomes of frames at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortKind {
    /// Takes frames without a tag, into this VLAN.
    Access(Vlan),
    /// Takes frames with the tag of a VLAN that it is in.
    Trunk,
}

/// Where an address was heard last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// In this VLAN.
    pub vlan: Vlan,
    /// The address.
    pub mac: MacAddr,
    /// At this port.
    pub port: u8,
}

/// What the ports of chips have seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Every port that is in use.
    pub ports: Vec<PortCounters>,
}

/// What a port has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortCounters {
    /// Of which chip.
    pub chip: String,
    /// Its number.
    pub port: u8,
    /// The interface that is its cable.
    pub link: String,
    /// Whether a cable is plugged in.
    pub up: bool,
    /// Frames that came and were taken.
    pub frames_in: u64,
    /// Frames that left.
    pub frames_out: u64,
    /// Frames that came and were dropped, by reason.
    pub drops: BTreeMap<String, u64>,
}
