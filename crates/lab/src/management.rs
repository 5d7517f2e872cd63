//! The management network of a lab: one value, that its namespaces, cables and programs follow from.
//!
//! ```text
//! mgs-a ──up── sw-a ──p00 … p37── c00-1 … swb-2 ┐
//!                                               units: a KSZ8463 and a service processor for each unit
//! mgs-b ──up── sw-b ──p00 … p37── c00-2 … swa-2 ┘
//! ```
//!
//! A gateway and a management switch have a namespace each; all units share one, where the two sides of a unit's own
//! chip and service processor are joined. Cables lead through the lab's namespace of cables, as those of the fabric do,
//! and can be made to fail like them; besides, two of them can be put into each other's connectors.

mod config;
mod cycle;
mod ignition;
mod keys;
mod look;
mod program;
mod status;
mod up;

use rackweave_mgmt::location::UnitKind;
use rackweave_mgmt::port::{Position, SpPort, SwitchPort, Unit};
use rackweave_mgmt::rack::{Fault, Rack};
use rackweave_types::MacAddr;
use serde::{Deserialize, Serialize};

use crate::topology::{End, Link};
use crate::wire::Harness;

pub use cycle::{Cycle, cycle};
pub(crate) use ignition::tell as tell_ignition;
pub use look::Look;
pub use program::Program;
pub use status::{ManagementStatus, ProgramStatus, status};
pub use up::{Until, up};

/// The namespace of all units.
pub const UNITS: &str = "units";
/// What every cable carries.
const MTU: u32 = 1500;
/// Where numbers of middle ends begin, beyond those of the largest fabric.
const FIRST_INDEX: usize = 20_000;
/// The first octets of units' addresses (seed "MAC Address Selection").
const OUI: [u8; 3] = [0xa8, 0x40, 0x25];
/// The first octets of the addresses of cables' ends, which no frame carries.
const MAC_SPACE: [u8; 3] = [0x06, 0x72, 0x78];

/// The management network of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Management {
    /// The type of rack, as its file describes it.
    pub rack: String,
    /// A cable for each port that leads to a unit, and one for each gateway; a cable's second end is the unit's.
    pub links: Vec<Link>,
    /// Pairs of cables that are in each other's connectors at their second ends.
    #[serde(default)]
    pub crossed: Vec<[String; 2]>,
}

impl Management {
    /// The management network of a rack of this type, all cables where they belong.
    ///
    /// # Errors
    /// What is wrong with the description.
    pub fn new(rack: &str) -> Result<Self, RackError> {
        let sound = sound(rack)?;
        let cables = Position::ALL.into_iter().flat_map(|position| {
            let ends = sound.ends(position).map(move |(port, end)| {
                let ends = [
                    near(position, port),
                    far(end.unit, &unit_port(end.unit, end.sp_port), end.sp_port),
                ];
                Link {
                    name: unit_port(end.unit, end.sp_port),
                    ends,
                }
            });
            ends.chain([uplink(position, sound.upstream())])
                .collect::<Vec<_>>()
        });
        Ok(Self {
            links: cables.collect(),
            crossed: Vec::new(),
            rack: rack.to_owned(),
        })
    }

    /// The type of rack, found sound.
    ///
    /// # Errors
    /// What is wrong with it, where another release wrote it.
    pub fn sound(&self) -> Result<Rack, RackError> {
        sound(&self.rack)
    }

    /// Its namespaces.
    #[must_use]
    pub fn nodes() -> Vec<String> {
        let pairs = Position::ALL.map(|position| [gateway(position), switch(position)]);
        let mut nodes: Vec<String> = pairs.into_iter().flatten().collect();
        nodes.push(UNITS.to_owned());
        nodes
    }

    /// What its cables join.
    #[must_use]
    pub fn harness<'t>(&'t self, nodes: &'t [String]) -> Harness<'t> {
        Harness {
            nodes: nodes.iter().map(String::as_str).collect(),
            links: &self.links,
            mtu: MTU,
            first_index: FIRST_INDEX,
        }
    }

