//! The service rack: addresses that belong to a service, not to a node.

use core::fmt;
use core::net::Ipv6Addr;
use core::ops::RangeInclusive;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use crate::prefix::{AzPrefix, address, split};

/// What a service of the service rack does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceRole {
    /// Controllers, where nodes register and take their state from.
    Controller,
    /// Groups of switches that share boundary services.
    BoundaryGroup,
    /// DNS of the AZ itself.
    InternalDns,
}

impl ServiceRole {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Controller, Self::BoundaryGroup, Self::InternalDns];

    /// The node octets of the role's prefixes.
    #[must_use]
    pub const fn range(self) -> RangeInclusive<u8> {
        match self {
            Self::Controller => 0x00..=0x0f,
            Self::BoundaryGroup => 0x10..=0x7f,
            Self::InternalDns => 0x80..=0x8f,
        }
    }
}

impl fmt::Display for ServiceRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controller => "controller",
            Self::BoundaryGroup => "boundary group",
            Self::InternalDns => "internal dns",
        })
    }
}

/// The /64 of one service of the service rack (rack octet ff), announced only while it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePrefix {
    az: AzPrefix,
    role: ServiceRole,
    number: u8,
}

impl ServicePrefix {
    /// The length in bits.
    pub const LENGTH: u8 = 64;
    /// The octet of the service rack.
    pub const RACK: u8 = 0xff;

    /// The prefix of the service at `index` (from 0) of its role.
    ///
    /// # Errors
    /// Where the role has no such index.
    pub fn new(az: AzPrefix, role: ServiceRole, index: u8) -> Result<Self, ServiceError> {
        let range = role.range();
        match range.start().checked_add(index) {
            Some(number) if range.contains(&number) => Ok(Self { az, role, number }),
            _ => Err(ServiceError { role, index }),
        }
    }

    /// The prefix of the service that the address is of; `None` where it is of none.
    #[must_use]
    pub fn of(addr: Ipv6Addr) -> Option<Self> {
        let (az, rack, number) = split(addr).ok()?;
        let role = ServiceRole::ALL
            .into_iter()
            .find(|role| role.range().contains(&number))?;
        (rack == Self::RACK).then_some(Self { az, role, number })
    }

    /// The AZ that is served.
    #[must_use]
    pub const fn az(self) -> AzPrefix {
        self.az
    }

    /// What the service does.
    #[must_use]
    pub const fn role(self) -> ServiceRole {
        self.role
    }

    /// Which one of its role it is, from 0.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.number - *self.role.range().start()
    }

    /// The service's address, `::1` of the prefix, on the loopback of each node that serves it.
    #[must_use]
    pub fn address(self) -> Ipv6Addr {
        address(self.az, Self::RACK, self.number, 1)
    }

    /// The prefix.
    #[must_use]
    pub fn net(self) -> Ipv6Net {
        Ipv6Net::new_assert(address(self.az, Self::RACK, self.number, 0), Self::LENGTH)
    }
}

/// A role that has no service of this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// The role.
    pub role: ServiceRole,
    /// The index that it does not have.
    pub index: u8,
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.role.range().count() - 1;
        write!(
            f,
            "{} {} is above {last}, the last one",
            self.role, self.index
        )
    }
}

impl core::error::Error for ServiceError {}

impl fmt::Display for ServicePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.net().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn service(role: ServiceRole, index: u8) -> Result<ServicePrefix, ServiceError> {
        ServicePrefix::new("fd00:1122:3344::/48".parse().unwrap(), role, index)
    }

    #[test]
    fn ranges_are_those_of_the_contract() {
        let text = |role, index| service(role, index).unwrap().address().to_string();
        assert_eq!(text(ServiceRole::Controller, 0), "fd00:1122:3344:ff00::1");
        assert_eq!(text(ServiceRole::Controller, 15), "fd00:1122:3344:ff0f::1");
        assert_eq!(
            text(ServiceRole::BoundaryGroup, 0),
            "fd00:1122:3344:ff10::1"
        );
        assert_eq!(
            text(ServiceRole::BoundaryGroup, 111),
            "fd00:1122:3344:ff7f::1"
        );
        assert_eq!(text(ServiceRole::InternalDns, 15), "fd00:1122:3344:ff8f::1");
    }

    #[test]
    fn no_role_reaches_into_the_next() {
        let error = service(ServiceRole::Controller, 16).unwrap_err();
        assert_eq!(error.to_string(), "controller 16 is above 15, the last one");
        assert!(service(ServiceRole::BoundaryGroup, 112).is_err());
        assert!(service(ServiceRole::InternalDns, 255).is_err());
    }

    #[test]
    fn an_address_gives_back_its_service() {
        for role in ServiceRole::ALL {
            for index in 0..16 {
                let service = service(role, index).unwrap();
                assert_eq!(ServicePrefix::of(service.address()), Some(service));
                assert_eq!((service.role(), service.index()), (role, index));
            }
        }
        for text in [
            "fd00:1122:3344:ff90::1",
            "fd00:1122:3344:fe00::1",
            "2001:db8:0:ff00::1",
        ] {
            assert_eq!(ServicePrefix::of(text.parse().unwrap()), None, "{text}");
        }
    }
}
