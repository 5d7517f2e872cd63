//! Virtual network identifiers.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A 24-bit virtual network identifier (RFC 8926, section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Vni(u32);

impl Vni {
    /// The greatest identifier, 2^24 − 1.
    pub const MAX: u32 = 0x00ff_ffff;
    /// Boundary services: what goes to and comes from the customer's network (design, contract "VNIs").
    pub const BOUNDARY: Self = Self(99);

    /// The identifier with this number.
    ///
    /// # Errors
    /// Where the number needs more than 24 bits.
    pub const fn new(number: u32) -> Result<Self, VniOutOfRange> {
        if number > Self::MAX { Err(VniOutOfRange(number)) } else { Ok(Self(number)) }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
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
