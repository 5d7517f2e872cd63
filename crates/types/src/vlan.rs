//! VLAN identifiers.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::decimal;

/// A VLAN identifier (IEEE 802.1Q, section 9.6): 12 bits, of which 0 only marks a priority and
/// 4095 is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Vlan(u16);

impl Vlan {
    /// The least identifier.
    pub const MIN: u16 = 1;
    /// The greatest identifier.
    pub const MAX: u16 = 4094;

    /// The identifier with this number.
    ///
    /// # Errors
    /// Where the number is not within 1 to 4094.
    pub fn new(number: u16) -> Result<Self, VlanError> {
        if (Self::MIN..=Self::MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(VlanError::OutOfRange(number.into()))
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// Why something is not a VLAN identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VlanError {
    /// The number is not within 1 to 4094.
    OutOfRange(u32),
    /// The text is not a decimal number.
    NotANumber,
}

impl fmt::Display for VlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange(number) => {
                write!(
                    f,
                    "vlan {number} is not within {} to {}",
                    Vlan::MIN,
                    Vlan::MAX
                )
            }
            Self::NotANumber => f.write_str("a vlan is a decimal number, such as 100"),
        }
    }
}

impl core::error::Error for VlanError {}

impl TryFrom<u32> for Vlan {
    type Error = VlanError;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        u16::try_from(number).map_or(Err(VlanError::OutOfRange(number)), Self::new)
    }
}

impl From<Vlan> for u32 {
    fn from(vlan: Vlan) -> Self {
        vlan.0.into()
    }
}

impl fmt::Display for Vlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Vlan {
    type Err = VlanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = decimal(text).ok_or(VlanError::NotANumber)?;
        Self::try_from(u32::try_from(number).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn holds_1_to_4094() {
        assert_eq!(Vlan::new(1).map(Vlan::get), Ok(1));
        assert_eq!(Vlan::new(4094).map(Vlan::get), Ok(4094));
        assert_eq!(Vlan::new(0), Err(VlanError::OutOfRange(0)));
        assert_eq!(Vlan::new(4095), Err(VlanError::OutOfRange(4095)));
    }

    #[test]
    fn text_is_strict() {
        assert_eq!("100".parse::<Vlan>().unwrap().to_string(), "100");
        assert_eq!("0100".parse::<Vlan>(), Err(VlanError::NotANumber));
        assert_eq!("5000".parse::<Vlan>(), Err(VlanError::OutOfRange(5000)));
    }

    #[test]
    fn serde_says_the_bound() {
        let error = serde_json::from_str::<Vlan>("70000").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("vlan 70000 is not within 1 to 4094"),
            "{error}"
        );
    }
}
