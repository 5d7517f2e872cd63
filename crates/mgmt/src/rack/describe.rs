//! The file that describes a type of rack.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::End;
use crate::port::{Position, SpPort, SwitchPort, Unit};

/// A type of rack, as people write it (TOML); unknown fields are errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The version of this format: 1.
    pub version: u32,
    /// What the type is called, such as `rack-1`.
    pub name: String,
    /// What both switches have in common.
    pub switches: Switches,
    /// In which cubbies the gateways run.
    pub scrimlets: Scrimlets,
    /// The sleds' places, at most 32.
    pub cubby: Vec<Cubby>,
    /// The power shelf controllers, at most two.
    #[serde(default)]
    pub psc: Vec<Psc>,
}

/// The ports that are the same on both switches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// Leads to the gateway.
    pub upstream: SwitchPort,
    /// Leads to the switch's own service processor (its port 1, on either switch).
    pub onboard: SwitchPort,
    /// Leads to the other switch's service processor (its port 2, on either switch).
    pub peer: SwitchPort,
    /// Technicians may plug in here.
    #[serde(default)]
    pub technicians: Vec<SwitchPort>,
}

/// The cubbies whose sleds are attached to the switches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scrimlets {
    /// To switch A.
    pub a: u8,
    /// To switch B.
    pub b: u8,
}

/// The place of a sled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cubby {
    /// Its number.
    pub number: u8,
    /// The port of switch A that its cable leads to.
    pub a: SwitchPort,
    /// The port of switch B that its cable leads to.
    pub b: SwitchPort,
    /// The port of its service processor where switch A's cable ends, 1 or 2; switch B's ends at the other.
    #[serde(default = "left")]
    pub a_ends_at: SpPort,
}

/// A power shelf controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Psc {
    /// Its number.
    pub number: u8,
    /// The port of switch A that its cable leads to.
    pub a: SwitchPort,
    /// The port of switch B that its cable leads to.
    pub b: SwitchPort,
    /// The port of its service processor where switch A's cable ends, 1 or 2; switch B's ends at the other.
    #[serde(default = "left")]
    pub a_ends_at: SpPort,
}

const fn left() -> SpPort {
    SpPort::One
}

/// A unit's cables: to which ports of the switches, and where switch A's ends.
pub(super) struct Cables {
    pub(super) unit: Unit,
    a: SwitchPort,
    b: SwitchPort,
    a_ends_at: SpPort,
}

impl Cables {
    /// The port of a switch, and where its cable ends.
    pub(super) fn at(&self, position: Position) -> (SwitchPort, End) {
        let (port, sp_port) = match position {
            Position::A => (self.a, self.a_ends_at),
            Position::B => (self.b, self.a_ends_at.other()),
        };
        let unit = self.unit;
        (port, End { unit, sp_port })
    }
}

/// The cables of the cabled backplane, in the order of the description.
pub(super) fn backplane(description: &Description) -> impl Iterator<Item = Cables> + '_ {
    let cubbies = description.cubby.iter().map(|cubby| Cables {
        unit: Unit::Cubby(cubby.number),
        a: cubby.a,
        b: cubby.b,
        a_ends_at: cubby.a_ends_at,
    });
    let pscs = description.psc.iter().map(|psc| Cables {
        unit: Unit::Psc(psc.number),
        a: psc.a,
        b: psc.b,
        a_ends_at: psc.a_ends_at,
    });
    cubbies.chain(pscs)
}

/// Where the ports of a switch end.
pub(super) fn ends(description: &Description, position: Position) -> BTreeMap<SwitchPort, End> {
    let onboard = End {
        unit: Unit::Switch(position),
        sp_port: SpPort::One,
    };
    let peer = End {
        unit: Unit::Switch(position.other()),
        sp_port: SpPort::Two,
    };
    let switches = &description.switches;
    backplane(description)
        .map(|cables| cables.at(position))
        .chain([(switches.onboard, onboard), (switches.peer, peer)])
        .collect()
}
