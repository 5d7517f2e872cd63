//! The prefix of a node.

use core::net::Ipv6Addr;

use ipnet::Ipv6Net;

use crate::location::{NodeNumber, RackNumber};
use crate::prefix::{AzPrefix, PrefixError, RackPrefix, address, of_length, split, text_of_prefix};

/// The /64 of a sled or switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodePrefix {
    rack: RackPrefix,
    node: NodeNumber,
}

impl NodePrefix {
    /// The length in bits.
    pub const LENGTH: u8 = 64;

    /// The prefix of this node of this rack.
    #[must_use]
    pub const fn new(rack: RackPrefix, node: NodeNumber) -> Self {
        Self { rack, node }
    }

    /// The prefix of the node that the address is of.
    ///
    /// # Errors
    /// Where the address is not of a node.
    pub fn of(addr: Ipv6Addr) -> Result<Self, PrefixError> {
        let (az, rack, node) = split(addr)?;
        let rack = RackNumber::new(rack).map_err(|_| PrefixError::Rack(rack))?;
        let node = NodeNumber::new(node).map_err(|_| PrefixError::Node(node))?;
        Ok(Self {
            rack: RackPrefix::new(az, rack),
            node,
        })
    }

    /// The AZ that the node is of.
    #[must_use]
    pub const fn az(self) -> AzPrefix {
        self.rack.az()
    }

    /// The rack that the node is of.
    #[must_use]
    pub const fn rack(self) -> RackPrefix {
        self.rack
    }

    /// The node's number.
    #[must_use]
    pub const fn node(self) -> NodeNumber {
        self.node
    }

    /// The node's own address and tunnel end point: `::1` of the prefix, on loopback.
    #[must_use]
    pub fn tunnel_endpoint(self) -> Ipv6Addr {
        address(self.az(), self.rack.rack().get(), self.node.get(), 1)
    }

    /// The prefix.
    #[must_use]
    pub fn net(self) -> Ipv6Net {
        let network = address(self.az(), self.rack.rack().get(), self.node.get(), 0);
        Ipv6Net::new_assert(network, Self::LENGTH)
    }
}

impl TryFrom<Ipv6Net> for NodePrefix {
    type Error = PrefixError;

    fn try_from(net: Ipv6Net) -> Result<Self, Self::Error> {
        Self::of(of_length(net, Self::LENGTH)?.addr())
    }
}

text_of_prefix!(NodePrefix);

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tunnel_endpoint_is_1_of_the_prefix() {
        let prefix: NodePrefix = "fd00:1122:3344:10d::/64".parse().unwrap();
        assert_eq!(prefix.rack().rack().get(), 0x01);
        assert_eq!(prefix.node().get(), 0x0d);
        assert_eq!(
            prefix.tunnel_endpoint().to_string(),
            "fd00:1122:3344:10d::1"
        );
    }

    #[test]
    fn the_service_rack_holds_no_node() {
        let error = |text: &str| text.parse::<NodePrefix>().unwrap_err();
        assert_eq!(error("fd00:1122:3344:ff01::/64"), PrefixError::Rack(0xff));
        assert_eq!(error("fd00:1122:3344:1ff::/64"), PrefixError::Node(0xff));
        assert_eq!(error("fd00:1122:3344:100::/64"), PrefixError::Node(0));
    }

    proptest! {
        #[test]
        fn an_address_gives_back_its_node(
            id: [u8; 5], rack in 1_u8..=0xfe, node in 1_u8..=0xfe, host: u64,
        ) {
            let [a, b, c, d, e] = id;
            let az = AzPrefix::new([0xfd, a, b, c, d, e]).unwrap();
            let rack = RackPrefix::new(az, RackNumber::new(rack).unwrap());
            let prefix = NodePrefix::new(rack, NodeNumber::new(node).unwrap());
            let addr = Ipv6Addr::from(u128::from(prefix.net().addr()) | u128::from(host));
            prop_assert_eq!(NodePrefix::of(addr), Ok(prefix));
            prop_assert_eq!(prefix.to_string().parse(), Ok(prefix));
            prop_assert!(rack.net().contains(&prefix.net()) && az.contains(addr));
        }
    }
}
