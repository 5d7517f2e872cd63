//! The one table of reserved addresses and numbers: nobody else writes one of these down.

use core::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::mac::MacAddr;
use crate::mtu::Mtu;
use crate::vni::Vni;

/// The longest prefix of an IPv4 subnet: a /29 has two addresses left for guests, a /30 none.
pub const IPV4_SUBNET_MAX_LEN: u8 = 29;

/// What an address that no guest may have in its IPv4 subnet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReservedIpv4 {
    /// The subnet's own address, offset 0.
    Network,
    /// The gateway, offset 1.
    Gateway,
    /// The DNS server, offset 2.
    Dns,
    /// Kept for later use, offsets 3 and 4.
    Kept,
    /// The broadcast address, the last one.
    Broadcast,
}

/// What the address is reserved for in the subnet; `None` where a guest may have it, or where it
/// is not of the subnet.
#[must_use]
pub fn ipv4_in_subnet(subnet: Ipv4Net, addr: Ipv4Addr) -> Option<ReservedIpv4> {
    if !subnet.contains(&addr) {
        return None;
    }
    match u32::from(addr) - u32::from(subnet.network()) {
        0 => Some(ReservedIpv4::Network),
        _ if addr == subnet.broadcast() => Some(ReservedIpv4::Broadcast),
        1 => Some(ReservedIpv4::Gateway),
        2 => Some(ReservedIpv4::Dns),
        3 | 4 => Some(ReservedIpv4::Kept),
        _ => None,
    }
}

/// The gateway of an IPv4 subnet; `None` where the subnet is too small for any guest.
#[must_use]
pub fn ipv4_gateway(subnet: Ipv4Net) -> Option<Ipv4Addr> {
    ipv4_at(subnet, 1)
}

/// The DNS server of an IPv4 subnet; `None` where the subnet is too small for any guest.
#[must_use]
pub fn ipv4_dns(subnet: Ipv4Net) -> Option<Ipv4Addr> {
    ipv4_at(subnet, 2)
}

fn ipv4_at(subnet: Ipv4Net, offset: u32) -> Option<Ipv4Addr> {
    let fits = subnet.prefix_len() <= IPV4_SUBNET_MAX_LEN;
    fits.then(|| Ipv4Addr::from(u32::from(subnet.network()) + offset))
}

/// The longest prefix of an IPv6 subnet: interface identifiers have 64 bits (RFC 4291, section
/// 2.5.1), without which there is no SLAAC.
pub const IPV6_SUBNET_MAX_LEN: u8 = 64;

/// What an address that no guest may have in its IPv6 subnet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReservedIpv6 {
    /// The subnet-router anycast address, offset 0 (RFC 4291, section 2.6.1).
    SubnetRouter,
    /// The DNS server, offset 2.
    Dns,
}

/// What the address is reserved for in the subnet; `None` where a guest may have it, or where it
/// is not of the subnet.
#[must_use]
pub fn ipv6_in_subnet(subnet: Ipv6Net, addr: Ipv6Addr) -> Option<ReservedIpv6> {
    if addr == subnet.network() {
        Some(ReservedIpv6::SubnetRouter)
    } else if Some(addr) == ipv6_dns(subnet) {
        Some(ReservedIpv6::Dns)
    } else {
        None
    }
}

/// The DNS server of an IPv6 subnet; `None` where the prefix is longer than a subnet's.
#[must_use]
pub fn ipv6_dns(subnet: Ipv6Net) -> Option<Ipv6Addr> {
    let fits = subnet.prefix_len() <= IPV6_SUBNET_MAX_LEN;
    fits.then(|| Ipv6Addr::from(u128::from(subnet.network()) + 2))
}

/// The gateway of every IPv6 subnet.
pub const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
/// The metadata service over IPv4, where cloud-init looks.
pub const METADATA_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// The metadata service over IPv6, where cloud-init looks.
pub const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254);

/// The gateway's Ethernet address, the same for every guest.
pub const GATEWAY_MAC: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0xff, 0xff, 0x01]);
/// The first octets of every guest's Ethernet address: locally administered, unicast.
pub const GUEST_MAC_PREFIX: [u8; 3] = [0x02, 0x72, 0x77];

/// Whether a guest may have this Ethernet address.
#[must_use]
pub fn is_guest_mac(mac: MacAddr) -> bool {
    mac.octets().starts_with(&GUEST_MAC_PREFIX) && mac != GATEWAY_MAC
}

/// Boundary services: what goes to and comes from the customer's network.
pub const BOUNDARY_VNI: Vni = Vni::BOUNDARY;
/// The first identifier that a VPC may have: those below are the system's.
pub const FIRST_VPC_VNI: u32 = 1024;

