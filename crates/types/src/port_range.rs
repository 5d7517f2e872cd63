//! Ranges of transport ports.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(u16, u16)", into = "(u16, u16)")]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self {
        first: 0,
        last: u16::MAX,
    };

    /// From `first` to `last`, both included.
    ///
    /// # Errors
    /// Where `first` is above `last`.
    pub const fn new(first: u16, last: u16) -> Result<Self, PortRangeError> {
        if first > last {
            Err(PortRangeError { first, last })
        } else {
            Ok(Self { first, last })
        }
    }

    /// One port.
    #[must_use]
    pub const fn single(port: u16) -> Self {
        Self {
            first: port,
            last: port,
        }
    }

    /// The lowest port.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    #[must_use]
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Whether `port` is within.
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

/// A range whose first port is above its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRangeError {
    /// The lower end as given.
    pub first: u16,
    /// The upper end as given.
    pub last: u16,
}

impl fmt::Display for PortRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port range {}-{} is empty", self.first, self.last)
    }
}

impl core::error::Error for PortRangeError {}

impl TryFrom<(u16, u16)> for PortRange {
    type Error = PortRangeError;

    fn try_from((first, last): (u16, u16)) -> Result<Self, Self::Error> {
        Self::new(first, last)
    }
}

impl From<PortRange> for (u16, u16) {
    fn from(range: PortRange) -> Self {
        (range.first, range.last)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn both_ends_are_within() {
        let range = PortRange::new(80, 90).unwrap();
        assert!(range.contains(80) && range.contains(90));
        assert!(!range.contains(79) && !range.contains(91));
        assert_eq!(range.to_string(), "80-90");
        assert_eq!(PortRange::single(22).to_string(), "22");
    }

    #[test]
    fn an_empty_range_is_refused() {
        assert_eq!(
            PortRange::new(2, 1),
            Err(PortRangeError { first: 2, last: 1 })
        );
        let error = serde_json::from_str::<PortRange>("[2, 1]").unwrap_err();
        assert!(
            error.to_string().contains("port range 2-1 is empty"),
            "{error}"
        );
    }
}
