//! What the gateways see, and what is wrong with cables.

use rackweave_types::MacAddr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Position;

/// What one gateway and its switch see: what the other gateway asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct View {
    /// The type of rack; none while it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The switch; none while it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Whether this gateway finds nothing wrong with both views; none while it has only its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<bool>,
    /// Its ports.
    pub ports: Vec<PortView>,
}

/// What is seen at a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortView {
    /// Which one.
    pub port: u8,
    /// The first address of the unit whose service processor answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sp: Option<MacAddr>,
    /// At which of its ports it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sp_port: Option<u8>,
    /// Its unit's serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The first address of the unit that is the neighbour on the data network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub data: Option<MacAddr>,
    /// Whether ignition feels a target.
    pub ignition: bool,
}

/// What is wrong with cables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cabling {
    /// Whether both gateways' views are known: else nothing is said of cables.
    pub complete: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete_because: Option<String>,
    /// Units of which is known where they were when all was well.
    pub known: u32,
    /// What is wrong; nothing where all is well.
    pub findings: Vec<CablingFinding>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CablingFinding {
    /// What kind.
    pub kind: FindingKind,
    /// At which switch, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Whose cables.
    pub units: Vec<String>,
    /// The ports where they belong.
    #[serde(default)]
    pub ports: Vec<u8>,
    /// The same for people.
    pub text: String,
}

/// Kinds of what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Two cables are in each other's ports at one switch.
    Swapped,
    /// Two cables are in each other's ports, and nothing tells at which switch.
    SwappedSomewhere,
    /// A unit's two cables are in each other's connectors.
    Turned,
    /// A cable leads to a unit that belongs elsewhere, or that is new.
    Stranger,
    /// The two switches see two different units at one place.
    AtOdds,
    /// A cable is missing.
    Missing,
    /// A service processor is reached over no cable though its unit is there, or over one only.
    DeadManagement,
    /// A service processor answers to nobody.
    DeadServiceProcessor,
    /// The data network of a cable is dead.
    DeadData,
    /// Ignition does not feel a unit over one of its cables.
    DeadIgnition,
    /// One cable leads to two units.
    Mixed,
    /// A kind that this release does not know.
    #[serde(other)]
    Other,
}

/// Whether the switches may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Switches {
    /// The gateway's own, and the other one where it is known.
    pub switches: Vec<SwitchStatus>,
}

/// Whether a switch may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SwitchStatus {
    /// Which one.
    pub position: Position,
    /// Whether it is the one of the gateway that was asked.
    pub own: bool,
    /// Its serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Whether it is held: nothing is to be sent through it.
    pub drained: bool,
    /// Why.
    pub reasons: Vec<String>,
    /// Who put it to use in spite of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden: Option<Overridden>,
}

/// Somebody put a switch to use that was held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Overridden {
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
    /// When, in milliseconds since 1970.
    pub at_unix_ms: u64,
    /// In spite of what.
    pub reasons: Vec<String>,
}

/// Puts a switch to use that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideRequest {
    /// Who says so.
    pub who: String,
    /// Why.
    pub why: String,
}
