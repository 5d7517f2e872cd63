//! Ports, positions and units of the management network.

use core::fmt;

use rackweave_types::Vlan;
use serde::{Deserialize, Serialize};

/// Which of a rack's two switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// The upper one.
    A,
    /// The lower one.
    B,
}

impl Position {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "switch A",
            Self::B => "switch B",
        })
    }
}

/// A port of a rack switch's VSC7448.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct SwitchPort(u8);

impl SwitchPort {
    /// The greatest number: the chip has 53 ports.
    pub const MAX: u8 = 52;
    /// What is added to a port's number to get its VLAN.
    const VLANS: u16 = 0x100;

    /// The port with this number.
    ///
    /// # Errors
    /// Where the chip has no such port.
    pub const fn new(number: u8) -> Result<Self, NoSuchPort> {
        if number <= Self::MAX {
            Ok(Self(number))
        } else {
            Err(NoSuchPort(number))
        }
    }

    /// The port's number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The VLAN of frames between the gateway and this port: `0x100` and the port's number.
    #[must_use]
    pub fn vlan(self) -> Vlan {
        vlan(Self::VLANS + u16::from(self.0))
    }
}

impl fmt::Display for SwitchPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {}", self.0)
    }
}

impl TryFrom<u8> for SwitchPort {
    type Error = NoSuchPort;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Self::new(number)
    }
}

impl From<SwitchPort> for u8 {
    fn from(port: SwitchPort) -> Self {
        port.0
    }
}

/// The chip has no port with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchPort(pub u8);

impl fmt::Display for NoSuchPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number) = self;
        write!(
            f,
            "the switch has ports 0 to {}, not {number}",
            SwitchPort::MAX
        )
    }
}

impl core::error::Error for NoSuchPort {}

/// One of the two ways from a service processor up to a rack switch: a port of its KSZ8463.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum SpPort {
    /// Port 1, the left connector.
    One,
    /// Port 2, the right connector.
    Two,
}

impl SpPort {
    /// Both.
    pub const ALL: [Self; 2] = [Self::One, Self::Two];

    /// The port's number, as the chip counts.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::One => Self::Two,
            Self::Two => Self::One,
        }
    }

    /// The VLAN of frames between the chip and the service processor.
    #[must_use]
    pub fn vlan(self) -> Vlan {
        vlan(match self {
            Self::One => 0x301,
            Self::Two => 0x302,
        })
    }
}

impl TryFrom<u8> for SpPort {
    type Error = NoSuchSpPort;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        let port = Self::ALL.into_iter().find(|port| port.number() == number);
        port.ok_or(NoSuchSpPort(number))
    }
}

impl From<SpPort> for u8 {
    fn from(port: SpPort) -> Self {
        port.number()
    }
}

/// A service processor has no port with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchSpPort(pub u8);

impl fmt::Display for NoSuchSpPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number) = self;
        write!(f, "a service processor has ports 1 and 2, not {number}")
    }
}

impl core::error::Error for NoSuchSpPort {}

impl fmt::Display for SpPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SP port {}", self.number())
    }
}

/// Something with a service processor, by its place in the rack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// The sled in a cubby.
    Cubby(u8),
    /// A power shelf controller.
    Psc(u8),
    /// A rack switch itself.
    Switch(Position),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cubby(number) => write!(f, "cubby {number}"),
            Self::Psc(number) => write!(f, "PSC {number}"),
            Self::Switch(position) => position.fmt(f),
        }
    }
}

/// A VLAN whose number is known to be one.
pub(crate) fn vlan(number: u16) -> Vlan {
    match Vlan::new(number) {
        Ok(vlan) => vlan,
        Err(_) => unreachable!("0x100 to 0x134 and 0x301 to 0x3ff are numbers of VLANs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vlans_are_those_of_the_seed() {
        let port = |number| SwitchPort::new(number).unwrap().vlan().get();
        assert_eq!(
            (port(2), port(3), port(SwitchPort::MAX)),
            (0x102, 0x103, 0x134)
        );
        assert_eq!(SpPort::ALL.map(|port| port.vlan().get()), [0x301, 0x302]);
    }

    #[test]
    fn the_chip_has_no_port_53() {
        assert_eq!(SwitchPort::new(53), Err(NoSuchPort(53)));
    }
}
