//! Where a system can be managed (IEEE 802.1AB, 8.5.9).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::identity::{hexadecimal, network};

/// How the number of an interface is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InterfaceNumbering(pub u8);

impl InterfaceNumbering {
    /// The number says nothing.
    pub const UNKNOWN: Self = Self(1);
    /// `ifIndex` (RFC 2863).
    pub const IF_INDEX: Self = Self(2);
    /// The port's number in the system.
    pub const PORT: Self = Self(3);
}

/// An address of the system's management.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ManagementAddress {
    /// The number of its family (IANA address family numbers: 1 IPv4, 2 IPv6, 6 Ethernet) and its octets.
    address: Box<[u8]>,
    /// How `interface` is to be read.
    pub numbering: InterfaceNumbering,
    /// The interface that has the address.
    pub interface: u32,
    /// What it is in the management's own words: an encoded object identifier, or nothing.
    pub object: Box<[u8]>,
}

impl ManagementAddress {
    /// An address that belongs to no interface in particular.
    #[must_use]
    pub fn ipv6(address: Ipv6Addr) -> Self {
        let octets = address.octets();
        Self {
            address: [2].iter().chain(&octets).copied().collect(),
            numbering: InterfaceNumbering::UNKNOWN,
            interface: 0,
            object: [].into(),
        }
    }

    /// The address, where it is one of the Internet's.
    pub fn ip(&self) -> Option<IpAddr> {
        network(&self.address)
    }

    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        let (&len, rest) = content.split_first()?;
        // The family and 1 to 31 octets of address.
        let (address, rest) = rest.split_at_checked(len.into())?;
        if !(2..=32).contains(&len) {
            return None;
        }
        let (&numbering, rest) = rest.split_first()?;
        let (&number, rest) = rest.split_first_chunk()?;
        let (&object_len, object) = rest.split_first()?;
        if object.len() != usize::from(object_len) || object_len > 128 {
            return None;
        }
        Some(Self {
            address: address.into(),
            numbering: InterfaceNumbering(numbering),
            interface: u32::from_be_bytes(number),
            object: object.into(),
        })
    }

    /// The content of its element.
    pub(super) fn content(&self) -> Vec<u8> {
        let len = |octets: &[u8]| u8::try_from(octets.len()).unwrap_or(u8::MAX);
        let mut content = vec![len(&self.address)];
        content.extend_from_slice(&self.address);
        content.push(self.numbering.0);
        content.extend_from_slice(&self.interface.to_be_bytes());
        content.push(len(&self.object));
        content.extend_from_slice(&self.object);
        content
    }
}

impl fmt::Display for ManagementAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip() {
            Some(ip) => ip.fmt(f),
            None => f.pad(&hexadecimal(&self.address)),
        }
    }
}
