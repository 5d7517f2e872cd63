//! Families of addresses.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A family of addresses that routes are exchanged of: unicast alone (RFC 4760, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];
    /// The subsequent identifier of both: unicast.
    pub const SAFI: u8 = 1;

    /// The family of a prefix.
    #[must_use]
    pub const fn of(prefix: IpNet) -> Self {
        match prefix {
            IpNet::V4(_) => Self::Ipv4,
            IpNet::V6(_) => Self::Ipv6,
        }
    }

    /// Its identifier (AFI).
    #[must_use]
    pub const fn afi(self) -> u16 {
        match self {
            Self::Ipv4 => 1,
            Self::Ipv6 => 2,
        }
    }

    /// The family with these two identifiers, where it is one of ours.
    #[must_use]
    pub const fn from_wire(afi: u16, safi: u8) -> Option<Self> {
        match (afi, safi) {
            (1, Self::SAFI) => Some(Self::Ipv4),
            (2, Self::SAFI) => Some(Self::Ipv6),
            _ => None,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        })
    }
}
