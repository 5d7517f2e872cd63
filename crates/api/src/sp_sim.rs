//! What one can ask the simulated service processors, on `RUN_DIR/sp-sim.sock`.
//!
//! | request | reply | who |
//! |---|---|---|
//! | [`list`](Request::List) | [`Units`] | the group |
//! | [`set_power`](Request::SetPower) … [`reset`](Request::Reset) | [`Done`] | root |
//! | [`stop`](Request::Stop) | [`Done`] | root |
//!
//! This is the world around a service processor: its host, its sensors, its cables' ends; and what a subverted one
//! does. Gateways never ask here.

use serde::{Deserialize, Serialize};

/// The service of the socket, as its hello names it.
pub const SERVICE: &str = "sp-sim";
/// The socket's name in the run directory.
pub const SOCKET: &str = "sp-sim.sock";
/// Where the sockets are where nothing else is said.
pub const RUN_DIR: &str = "/run/rackweave/sp-sim";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// How the service processors are.
    List(ListRequest),
    /// Switches a unit's host on or off, as a hand at its button would.
    SetPower(SetPowerRequest),
    /// Has a switch's ignition controller feel a target at a port, or none.
    SetPresence(SetPresenceRequest),
    /// Has a sensor read something.
    SetSensor(SetSensorRequest),
    /// Has a unit's host write to its console, as fast as it is read.
    Flood(FloodRequest),
    /// Sends a frame as it is, past everything that the service processor would do.
    Inject(InjectRequest),
    /// Subverts a service processor, or heals it.
    Subvert(SubvertRequest),
    /// Starts a service processor anew, as a loss of power would.
    Reset(UnitRequest),
    /// Ends the service processors.
    Stop(StopRequest),
}

impl Request {
    /// The names of all requests, as they stand on the socket.
    pub const NAMES: [&'static str; 9] = [
        "list",
        "set_power",
        "set_presence",
        "set_sensor",
        "flood",
        "inject",
        "subvert",
        "reset",
        "stop",
    ];
}

/// Which service processors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRequest {
    /// That of this unit; all where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// Which unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitRequest {
    /// Its name.
    pub unit: String,
}

/// How a host is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetPowerRequest {
    /// Of which unit.
    pub unit: String,
    /// Whether it is to run.
    pub on: bool,
}

/// What ignition is to feel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetPresenceRequest {
    /// Which switch.
    pub unit: String,
    /// At which of its ports.
    pub port: u8,
    /// Whether a target is there.
    pub present: bool,
}

/// What a sensor is to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetSensorRequest {
    /// Of which unit.
    pub unit: String,
    /// Which sensor.
    pub sensor: String,
    /// The value, in thousandths of its unit.
    pub milli: i64,
}

/// What a host is to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloodRequest {
    /// Of which unit.
    pub unit: String,
    /// So many octets: lines of 16, each its number in 15 hexadecimal digits.
    pub octets: u64,
}

/// A frame to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InjectRequest {
    /// From which unit.
    pub unit: String,
    /// The whole frame, with its tags and without its checksum, in hexadecimal digits.
    pub frame: String,
}

/// Whether a service processor obeys somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubvertRequest {
    /// Of which unit.
    pub unit: String,
    /// It does: it sends orders to all who hear it, and what it overhears again, as it was and altered.
    pub subverted: bool,
}

/// Ends the service processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {}

/// It is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// Service processors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    /// In the order of the configuration.
    pub units: Vec<Unit>,
}

/// A unit and its service processor.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something of its own, and stands in a line of JSON"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Its name.
    pub unit: String,
    /// What it is: `sled`, `psc` or `switch`.
    pub kind: String,
    /// Its serial number.
    pub serial: String,
    /// Whether its wire is there.
    pub up: bool,
    /// Whether its host runs.
    pub powered: bool,
    /// How often its host was switched, by whomever.
    pub switched: u64,
    /// The firmware that runs.
    pub firmware: String,
    /// Whether that is on trial.
    pub on_trial: bool,
    /// How often the service processor started.
    pub starts: u64,
    /// How often it was told to start anew over the network.
    pub resets: u64,
    /// Who holds the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
    /// Octets that its host has still to write.
    pub to_write: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Datagrams that were no messages.
    pub unreadable: u64,
    /// Requests that proved nothing, were forged or replayed.
    pub refused: u64,
    /// Probes that arrived.
    pub witnessed: u64,
    /// Where its gateways say that it is, at port 1 and 2.
    pub told: [Option<String>; 2],
    /// Whether it obeys somebody else.
    pub subverted: bool,
    /// Frames of others that it overheard, once subverted.
    pub overheard: u64,
}
