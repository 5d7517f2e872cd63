//! The prefix of a rack.

use ipnet::Ipv6Net;

use crate::location::RackNumber;
use crate::prefix::{AzPrefix, PrefixError, address, of_length, split, text_of_prefix};

/// The /56 of a rack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RackPrefix {
    az: AzPrefix,
    rack: RackNumber,
}

impl RackPrefix {
    /// The length in bits.
    pub const LENGTH: u8 = 56;

    /// The prefix of this rack of this AZ.
    #[must_use]
    pub const fn new(az: AzPrefix, rack: RackNumber) -> Self {
        Self { az, rack }
    }

    /// The AZ that the rack is of.
    #[must_use]
    pub const fn az(self) -> AzPrefix {
        self.az
    }

    /// The rack's number.
    #[must_use]
    pub const fn rack(self) -> RackNumber {
        self.rack
    }

    /// The prefix.
    #[must_use]
    pub fn net(self) -> Ipv6Net {
        Ipv6Net::new_assert(address(self.az, self.rack.get(), 0, 0), Self::LENGTH)
    }
}

impl TryFrom<Ipv6Net> for RackPrefix {
    type Error = PrefixError;

    fn try_from(net: Ipv6Net) -> Result<Self, Self::Error> {
        let (az, rack, _) = split(of_length(net, Self::LENGTH)?.addr())?;
        let rack = RackNumber::new(rack).map_err(|_| PrefixError::Rack(rack))?;
        Ok(Self { az, rack })
    }
}

text_of_prefix!(RackPrefix);

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn text_is_the_prefix() {
        let prefix: RackPrefix = "fd00:1122:3344:100::/56".parse().unwrap();
        assert_eq!(prefix.rack().get(), 1);
        assert_eq!(prefix.to_string(), "fd00:1122:3344:100::/56");
        assert_eq!(RackPrefix::new(prefix.az(), prefix.rack()), prefix);
    }

    #[test]
    fn racks_00_and_ff_have_no_prefix() {
        let error = |text: &str| text.parse::<RackPrefix>().unwrap_err();
        assert_eq!(error("fd00:1122:3344::/56"), PrefixError::Rack(0));
        assert_eq!(error("fd00:1122:3344:ff00::/56"), PrefixError::Rack(0xff));
        assert_eq!(error("fd00:1122:3344:101::/56"), PrefixError::HostBits);
    }
}
