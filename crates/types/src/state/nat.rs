//! How a port reaches the world outside, and is reached from there.

use core::fmt;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::PortRange;

/// An external address that one inside address of the port has for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExternalAddress {
    /// How the address came to the port.
    pub kind: ExternalKind,
    /// The address that the world sees.
    pub outside: IpAddr,
    /// The port's own address it stands for; of the same family.
    pub inside: IpAddr,
}

/// How an external address came to its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExternalKind {
    /// Bound by a user; it outlives the instance. Preferred for what the guest begins.
    Floating,
    /// Given to the instance for its life.
    Ephemeral,
}

/// A block of ports of an external address that many ports share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NatBlock {
    /// The address that the world sees.
    pub address: IpAddr,
    /// The port's part of it.
    pub ports: PortBlock,
}

/// An aligned power of two of transport ports, so that who had one is arithmetic.
///
/// System ports (0 to 1023, RFC 6335, section 6) are in no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct PortBlock {
    first: u16,
    count: u16,
}

/// A block as it is written.
#[derive(Serialize, Deserialize)]
struct Parts {
    first: u16,
    count: u16,
}

impl PortBlock {
    /// The least first port.
    pub const FIRST_MIN: u16 = 1024;
    /// The most ports of a block.
    pub const COUNT_MAX: u16 = 32_768;

    /// The block of `count` ports from `first`.
    ///
    /// # Errors
    /// Where `count` is no power of two, or `first` no multiple of it or a system port.
    pub const fn new(first: u16, count: u16) -> Result<Self, PortBlockError> {
        if !count.is_power_of_two() {
            Err(PortBlockError::Count(count))
        } else if !first.is_multiple_of(count) {
            Err(PortBlockError::Unaligned { first, count })
        } else if first < Self::FIRST_MIN {
            Err(PortBlockError::SystemPorts(first))
        } else {
            Ok(Self { first, count })
        }
    }

    /// The first port.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// How many ports.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.count
    }

    /// The ports as a range.
    #[must_use]
    pub fn range(self) -> PortRange {
        let last = self.first + (self.count - 1);
        PortRange::new(self.first, last).unwrap_or(PortRange::single(self.first))
    }
}

/// Why something is not a block of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PortBlockError {
    /// This number of ports is no power of two.
    Count(u16),
    /// The first port is no multiple of the number of ports.
    Unaligned {
        /// The first port.
        first: u16,
        /// The number of ports.
        count: u16,
    },
    /// The block begins at this system port.
    SystemPorts(u16),
}

impl fmt::Display for PortBlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count} ports are no power of two"),
            Self::Unaligned { first, count } => {
                write!(f, "a block of {count} ports cannot begin at port {first}")
            }
            Self::SystemPorts(first) => {
                write!(
                    f,
                    "a block begins at {} or above, not at {first}",
                    PortBlock::FIRST_MIN
                )
            }
        }
    }
}

impl core::error::Error for PortBlockError {}

impl TryFrom<Parts> for PortBlock {
    type Error = PortBlockError;

    fn try_from(parts: Parts) -> Result<Self, Self::Error> {
        Self::new(parts.first, parts.count)
    }
}

impl From<PortBlock> for Parts {
    fn from(block: PortBlock) -> Self {
        Self {
            first: block.first,
            count: block.count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_an_aligned_power_of_two() {
        let block = PortBlock::new(4096, 1024).unwrap();
        assert_eq!((block.range().first(), block.range().last()), (4096, 5119));
        assert_eq!(
            PortBlock::new(32_768, 32_768).unwrap().range().last(),
            u16::MAX
        );
        assert_eq!(PortBlock::new(4096, 0), Err(PortBlockError::Count(0)));
        assert_eq!(PortBlock::new(4096, 1000), Err(PortBlockError::Count(1000)));
        let unaligned = PortBlockError::Unaligned {
            first: 4096,
            count: 8192,
        };
        assert_eq!(PortBlock::new(4096, 8192), Err(unaligned));
        assert_eq!(
            PortBlock::new(512, 512),
            Err(PortBlockError::SystemPorts(512))
        );
    }

    #[test]
    fn a_block_is_checked_when_it_is_read() {
        let read = serde_json::from_str::<PortBlock>;
        assert_eq!(read(r#"{"first": 1024, "count": 64}"#).unwrap().count(), 64);
        assert!(read(r#"{"first": 1025, "count": 64}"#).is_err());
    }
}
