//! What is wrong with a cable.

use core::fmt;

use crate::address::MacRange;
use crate::port::{Position, SwitchPort, Unit};

/// What is wrong with a cable, or with a unit that looks like it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Two cables are in each other's ports at one switch.
    Swapped {
        /// At which switch.
        position: Position,
        /// Whose cables.
        units: [Unit; 2],
        /// The ports where they belong.
        ports: [Option<SwitchPort>; 2],
    },
    /// Two cables are in each other's ports, and nothing tells at which switch.
    SwappedSomewhere {
        /// Whose cables.
        units: [Unit; 2],
    },
    /// A unit's two cables are in each other's connectors.
    Turned {
        /// Which unit.
        unit: Unit,
    },
    /// A cable leads to a unit that belongs elsewhere, or that is new.
    Stranger {
        /// At which switch.
        position: Position,
        /// Whose place it is.
        unit: Unit,
        /// Who is there.
        found: MacRange,
    },
    /// The two switches see two different units at one place.
    AtOdds {
        /// Whose place it is.
        unit: Unit,
        /// Who is there for switch A, and for switch B.
        found: [MacRange; 2],
    },
    /// Nothing is felt at a port, while the other switch sees the unit.
    Missing {
        /// At which switch.
        position: Position,
        /// Whose cable.
        unit: Unit,
        /// At which port.
        port: SwitchPort,
    },
    /// The cable is there, and something in it or behind it is dead.
    Dead {
        /// At which switch.
        position: Position,
        /// Whose cable.
        unit: Unit,
        /// At which port.
        port: SwitchPort,
        /// What is dead.
        what: Dead,
    },
    /// Management and data of one port lead to two units, which one cable cannot do.
    Mixed {
        /// At which switch.
        position: Position,
        /// Whose place it is.
        unit: Unit,
        /// At which port.
        port: SwitchPort,
    },
}

/// What is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dead {
    /// The service processor answers to the other switch only.
    Management,
    /// The service processor answers to nobody, so it is hardly the cable.
    ServiceProcessor,
    /// The data network sees the unit from the other switch only.
    Data,
    /// The ignition controller of the other switch only feels the unit.
    Ignition,
}

impl Finding {
    /// The unit, or the first of two.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        match self {
            Self::Swapped {
                units: [unit, _], ..
            }
            | Self::SwappedSomewhere { units: [unit, _] }
            | Self::Turned { unit }
            | Self::Stranger { unit, .. }
            | Self::AtOdds { unit, .. }
            | Self::Missing { unit, .. }
            | Self::Dead { unit, .. }
            | Self::Mixed { unit, .. } => *unit,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Swapped {
                position,
                units: [one, two],
                ports,
            } => {
                write!(f, "the cables of {one} and {two} are swapped at {position}")?;
                match ports {
                    [Some(first), Some(second)] => {
                        write!(f, ": {one} belongs at {first}, {two} at {second}")
                    }
                    _ => Ok(()),
                }
            }
            Self::SwappedSomewhere { units: [one, two] } => {
                write!(
                    f,
                    "the cables of {one} and {two} are swapped at one of the switches: check the one that was serviced last"
                )
            }
            Self::Turned { unit } => {
                write!(f, "the two cables of {unit} are in each other's connectors")
            }
            Self::Stranger {
                position,
                unit,
                found,
            } => {
                write!(
                    f,
                    "{position} finds {} at the place of {unit}",
                    found.first()
                )
            }
            Self::AtOdds {
                unit,
                found: [a, b],
            } => {
                write!(
                    f,
                    "at the place of {unit}, switch A finds {} and switch B {}",
                    a.first(),
                    b.first()
                )
            }
            Self::Missing {
                position,
                unit,
                port,
            } => {
                write!(f, "the cable of {unit} is missing at {port} of {position}")
            }
            Self::Dead {
                position,
                unit,
                port,
                what,
            } => match what {
                Dead::Management => write!(
                    f,
                    "the management network is dead between {port} of {position} and {unit}: the cable or a port of it"
                ),
                Dead::ServiceProcessor => write!(
                    f,
                    "the service processor of {unit} answers to nobody: reset it before you look for cables"
                ),
                Dead::Data => write!(
                    f,
                    "the data network is dead between {port} of {position} and {unit}: the cable or a port of it"
                ),
                Dead::Ignition => write!(
                    f,
                    "ignition does not feel {unit} at {port} of {position}: the cable or a port of it"
                ),
            },
            Self::Mixed {
                position,
                unit,
                port,
            } => {
                write!(
                    f,
                    "management and data at {port} of {position} lead to different units, and one of them to {unit}: a port of the switch is mapped wrongly"
                )
            }
        }
    }
}
