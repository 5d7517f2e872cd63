//! Generations of what is handed down to nodes.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::decimal;

/// Counts the changes of a state: the greater one is the newer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// Before the first change.
    pub const ZERO: Self = Self(0);

    /// The generation after this number of changes.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of changes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The generation after one more change; the last one follows itself (2^64 changes never come).
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Why a text is not a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseGenerationError;

impl fmt::Display for ParseGenerationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a generation is a decimal number of at most 64 bits, such as 42")
    }
}

impl core::error::Error for ParseGenerationError {}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Generation {
    type Err = ParseGenerationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        decimal(text).map(Self).ok_or(ParseGenerationError)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn next_is_newer_until_the_last() {
        assert!(Generation::ZERO.next() > Generation::ZERO);
        assert_eq!(Generation::new(u64::MAX).next(), Generation::new(u64::MAX));
    }

    #[test]
    fn text_and_serde_are_the_number() {
        assert_eq!("42".parse::<Generation>().unwrap().to_string(), "42");
        assert_eq!("4 2".parse::<Generation>(), Err(ParseGenerationError));
        assert_eq!(serde_json::to_string(&Generation::new(42)).unwrap(), "42");
    }
}
