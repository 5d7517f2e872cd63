//! Virtual network identifiers.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::reserved;
use crate::text::decimal;

/// A 24-bit virtual network identifier (RFC 8926, section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Vni(u32);

impl Vni {
    /// The greatest identifier, 2^24 − 1.
    pub const MAX: u32 = 0x00ff_ffff;
    /// Boundary services: what goes to and comes from the customer's network.
    pub const BOUNDARY: Self = Self(99);

    /// The identifier with this number.
    ///
    /// # Errors
    /// Where the number needs more than 24 bits.
    pub const fn new(number: u32) -> Result<Self, VniOutOfRange> {
        if number > Self::MAX {
            Err(VniOutOfRange(number))
        } else {
            Ok(Self(number))
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether the identifier is the system's own, and no VPC's.
    #[must_use]
    pub const fn is_system(self) -> bool {
        self.0 < reserved::FIRST_VPC_VNI
    }
}

/// A number that does not fit into 24 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VniOutOfRange(pub u32);

impl fmt::Display for VniOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vni {} is above {}", self.0, Vni::MAX)
    }
}

impl core::error::Error for VniOutOfRange {}

impl TryFrom<u32> for Vni {
    type Error = VniOutOfRange;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        Self::new(number)
    }
}

impl From<Vni> for u32 {
    fn from(vni: Vni) -> Self {
        vni.0
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why a text is not a virtual network identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseVniError {
    /// The text is not a decimal number of at most 32 bits.
    NotANumber,
    /// The number does not fit.
    OutOfRange(VniOutOfRange),
}

impl fmt::Display for ParseVniError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber => f.write_str("a vni is a decimal number, such as 1024"),
            Self::OutOfRange(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ParseVniError {}

impl FromStr for Vni {
    type Err = ParseVniError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = decimal(text).and_then(|n| u32::try_from(n).ok());
        Self::new(number.ok_or(ParseVniError::NotANumber)?).map_err(ParseVniError::OutOfRange)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn holds_24_bits() {
        assert_eq!(Vni::new(Vni::MAX).map(Vni::get), Ok(0x00ff_ffff));
        assert_eq!(Vni::new(1 << 24), Err(VniOutOfRange(1 << 24)));
        let error = serde_json::from_str::<Vni>("16777216").unwrap_err();
        assert!(
            error.to_string().contains("vni 16777216 is above 16777215"),
            "{error}"
        );
    }

    #[test]
    fn text_is_strict() {
        assert_eq!("99".parse(), Ok(Vni::BOUNDARY));
        assert_eq!("0x63".parse::<Vni>(), Err(ParseVniError::NotANumber));
        assert_eq!(
            "16777216".parse::<Vni>(),
            Err(ParseVniError::OutOfRange(VniOutOfRange(1 << 24)))
        );
    }

    #[test]
    fn system_identifiers_end_below_1024() {
        assert!(Vni::BOUNDARY.is_system() && Vni::new(1023).unwrap().is_system());
        assert!(!Vni::new(1024).unwrap().is_system());
    }
}
