//! Maximum transmission units.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::reserved;
use crate::text::decimal;

/// The longest IP packet that a link carries, in octets, without the Ethernet header.
///
/// At least 1280: every link of ours carries IPv6, and "IPv6 requires that every link in the
/// Internet have an MTU of 1280 octets or greater" (RFC 8200, section 5). At most 9216, the
/// greatest frame that switches in general pass: a greater one would be accepted here and lost
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Mtu(u16);

impl Mtu {
    /// The least MTU.
    pub const MIN: u16 = 1280;
    /// The greatest MTU.
    pub const MAX: u16 = 9216;

    /// The MTU of this many octets.
    ///
    /// # Errors
    /// Where the number is not within 1280 to 9216.
    pub fn new(octets: u16) -> Result<Self, MtuError> {
        if (Self::MIN..=Self::MAX).contains(&octets) {
            Ok(Self(octets))
        } else {
            Err(MtuError::OutOfRange(octets.into()))
        }
    }

    /// An MTU of ours: the bounds are checked when the program is built.
    pub(crate) const fn fixed<const OCTETS: u16>() -> Self {
        const { assert!(OCTETS >= Self::MIN && OCTETS <= Self::MAX) };
        Self(OCTETS)
    }

    /// Octets.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The greatest MTU of guests whose packets travel encapsulated over a link of this MTU;
    /// `None` where the link is too narrow for any.
    #[must_use]
    pub fn inside(self) -> Option<Self> {
        let octets = self.0 - reserved::ENCAPSULATION_LEN - reserved::GENEVE_OPTIONS_MAX;
        Self::new(octets).ok()
    }
}

/// Why something is not an MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MtuError {
    /// The number is not within 1280 to 9216.
    OutOfRange(u64),
    /// The text is not a decimal number.
    NotANumber,
}

impl fmt::Display for MtuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange(octets) => {
                write!(f, "mtu {octets} is not within {} to {}", Mtu::MIN, Mtu::MAX)
            }
            Self::NotANumber => f.write_str("an mtu is a decimal number of octets, such as 1500"),
        }
    }
}

impl core::error::Error for MtuError {}

impl TryFrom<u64> for Mtu {
    type Error = MtuError;

    fn try_from(octets: u64) -> Result<Self, Self::Error> {
        u16::try_from(octets).map_or(Err(MtuError::OutOfRange(octets)), Self::new)
    }
}

impl From<Mtu> for u64 {
    fn from(mtu: Mtu) -> Self {
        mtu.0.into()
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Mtu {
    type Err = MtuError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        decimal(text).ok_or(MtuError::NotANumber)?.try_into()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn bounds_hold() {
        assert_eq!(Mtu::new(1279), Err(MtuError::OutOfRange(1279)));
        assert_eq!(Mtu::new(9217), Err(MtuError::OutOfRange(9217)));
        assert_eq!("1280".parse::<Mtu>().unwrap().to_string(), "1280");
        assert_eq!("1e4".parse::<Mtu>(), Err(MtuError::NotANumber));
        assert!(serde_json::from_str::<Mtu>("65536").is_err());
    }

    #[test]
    fn encapsulation_costs_94() {
        assert_eq!(reserved::UNDERLAY_MTU.inside().map(Mtu::get), Some(8906));
        assert!(reserved::UNDERLAY_MTU_FLOOR.inside() >= Some(reserved::GUEST_MTU));
        assert_eq!(Mtu::fixed::<1280>().inside(), None);
    }
}
