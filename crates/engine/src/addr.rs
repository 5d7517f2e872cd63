//! IP addresses of both families in one fixed-size form.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address as 128 bits; IPv4 stands as an IPv4-mapped address (RFC 4291, section 2.5.5.2).
///
/// One width for both families keeps flow keys, rules and tables free of branches. A real IPv6 packet never
/// carries a mapped address: the parser refuses it, so the two families cannot meet in one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr(u128);

/// The 96 bits in front of a mapped IPv4 address.
const MAPPED: u128 = 0xffff_0000_0000;

impl Addr {
    /// No address: what a packet without an IP header has.
    pub const NONE: Self = Self(0);

    /// The address with these 128 bits.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The 128 bits, IPv4 mapped.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// The IPv4 address with these bits.
    #[must_use]
    pub fn v4(bits: u32) -> Self {
        Self(MAPPED | u128::from(bits))
    }

    /// Whether this is an IPv4 address.
    #[must_use]
    pub const fn is_v4(self) -> bool {
        self.0 >> 32 == MAPPED >> 32
    }

    /// The sixteen octets in network order, IPv4 mapped.
    #[must_use]
    pub const fn octets(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The address with these octets in network order.
    #[must_use]
    pub const fn from_octets(octets: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(octets))
    }
}

impl From<Ipv4Addr> for Addr {
    fn from(addr: Ipv4Addr) -> Self {
        Self::v4(addr.to_bits())
    }
}

impl From<Ipv6Addr> for Addr {
    fn from(addr: Ipv6Addr) -> Self {
        Self(addr.to_bits())
    }
}

impl From<IpAddr> for Addr {
    fn from(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(addr) => addr.into(),
            IpAddr::V6(addr) => addr.into(),
        }
    }
}

impl From<Addr> for IpAddr {
    fn from(addr: Addr) -> Self {
        let addr = Ipv6Addr::from_bits(addr.0);
        addr.to_ipv4_mapped().map_or(Self::V6(addr), Self::V4)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        IpAddr::from(*self).fmt(f)
    }
}
