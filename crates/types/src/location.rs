//! Where a node stands: the number of its rack, and its own within.

use core::fmt;
use core::str::FromStr;

use crate::text::{hexadecimal, serde_as_text};

/// The number of a rack within its AZ: one octet, never 00, and never ff (the service rack).
///
/// Written as the two hexadecimal digits that stand in addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RackNumber(u8);

impl RackNumber {
    /// The least number.
    pub const MIN: u8 = 0x01;
    /// The greatest number.
    pub const MAX: u8 = 0xfe;

    /// The rack with this number.
    ///
    /// # Errors
    /// Where the number is 00 or ff.
    pub fn new(number: u8) -> Result<Self, RackNumberError> {
        if (Self::MIN..=Self::MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(RackNumberError::NoRack(number))
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Why something is not the number of a rack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RackNumberError {
    /// The number is never a rack's.
    NoRack(u8),
    /// The text is not two hexadecimal digits.
    NotTwoDigits,
}

impl fmt::Display for RackNumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRack(number) => write!(f, "no rack has the number {number:02x}"),
            Self::NotTwoDigits => {
                f.write_str("a rack number is two hexadecimal digits, such as 01")
            }
        }
    }
}

impl core::error::Error for RackNumberError {}

impl fmt::Display for RackNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

impl FromStr for RackNumber {
    type Err = RackNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = hexadecimal(text, 2).and_then(|n| u8::try_from(n).ok());
        Self::new(number.ok_or(RackNumberError::NotTwoDigits)?)
    }
}

serde_as_text!(RackNumber);

/// The number of a node within its rack: sleds count from 01, the two switches are fd and fe.
///
/// Written as the two hexadecimal digits that stand in addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeNumber(u8);

impl NodeNumber {
    /// The least number of a sled.
    pub const SLED_MIN: u8 = 0x01;
    /// The greatest number of a sled.
    pub const SLED_MAX: u8 = 0xfc;
    /// The rack's switches.
    pub const SWITCHES: [Self; 2] = [Self(0xfd), Self(0xfe)];

    /// The sled or switch with this number.
    ///
    /// # Errors
    /// Where the number is 00 or ff.
    pub const fn new(number: u8) -> Result<Self, NodeNumberError> {
        if number == 0x00 || number == 0xff {
            Err(NodeNumberError::NoNode(number))
        } else {
            Ok(Self(number))
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Whether the node is one of the rack's switches; it is a sled where not.
    #[must_use]
    pub const fn is_switch(self) -> bool {
        self.0 > Self::SLED_MAX
    }
}

/// Why something is not the number of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeNumberError {
    /// The number is never a node's.
    NoNode(u8),
    /// The text is not two hexadecimal digits.
    NotTwoDigits,
}

impl fmt::Display for NodeNumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNode(number) => write!(f, "no node has the number {number:02x}"),
            Self::NotTwoDigits => {
                f.write_str("a node number is two hexadecimal digits, such as 01")
            }
        }
    }
}

impl core::error::Error for NodeNumberError {}

impl fmt::Display for NodeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

impl FromStr for NodeNumber {
    type Err = NodeNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = hexadecimal(text, 2).and_then(|n| u8::try_from(n).ok());
        Self::new(number.ok_or(NodeNumberError::NotTwoDigits)?)
    }
}

serde_as_text!(NodeNumber);

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn racks_00_and_ff_are_none() {
        assert_eq!(RackNumber::new(0), Err(RackNumberError::NoRack(0)));
        assert_eq!(
            "ff".parse::<RackNumber>(),
            Err(RackNumberError::NoRack(0xff))
        );
        assert_eq!("1a".parse::<RackNumber>().unwrap().get(), 0x1a);
        assert_eq!(
            "1".parse::<RackNumber>(),
            Err(RackNumberError::NotTwoDigits)
        );
        assert_eq!(
            "026".parse::<RackNumber>(),
            Err(RackNumberError::NotTwoDigits)
        );
    }

    #[test]
    fn switches_stand_above_sleds() {
        assert!(!NodeNumber::new(NodeNumber::SLED_MAX).unwrap().is_switch());
        assert!(NodeNumber::SWITCHES.into_iter().all(NodeNumber::is_switch));
        assert_eq!(NodeNumber::SWITCHES.map(|n| n.to_string()), ["fd", "fe"]);
        assert_eq!(NodeNumber::new(0xff), Err(NodeNumberError::NoNode(0xff)));
    }

    #[test]
    fn serde_takes_the_digits() {
        let node: NodeNumber = serde_json::from_str("\"10\"").unwrap();
        assert_eq!(node.get(), 16);
        assert_eq!(serde_json::to_string(&node).unwrap(), "\"10\"");
        assert!(serde_json::from_str::<NodeNumber>("\"00\"").is_err());
    }
}