/// The UDP port of Geneve (RFC 8926, section 3.3).
pub const GENEVE_PORT: u16 = 6081;
/// The class of our Geneve options, experimental (RFC 8926, section 7).
pub const GENEVE_OPTION_CLASS: u16 = 0xff52;
/// To or from an external address; critical, empty.
pub const GENEVE_OPTION_EXTERNAL: u8 = 0x81;
/// The segment size of a superframe, 16 bits.
pub const GENEVE_OPTION_MSS: u8 = 0x02;
/// The sending port, a [`PortId`](crate::PortId).
pub const GENEVE_OPTION_SOURCE: u8 = 0x03;
/// The path taken, 16 bits, and the time of sending, 64 bits.
pub const GENEVE_OPTION_PATH: u8 = 0x04;
/// The octets that Geneve options may take.
pub const GENEVE_OPTIONS_MAX: u16 = 24;
/// The octets of an underlay packet before the guest's own, without Geneve options: IPv6, UDP,
/// Geneve, and the guest's Ethernet header.
pub const ENCAPSULATION_LEN: u16 = 40 + 8 + 8 + 14;

/// The MTU of guests where nothing else is said.
pub const GUEST_MTU: Mtu = Mtu::fixed::<1500>();
/// The MTU of the underlay where nothing else is said; one value per AZ.
pub const UNDERLAY_MTU: Mtu = Mtu::fixed::<9000>();
/// The least MTU that an underlay may have: it carries guests of [`GUEST_MTU`].
pub const UNDERLAY_MTU_FLOOR: Mtu = Mtu::fixed::<1600>();

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn ipv4_subnet_keeps_six_addresses() {
        let subnet: Ipv4Net = "10.0.0.0/29".parse().unwrap();
        let found: Vec<_> = (0..8)
            .map(|n| ipv4_in_subnet(subnet, [10, 0, 0, n].into()))
            .collect();
        let expected = [
            Some(ReservedIpv4::Network),
            Some(ReservedIpv4::Gateway),
            Some(ReservedIpv4::Dns),
            Some(ReservedIpv4::Kept),
            Some(ReservedIpv4::Kept),
            None,
            None,
            Some(ReservedIpv4::Broadcast),
        ];
        assert_eq!(found, expected);
        assert_eq!(ipv4_in_subnet(subnet, [10, 0, 1, 0].into()), None);
    }

    #[test]
    fn ipv4_gateway_counts_from_the_network() {
        let subnet: Ipv4Net = "172.30.4.77/22".parse().unwrap();
        assert_eq!(ipv4_gateway(subnet), Some([172, 30, 4, 1].into()));
        assert_eq!(ipv4_dns(subnet), Some([172, 30, 4, 2].into()));
        assert_eq!(ipv4_gateway("10.0.0.0/30".parse().unwrap()), None);
        assert_eq!(ipv4_dns("255.255.255.255/32".parse().unwrap()), None);
    }

    #[test]
    fn ipv6_dns_is_2_of_the_prefix() {
        let subnet: Ipv6Net = "fd12:3456:789a:1::/64".parse().unwrap();
        let dns = ipv6_dns(subnet).unwrap();
        assert_eq!(dns.to_string(), "fd12:3456:789a:1::2");
        assert_eq!(ipv6_in_subnet(subnet, dns), Some(ReservedIpv6::Dns));
        assert_eq!(
            ipv6_in_subnet(subnet, subnet.addr()),
            Some(ReservedIpv6::SubnetRouter)
        );
        assert_eq!(
            ipv6_in_subnet(subnet, "fd12:3456:789a:1::3".parse().unwrap()),
            None
        );
        assert_eq!(ipv6_dns("::/65".parse().unwrap()), None);
    }

    #[test]
    fn the_gateway_is_no_guest() {
        assert_eq!(GATEWAY_MAC.to_string(), "02:72:77:ff:ff:01");
        assert!(!is_guest_mac(GATEWAY_MAC));
        assert!(is_guest_mac("02:72:77:00:00:01".parse().unwrap()));
        assert!(!is_guest_mac("02:72:78:00:00:01".parse().unwrap()));
    }

    #[test]
    fn addresses_are_those_of_the_contract() {
        assert_eq!(METADATA_V4.to_string(), "169.254.169.254");
        assert_eq!(METADATA_V6.to_string(), "fd00:ec2::254");
        assert_eq!(GATEWAY_V6.to_string(), "fe80::1");
        assert_eq!(ENCAPSULATION_LEN, 70);
    }
}
