//! What a guest is told by DHCP and router advertisements besides its addresses.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::DomainName;

/// What a guest is told besides its addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DhcpSettings {
    /// Host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<DomainName>,
    /// Domain name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainName>,
    /// Domain search list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<DomainName>,
    /// DNS servers, in order; where there is none, the subnet's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<IpAddr>,
    /// How long addresses are lent.
    pub lease: LeaseTime,
}

/// How long an address is lent, in seconds.
///
/// At least a minute, so that a guest does not renew all the time. The greatest value of the
/// protocols, "infinity" (RFC 2131, section 3.3), is refused: a lease without end cannot be
/// changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct LeaseTime(u32);

impl LeaseTime {
    /// The shortest lease.
    pub const MIN: u32 = 60;
    /// The longest lease.
    pub const MAX: u32 = u32::MAX - 1;

    /// A lease of this many seconds.
    ///
    /// # Errors
    /// Where that is below a minute, or without end.
    pub const fn from_secs(seconds: u32) -> Result<Self, LeaseTimeError> {
        if seconds < Self::MIN || seconds > Self::MAX {
            Err(LeaseTimeError(seconds))
        } else {
            Ok(Self(seconds))
        }
    }

    /// Seconds.
    #[must_use]
    pub const fn as_secs(self) -> u32 {
        self.0
    }
}

impl Default for LeaseTime {
    /// A day.
    fn default() -> Self {
        Self(86_400)
    }
}

/// A lease that is too short, or without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimeError(pub u32);

impl fmt::Display for LeaseTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (min, max) = (LeaseTime::MIN, LeaseTime::MAX);
        write!(
            f,
            "a lease of {} seconds is not within {min} to {max}",
            self.0
        )
    }
}

impl core::error::Error for LeaseTimeError {}

impl TryFrom<u32> for LeaseTime {
    type Error = LeaseTimeError;

    fn try_from(seconds: u32) -> Result<Self, Self::Error> {
        Self::from_secs(seconds)
    }
}

impl From<LeaseTime> for u32 {
    fn from(lease: LeaseTime) -> Self {
        lease.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_has_bounds() {
        assert_eq!(LeaseTime::from_secs(59), Err(LeaseTimeError(59)));
        assert_eq!(
            LeaseTime::from_secs(u32::MAX),
            Err(LeaseTimeError(u32::MAX))
        );
        assert_eq!(LeaseTime::from_secs(60).map(LeaseTime::as_secs), Ok(60));
    }
}
