//! Service processors.

use std::net::Ipv6Addr;

use rackweave_types::MacAddr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Position;

/// The service processors of a rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SpList {
    /// The switch that the gateway sits on; none while it does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The type of rack; none while it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The places where service processors are or should be, in order.
    pub sps: Vec<Sp>,
}

/// A place of a service processor, and who is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sp {
    /// What it is called in paths and commands: `cubby-5`, `psc-0`, `switch-a`; `port-7` while the gateway does not know
    /// where it is.
    pub name: String,
    /// The same for people: `cubby 5`.
    pub unit: String,
    /// The gateway's own port that leads there.
    pub port: u8,
    /// Whether it is there.
    pub found: bool,
    /// What it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<SpKind>,
    /// The serial number of its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The first of its unit's addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub mac: Option<MacAddr>,
    /// The highest version of the protocol that it speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u8>,
    /// Its links to the two switches, as each gateway sees its own.
    pub links: Vec<SpLink>,
}

/// What a service processor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpKind {
    /// A sled.
    Sled,
    /// A power shelf controller.
    Psc,
    /// A rack switch.
    Switch,
}

/// A link between a switch and a service processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SpLink {
    /// Of which switch.
    pub position: Position,
    /// At which port of it.
    pub port: u8,
    /// Whether the service processor answers there.
    pub found: bool,
    /// At which of its own ports it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sp_port: Option<u8>,
    /// Its address there, where the gateway that was asked reaches it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<Ipv6Addr>,
    /// How long ago it was heard there, in milliseconds, by the gateway that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_ms: Option<u64>,
}

/// How a unit is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SpState {
    /// Its place, and who is there.
    pub sp: Sp,
    /// Whether its host runs.
    pub power: Power,
    /// The firmware that runs.
    pub firmware: String,
    /// Whether that firmware is left again at the next start unless it is kept.
    pub on_trial: bool,
    /// Seconds since the service processor started.
    pub uptime_s: u64,
    /// Messages that it refused: they proved nothing, were forged or replayed.
    pub refused: u64,
    /// What the unit is made of.
    pub parts: Vec<Part>,
}

/// Whether a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// Off, but for the service processor.
    Off,
    /// The host runs.
    On,
}

/// Asks to switch a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PowerRequest {
    /// What it is to be.
    pub power: Power,
}

/// A part of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Part {
    /// What it is.
    pub name: String,
    /// Its serial number.
    pub serial: String,
}

/// What the sensors of a unit read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sensors {
    /// The readings.
    pub readings: Vec<Reading>,
}

/// What a sensor reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reading {
    /// Which sensor.
    pub name: String,
    /// The value, in thousandths of the unit.
    pub milli: i64,
    /// The unit: `C`, `V`, `A`, `W`, `rpm`.
    pub unit: String,
}

/// Where a service processor is, as it was asked anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Where {
    /// Its place, and who is there.
    pub sp: Sp,
    /// The ports of its own at which a question that only they may answer was answered.
    pub answered_at: Vec<u8>,
    /// What contradicts that it is where it should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contradiction: Option<String>,
}
