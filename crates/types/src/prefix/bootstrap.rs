//! The prefix that a node gives itself.

use core::net::Ipv6Addr;

use ipnet::Ipv6Net;

use crate::mac::MacAddr;
use crate::prefix::{PrefixError, of_length, text_of_prefix};

/// The /64 of a node on the bootstrap network: `fdb0` and the node's hardware address.
///
/// A node makes it before it knows anything; it never leaves the rack (seed "Bootstrap Network").
///
/// ```
/// use rackweave_types::{BootstrapPrefix, MacAddr};
/// let mac: MacAddr = "a8:40:25:10:00:01".parse().unwrap();
/// assert_eq!(BootstrapPrefix::new(mac).to_string(), "fdb0:a840:2510:1::/64");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootstrapPrefix(MacAddr);

impl BootstrapPrefix {
    /// The length in bits.
    pub const LENGTH: u8 = 64;
    /// The first two octets.
    pub const SPACE: [u8; 2] = [0xfd, 0xb0];

    /// The prefix of the node with this hardware address.
    #[must_use]
    pub const fn new(hardware: MacAddr) -> Self {
        Self(hardware)
    }

    /// The prefix that the address is of.
    ///
    /// # Errors
    /// [`PrefixError::NotBootstrap`].
    pub fn of(addr: Ipv6Addr) -> Result<Self, PrefixError> {
        let octets = addr.octets();
        if octets[..2] != Self::SPACE {
            return Err(PrefixError::NotBootstrap);
        }
        let mut hardware = [0; 6];
        hardware.copy_from_slice(&octets[2..8]);
        Ok(Self(MacAddr::new(hardware)))
    }

    /// The hardware address that it is made of.
    #[must_use]
    pub const fn hardware(self) -> MacAddr {
        self.0
    }

    /// The first address, which the node has on loopback.
    #[must_use]
    pub fn address(self) -> Ipv6Addr {
        self.with_last(1)
    }

    /// The prefix.
    #[must_use]
    pub fn net(self) -> Ipv6Net {
        Ipv6Net::new_assert(self.with_last(0), Self::LENGTH)
    }

    fn with_last(self, last: u8) -> Ipv6Addr {
        let mut octets = [0; 16];
        octets[..2].copy_from_slice(&Self::SPACE);
        octets[2..8].copy_from_slice(&self.0.octets());
        octets[15] = last;
        Ipv6Addr::from(octets)
    }
}

impl TryFrom<Ipv6Net> for BootstrapPrefix {
    type Error = PrefixError;

    fn try_from(net: Ipv6Net) -> Result<Self, Self::Error> {
        Self::of(of_length(net, Self::LENGTH)?.addr())
    }
}

text_of_prefix!(BootstrapPrefix);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_of_the_hardware_address_and_gives_it_back() {
        let hardware = MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, 1]);
        let prefix = BootstrapPrefix::new(hardware);
        assert_eq!(prefix.net(), "fdb0:a840:2510:1::/64".parse().unwrap());
        assert_eq!(
            prefix.address(),
            "fdb0:a840:2510:1::1".parse::<Ipv6Addr>().unwrap()
        );
        assert_eq!(BootstrapPrefix::of(prefix.address()), Ok(prefix));
        assert_eq!(prefix.hardware(), hardware);
    }

    #[test]
    fn other_prefixes_are_refused() {
        let parse = |text: &str| text.parse::<BootstrapPrefix>();
        assert_eq!(
            parse("fdb1:a840:2510:1::/64"),
            Err(PrefixError::NotBootstrap)
        );
        assert_eq!(
            parse("fdb0:a840::/48"),
            Err(PrefixError::Length {
                expected: 64,
                found: 48
            })
        );
    }
}
