//! Autonomous system numbers.

use core::fmt;
use core::num::NonZeroU32;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::decimal;

/// A four-octet autonomous system number (RFC 6793), written in `asplain` (RFC 5396).
///
/// Never 0: "A BGP speaker MUST NOT originate or propagate a route with an AS number of zero"
/// (RFC 7607, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u32")]
pub struct Asn(NonZeroU32);

impl Asn {
    /// Stands for a number of four octets where only two fit (RFC 6793, section 9).
    pub const TRANS: Self = Self(NonZeroU32::MIN.saturating_add(23_455));

    /// The autonomous system with this number.
    ///
    /// # Errors
    /// Where the number is 0.
    pub fn new(number: u32) -> Result<Self, AsnError> {
        NonZeroU32::new(number).map(Self).ok_or(AsnError::Zero)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// Whether the number is for private use (RFC 6996, section 5).
    #[must_use]
    pub const fn is_private(self) -> bool {
        matches!(self.get(), 64_512..=65_534 | 4_200_000_000..=4_294_967_294)
    }
}

/// Why something is not an autonomous system number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AsnError {
    /// The number is 0.
    Zero,
    /// The number needs more than 32 bits.
    OutOfRange(u64),
    /// The text is not a decimal number.
    NotANumber,
}

impl fmt::Display for AsnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("no autonomous system has the number 0"),
            Self::OutOfRange(number) => write!(f, "as number {number} is above {}", u32::MAX),
            Self::NotANumber => f.write_str("an as number is a decimal number, such as 65001"),
        }
    }
}

impl core::error::Error for AsnError {}

impl TryFrom<u64> for Asn {
    type Error = AsnError;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        u32::try_from(number).map_or(Err(AsnError::OutOfRange(number)), Self::new)
    }
}

impl From<Asn> for u32 {
    fn from(asn: Asn) -> Self {
        asn.get()
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Asn {
    type Err = AsnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        decimal(text).ok_or(AsnError::NotANumber)?.try_into()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn zero_is_no_system() {
        assert_eq!(Asn::new(0), Err(AsnError::Zero));
        assert_eq!("0".parse::<Asn>(), Err(AsnError::Zero));
        assert_eq!(Asn::TRANS.get(), 23_456);
    }

    #[test]
    fn text_is_asplain() {
        assert_eq!(
            "4294967295".parse::<Asn>().unwrap().to_string(),
            "4294967295"
        );
        assert_eq!(
            "4294967296".parse::<Asn>(),
            Err(AsnError::OutOfRange(1 << 32))
        );
        for text in ["AS65001", "1.10", "+65001", ""] {
            assert_eq!(text.parse::<Asn>(), Err(AsnError::NotANumber), "{text:?}");
        }
    }

    #[test]
    fn private_ranges_end_where_the_rfc_says() {
        let private = |n| Asn::new(n).unwrap().is_private();
        assert!(private(64_512) && private(65_534) && private(4_200_000_000));
        assert!(!private(64_511) && !private(65_535) && !private(4_294_967_295));
    }

    #[test]
    fn serde_takes_a_number() {
        assert_eq!(
            serde_json::to_string(&Asn::new(65_001).unwrap()).unwrap(),
            "65001"
        );
        assert!(serde_json::from_str::<Asn>("0").is_err());
    }
}