    /// What people mean by a name: a cable, a unit or a namespace, which stand for all their cables.
    #[must_use]
    pub fn target(&self, name: &str) -> Vec<&Link> {
        let exact: Vec<_> = self.links.iter().filter(|link| link.name == name).collect();
        if !exact.is_empty() {
            return exact;
        }
        let of_unit = |link: &&Link| {
            let unit = link.name.rsplit_once('-').map(|(unit, _)| unit);
            link.joins(name) || (unit == Some(name) && link.joins(UNITS))
        };
        self.links.iter().filter(of_unit).collect()
    }

    /// The cable in whose connector another one is, where that is so.
    #[must_use]
    pub fn crossed_with(&self, link: &str) -> Option<&str> {
        self.crossed.iter().find_map(|[one, other]| {
            if one == link {
                Some(other.as_str())
            } else {
                (other == link).then_some(one.as_str())
            }
        })
    }
}

/// Why a text describes no rack.
#[derive(Debug, thiserror::Error)]
pub enum RackError {
    /// It is no description.
    #[error("it describes no rack")]
    Text(#[from] toml::de::Error),
    /// What it describes is not sound.
    #[error("the rack is not sound: {}", list(.0))]
    Faults(Vec<Fault>),
}

fn list(faults: &[Fault]) -> String {
    let all: Vec<_> = faults.iter().map(ToString::to_string).collect();
    all.join("; ")
}

fn sound(text: &str) -> Result<Rack, RackError> {
    Rack::check(&toml::from_str(text)?).map_err(RackError::Faults)
}

/// Whether a cable is of a management network: there frames have VLAN tags.
#[must_use]
pub(crate) fn carries(link: &Link) -> bool {
    let switches = Position::ALL.map(switch);
    switches.contains(&link.ends[0].node)
}

/// The name of a gateway's namespace.
#[must_use]
pub fn gateway(position: Position) -> String {
    format!("mgs-{}", letter(position))
}

/// The name of a switch's namespace.
#[must_use]
pub fn switch(position: Position) -> String {
    format!("sw-{}", letter(position))
}

/// What a unit is called.
#[must_use]
pub fn unit_name(unit: Unit) -> String {
    match unit {
        Unit::Cubby(number) => format!("c{number:02}"),
        Unit::Psc(number) => format!("psc{number}"),
        Unit::Switch(position) => format!("sw{}", letter(position)),
    }
}

/// The unit's serial number.
#[must_use]
pub fn serial(unit: Unit) -> String {
    format!("RW{}", unit_name(unit).to_uppercase())
}

/// The first of a unit's addresses.
#[must_use]
pub fn first_mac(unit: Unit) -> MacAddr {
    let number = match unit {
        Unit::Cubby(number) => number,
        Unit::Psc(number) => 0x20 + number,
        Unit::Switch(Position::A) => 0x30,
        Unit::Switch(Position::B) => 0x31,
    };
    let [a, b, c] = OUI;
    // Sixteen addresses each: the high half of the number goes into the octet above.
    MacAddr::new([a, b, c, 0, number >> 4, number << 4])
}

/// The word for a kind of unit in configurations.
const fn kind(unit: Unit) -> &'static str {
    match UnitKind::at(unit) {
        UnitKind::Sled => "sled",
        UnitKind::Psc => "psc",
        UnitKind::Switch => "switch",
    }
}

const fn letter(position: Position) -> char {
    match position {
        Position::A => 'a',
        Position::B => 'b',
    }
}

/// The interface of a switch's port.
fn port_name(port: SwitchPort) -> String {
    format!("p{:02}", port.get())
}

/// The interface of a unit's own chip towards a switch, and the name of the cable that ends there.
fn unit_port(unit: Unit, port: SpPort) -> String {
    format!("{}-{}", unit_name(unit), port.number())
}

/// The interface of a unit's own chip towards its service processor.
fn chip_side(unit: Unit) -> String {
    format!("{}-3", unit_name(unit))
}

