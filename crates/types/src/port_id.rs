//! Identities of guest ports.

use core::fmt;
use core::str::FromStr;

use crate::text::{hexadecimal, serde_as_text};

/// Names a port (one guest NIC in the engine) within the AZ; travels in the Geneve option SOURCE.
///
/// Written as sixteen hexadecimal digits. Not as a number: readers of JSON that hold numbers as
/// floats would round it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(u64);

impl PortId {
    /// The port with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Why a text is not a port's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsePortIdError;

impl fmt::Display for ParsePortIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port id is sixteen hexadecimal digits, such as 00000000000002f1")
    }
}

impl core::error::Error for ParsePortIdError {}

impl fmt::Display for PortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for PortId {
    type Err = ParsePortIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hexadecimal(text, 16).map(Self).ok_or(ParsePortIdError)
    }
}

serde_as_text!(PortId);

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn text_is_sixteen_digits() {
        assert_eq!(PortId::new(0x2f1).to_string(), "00000000000002f1");
        assert_eq!("00000000000002f1".parse(), Ok(PortId::new(0x2f1)));
        assert_eq!("2f1".parse::<PortId>(), Err(ParsePortIdError));
        assert_eq!("+0000000000002f1".parse::<PortId>(), Err(ParsePortIdError));
    }

    #[test]
    fn serde_keeps_every_bit() {
        let json = serde_json::to_string(&PortId::new(u64::MAX)).unwrap();
        assert_eq!(json, "\"ffffffffffffffff\"");
        assert_eq!(
            serde_json::from_str::<PortId>(&json).unwrap(),
            PortId::new(u64::MAX)
        );
    }
}
