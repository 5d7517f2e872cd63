//! MAC addresses of units, and the IPv6 addresses that follow from them (seed "IPv6 Addressing").

use core::fmt;
use core::net::Ipv6Addr;

use rackweave_types::MacAddr;

use crate::port::SpPort;

/// The MAC addresses that a unit's FRU identity gives it: sixteen in a row, aligned to sixteen.
///
/// The first two are those of its management port, one for each rack switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacRange(MacAddr);

impl MacRange {
    /// How many addresses a unit has.
    pub const LEN: u8 = 16;

    /// The range that begins with this address.
    ///
    /// # Errors
    /// Where the address is not a multiple of sixteen, or a group's.
    pub fn new(first: MacAddr) -> Result<Self, MacRangeError> {
        let last = first.octets()[5];
        if first.is_multicast() {
            Err(MacRangeError::Group(first))
        } else if last.is_multiple_of(Self::LEN) {
            Ok(Self(first))
        } else {
            Err(MacRangeError::Unaligned(first))
        }
    }

    /// The range that an address is of.
    ///
    /// # Errors
    /// Where the address is a group's.
    pub fn of(address: MacAddr) -> Result<Self, MacRangeError> {
        let mut octets = address.octets();
        octets[5] -= octets[5] % Self::LEN;
        Self::new(MacAddr::new(octets))
    }

    /// The first address.
    #[must_use]
    pub const fn first(self) -> MacAddr {
        self.0
    }

    /// The address of the unit's service processor on one of its ports.
    #[must_use]
    pub const fn management(self, port: SpPort) -> MacAddr {
        let mut octets = self.0.octets();
        octets[5] += match port {
            SpPort::One => 0,
            SpPort::Two => 1,
        };
        MacAddr::new(octets)
    }
}

/// Why an address begins no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MacRangeError {
    /// It is not a multiple of sixteen.
    Unaligned(MacAddr),
    /// It is the address of a group, not of a unit.
    Group(MacAddr),
}

impl fmt::Display for MacRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unaligned(mac) => write!(
                f,
                "a unit's addresses begin at a multiple of 16, {mac} is none"
            ),
            Self::Group(mac) => write!(f, "{mac} is the address of a group, not of a unit"),
        }
    }
}

impl core::error::Error for MacRangeError {}

/// The link-local address of an interface: modified EUI-64 (RFC 4291, appendix A).
#[must_use]
pub fn link_local(mac: MacAddr) -> Ipv6Addr {
    let [a, b, c, rest @ ..] = mac.octets();
    let mut octets = [0; 16];
    octets[..2].copy_from_slice(&[0xfe, 0x80]);
    octets[8..13].copy_from_slice(&[a ^ 0x02, b, c, 0xff, 0xfe]);
    octets[13..].copy_from_slice(&rest);
    Ipv6Addr::from(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: MacAddr = MacAddr::new([0xa8, 0x40, 0x25, 0, 0, 0x10]);

    #[test]
    fn a_unit_has_one_address_for_each_switch() {
        let range = MacRange::new(FIRST).unwrap();
        assert_eq!(range.management(SpPort::One), FIRST);
        let second = MacAddr::new([0xa8, 0x40, 0x25, 0, 0, 0x11]);
        assert_eq!(range.management(SpPort::Two), second);
        assert_eq!(MacRange::of(second), Ok(range));
    }

    #[test]
    fn what_begins_no_range_is_refused() {
        let odd = MacAddr::new([0xa8, 0x40, 0x25, 0, 0, 0x11]);
        assert_eq!(MacRange::new(odd), Err(MacRangeError::Unaligned(odd)));
        let group = MacAddr::new([0x01, 0x80, 0xc2, 0, 0, 0]);
        assert_eq!(MacRange::of(group), Err(MacRangeError::Group(group)));
    }

    #[test]
    fn link_local_addresses_follow_from_the_mac() {
        let expected: Ipv6Addr = "fe80::aa40:25ff:fe00:10".parse().unwrap();
        assert_eq!(link_local(FIRST), expected);
    }
}