/// The interface of a unit's service processor.
fn sp_side(unit: Unit) -> String {
    format!("{}-sp", unit_name(unit))
}

fn near(position: Position, port: SwitchPort) -> End {
    End {
        node: switch(position),
        interface: port_name(port),
        mac: end_mac(position, port.get(), 0),
        middle: format!("{}-{}", letter(position), port_name(port)),
    }
}

fn far(unit: Unit, interface: &str, port: SpPort) -> End {
    let [.., high, low] = first_mac(unit).octets();
    let [a, b, c] = MAC_SPACE;
    End {
        node: UNITS.to_owned(),
        interface: interface.to_owned(),
        mac: MacAddr::new([a, b, c, 2, high, low + port.number()]),
        middle: interface.to_owned(),
    }
}

fn uplink(position: Position, upstream: SwitchPort) -> Link {
    let name = format!("up-{}", letter(position));
    let end = |node: String, number| End {
        node,
        interface: "up".to_owned(),
        mac: end_mac(position, upstream.get(), number),
        middle: format!("{}-up{number}", letter(position)),
    };
    Link {
        name,
        ends: [end(switch(position), 0), end(gateway(position), 1)],
    }
}

fn end_mac(position: Position, port: u8, end: u8) -> MacAddr {
    let [a, b, c] = MAC_SPACE;
    let side = match position {
        Position::A => 0,
        Position::B => 1,
    };
    MacAddr::new([a, b, c, side, port, end])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn rack_1() -> Management {
        let text = include_str!("../../../dist/racks/rack-1.toml");
        Management::new(text).unwrap()
    }

    #[test]
    fn every_unit_has_two_cables_and_every_gateway_one() {
        let management = rack_1();
        assert_eq!(management.links.len(), 36 * 2 + 2);
        for name in ["c00", "c31", "psc1", "swa", "swb"] {
            let cables: Vec<_> = management
                .target(name)
                .iter()
                .map(|link| (link.name.clone(), link.ends[0].node.clone()))
                .collect();
            let switches = if name == "swb" {
                ["sw-b", "sw-a"]
            } else {
                ["sw-a", "sw-b"]
            };
            let expected = [1, 2].map(|port| (format!("{name}-{port}"), switches[port - 1].into()));
            assert_eq!(
                cables.iter().collect::<BTreeSet<_>>(),
                expected.iter().collect(),
                "{name}"
            );
        }
        assert_eq!(management.target("sw-a").len(), 37);
        assert_eq!(management.target("mgs-b").len(), 1);
        assert!(management.target("c32").is_empty());
        assert!(management.links.iter().all(carries));
    }

    #[test]
    fn names_and_addresses_are_unique_and_fit() {
        let management = rack_1();
        let ends: Vec<_> = management
            .links
            .iter()
            .flat_map(|link| &link.ends)
            .collect();
        let count = |of: fn(&End) -> String| {
            ends.iter()
                .map(|end| of(end))
                .collect::<BTreeSet<_>>()
                .len()
        };
        assert_eq!(count(|end| end.middle.clone()), ends.len());
        assert_eq!(count(|end| end.mac.to_string()), ends.len());
        assert_eq!(
            count(|end| format!("{} {}", end.node, end.interface)),
            ends.len()
        );
        assert!(
            ends.iter()
                .all(|end| end.middle.len() <= 15 && end.interface.len() <= 15)
        );
        let units = management.sound().unwrap().units();
        let macs: BTreeSet<_> = units.iter().map(|unit| first_mac(*unit)).collect();
        assert_eq!(macs.len(), units.len());
        for mac in macs {
            assert!(rackweave_mgmt::address::MacRange::new(mac).is_ok(), "{mac}");
        }
    }

    #[test]
    fn the_value_is_its_json() {
        let management = rack_1();
        let json = serde_json::to_string(&management).unwrap();
        assert_eq!(
            serde_json::from_str::<Management>(&json).unwrap(),
            management
        );
    }
}
