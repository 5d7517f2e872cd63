//! The prefix of an AZ.

use core::net::Ipv6Addr;

use ipnet::Ipv6Net;

use crate::prefix::{PrefixError, address, of_length, split, text_of_prefix};
use crate::reserved;

/// The /48 of an AZ (availability zone), a locally assigned ULA (RFC 4193, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AzPrefix([u8; 6]);

impl AzPrefix {
    /// The length in bits.
    pub const LENGTH: u8 = 48;

    /// The AZ with these leading octets.
    ///
    /// # Errors
    /// Where they are not within `fd00::/8`, or are those of the metadata address.
    pub fn new(octets: [u8; 6]) -> Result<Self, PrefixError> {
        let az = Self(octets);
        if octets[0] != 0xfd {
            Err(PrefixError::NotUla)
        } else if az.contains(reserved::METADATA_V6) {
            Err(PrefixError::HoldsMetadata)
        } else {
            Ok(az)
        }
    }

    /// The leading octets.
    #[must_use]
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Whether the address is of this AZ.
    #[must_use]
    pub fn contains(self, addr: Ipv6Addr) -> bool {
        addr.octets().starts_with(&self.0)
    }

    /// The prefix.
    #[must_use]
    pub fn net(self) -> Ipv6Net {
        Ipv6Net::new_assert(address(self, 0, 0, 0), Self::LENGTH)
    }
}

impl TryFrom<Ipv6Net> for AzPrefix {
    type Error = PrefixError;

    fn try_from(net: Ipv6Net) -> Result<Self, Self::Error> {
        Ok(split(of_length(net, Self::LENGTH)?.addr())?.0)
    }
}

text_of_prefix!(AzPrefix);

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn text_is_the_prefix() {
        let az: AzPrefix = "fd00:1122:3344::/48".parse().unwrap();
        assert_eq!(az.octets(), [0xfd, 0x00, 0x11, 0x22, 0x33, 0x44]);
        assert_eq!(az.to_string(), "fd00:1122:3344::/48");
        let json = serde_json::to_string(&az).unwrap();
        assert_eq!(serde_json::from_str::<AzPrefix>(&json).unwrap(), az);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let error = |text: &str| text.parse::<AzPrefix>().unwrap_err();
        assert_eq!(error("fd00:1:2::"), PrefixError::NotAPrefix);
        assert_eq!(
            error("fd00:1:2::/56"),
            PrefixError::Length {
                expected: 48,
                found: 56
            }
        );
        assert_eq!(error("fd00:1:2:3::/48"), PrefixError::HostBits);
        assert_eq!(error("fc00:1:2::/48"), PrefixError::NotUla);
        assert_eq!(error("2001:db8:2::/48"), PrefixError::NotUla);
        assert_eq!(error("fd00:ec2::/48"), PrefixError::HoldsMetadata);
    }
}
