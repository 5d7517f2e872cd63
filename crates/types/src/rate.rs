//! Rates, each a type of its own unit.

use core::fmt;
use core::str::FromStr;

use crate::text::{decimal, serde_as_text};

/// Octets per second, of IP packets: what lies in front of them on a link is not counted.
///
/// Written with its unit: `1250000B/s`, `125MB/s`; the prefixes k, M, G are powers of ten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BytesPerSecond(u64);

impl BytesPerSecond {
    const UNITS: Units = Units {
        base: "B/s",
        multiples: [("GB/s", GIGA), ("MB/s", MEGA), ("kB/s", KILO)],
    };

    /// The rate of this many octets per second.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Octets per second.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Packets per second.
///
/// Written with its unit: `1500pps`, `10kpps`; the prefixes k, M, G are powers of ten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketsPerSecond(u64);

impl PacketsPerSecond {
    const UNITS: Units = Units {
        base: "pps",
        multiples: [("Gpps", GIGA), ("Mpps", MEGA), ("kpps", KILO)],
    };

    /// The rate of this many packets per second.
    #[must_use]
    pub const fn new(packets: u64) -> Self {
        Self(packets)
    }

    /// Packets per second.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

const KILO: u64 = 1_000;
const MEGA: u64 = 1_000_000;
const GIGA: u64 = 1_000_000_000;

/// A unit and its multiples.
struct Units {
    base: &'static str,
    /// The greatest first; `base` is a suffix of each.
    multiples: [(&'static str, u64); 3],
}

impl Units {
    /// Writes `value` in the greatest unit that leaves no fraction.
    fn write(&self, f: &mut fmt::Formatter<'_>, value: u64) -> fmt::Result {
        let whole = |&&(_, scale): &&(&str, u64)| value != 0 && value.is_multiple_of(scale);
        let (unit, scale) = self
            .multiples
            .iter()
            .find(whole)
            .copied()
            .unwrap_or((self.base, 1));
        write!(f, "{}{unit}", value / scale)
    }

    /// Reads a whole number and one of the units.
    fn parse(&self, text: &str) -> Result<u64, ParseRateError> {
        let split = |(unit, scale)| Some((text.strip_suffix(unit)?, scale));
        let (number, scale) = self
            .multiples
            .iter()
            .copied()
            .chain([(self.base, 1)])
            .find_map(split)
            .ok_or(ParseRateError::Unit(self.base))?;
        let number = decimal(number).ok_or(ParseRateError::NotANumber)?;
        number.checked_mul(scale).ok_or(ParseRateError::OutOfRange)
    }
}

/// Why a text is not a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseRateError {
    /// The unit is missing or not a multiple of this one.
    Unit(&'static str),
    /// What stands before the unit is not a whole decimal number.
    NotANumber,
    /// The rate needs more than 64 bits.
    OutOfRange,
}

impl fmt::Display for ParseRateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(unit) => write!(f, "a rate ends in {unit}, k{unit}, M{unit} or G{unit}"),
            Self::NotANumber => f.write_str("a rate is a whole decimal number before its unit"),
            Self::OutOfRange => f.write_str("the rate needs more than 64 bits"),
        }
    }
}

impl core::error::Error for ParseRateError {}

impl fmt::Display for BytesPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::UNITS.write(f, self.0)
    }
}

impl FromStr for BytesPerSecond {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::UNITS.parse(text).map(Self)
    }
}

serde_as_text!(BytesPerSecond);

impl fmt::Display for PacketsPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::UNITS.write(f, self.0)
    }
}

impl FromStr for PacketsPerSecond {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::UNITS.parse(text).map(Self)
    }
}

serde_as_text!(PacketsPerSecond);

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_takes_the_greatest_whole_unit() {
        assert_eq!(BytesPerSecond::new(0).to_string(), "0B/s");
        assert_eq!(BytesPerSecond::new(1_500).to_string(), "1500B/s");
        assert_eq!(BytesPerSecond::new(125_000_000).to_string(), "125MB/s");
        assert_eq!(PacketsPerSecond::new(10_000).to_string(), "10kpps");
    }

    #[test]
    fn a_rate_without_its_unit_is_refused() {
        let bytes = |text: &str| text.parse::<BytesPerSecond>();
        assert_eq!(bytes("125MB/s"), Ok(BytesPerSecond::new(125_000_000)));
        assert_eq!(bytes("125"), Err(ParseRateError::Unit("B/s")));
        assert_eq!(bytes("125pps"), Err(ParseRateError::Unit("B/s")));
        assert_eq!(bytes("1.5MB/s"), Err(ParseRateError::NotANumber));
        assert_eq!(bytes("-1B/s"), Err(ParseRateError::NotANumber));
        assert_eq!(bytes("18446744074GB/s"), Err(ParseRateError::OutOfRange));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(number: u64, zeros in 0_u32..10) {
            let number = number / 10_u64.pow(zeros) * 10_u64.pow(zeros);
            let rate = BytesPerSecond::new(number);
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
            let json = serde_json::to_string(&PacketsPerSecond::new(number)).unwrap();
            let back: PacketsPerSecond = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(back.get(), number);
        }
    }
}
