//! What guests are told by DHCP and router advertisements.
//!
//! A guest must come up with exactly its addresses, whatever configures it, for any other source
//! is dropped as forged:
//! - IPv4 by DHCP with a mask of 32 bits: no neighbour is on the link, everything goes to the
//!   gateway, to which a classless route (RFC 3442) leads.
//! - IPv6 by DHCPv6 (the M flag), which can say any address.
//! - SLAAC besides (the A flag) only for a prefix in which the guest's address *is* the one that
//!   SLAAC makes of its Ethernet address: a kernel without a DHCPv6 client has it then, and one
//!   with a client gets the same address twice. In any other prefix SLAAC would give an address
//!   that is not the guest's, so that the prefix is not advertised. No prefix is on-link.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use rackweave_engine::respond::{AdvertisedPrefix, Dhcp4, Dhcp6, RouterAdvert};
use rackweave_types::state::DomainName;
use rackweave_types::{MacAddr, reserved};

use crate::network::Network;

/// The longest life of a default router (RFC 8319, section 4). Advertisements answer
/// solicitations; the agent repeats them before this many seconds are over.
const ROUTER_LIFETIME: u16 = u16::MAX;
/// "A value of all one bits (0xffffffff) represents infinity" (RFC 4861, section 4.6.2): the
/// address is the guest's as long as it has the NIC.
const PREFIX_LIFETIME: u32 = u32::MAX;

/// The DHCPv4 server of a port that has IPv4.
pub(crate) fn dhcp4(network: Network<'_>) -> Option<Dhcp4> {
    let port = network.port;
    let gateway = network.gateways_v4().next()?;
    Some(Dhcp4 {
        mac: reserved::GATEWAY_MAC,
        server: gateway,
        client: port.mac,
        address: network.primary_v4()?,
        prefix_len: 32,
        gateway,
        routes: vec![
            (Ipv4Net::from(gateway), Ipv4Addr::UNSPECIFIED),
            (Ipv4Net::from(reserved::METADATA_V4), gateway),
        ],
        dns: dns(network).into_iter().filter_map(as_v4).collect(),
        domain: port.dhcp.domain.as_ref().map(ToString::to_string),
        search: search(&port.dhcp.search),
        hostname: port.dhcp.hostname.as_ref().map(ToString::to_string),
        mtu: port.mtu.get(),
        lease: port.dhcp.lease.as_secs(),
    })
}

/// The DHCPv6 server of a port.
pub(crate) fn dhcp6(network: Network<'_>) -> Dhcp6 {
    let port = network.port;
    Dhcp6 {
        mac: reserved::GATEWAY_MAC,
        server: reserved::GATEWAY_V6,
        client: port.mac,
        addresses: network.addresses_v6().collect(),
        dns: dns(network).into_iter().filter_map(as_v6).collect(),
        search: search(&port.dhcp.search),
        lease: port.dhcp.lease.as_secs(),
    }
}

/// What the router says to a port.
pub(crate) fn router_advert(network: Network<'_>) -> RouterAdvert {
    let port = network.port;
    let mut prefixes: Vec<AdvertisedPrefix> = Vec::new();
    for subnet in network.subnets().filter_map(|subnet| subnet.ipv6) {
        let made = slaac_address(subnet, port.mac);
        if network.addresses_v6().any(|addr| addr == made) {
            prefixes.push(AdvertisedPrefix {
                prefix: subnet,
                on_link: false,
                autonomous: true,
                lifetime: PREFIX_LIFETIME,
            });
        }
    }
    RouterAdvert {
        mac: reserved::GATEWAY_MAC,
        router: reserved::GATEWAY_V6,
        lifetime: ROUTER_LIFETIME,
        managed: true,
        other: true,
        mtu: port.mtu.get(),
        prefixes,
        dns: dns(network).into_iter().filter_map(as_v6).collect(),
        search: search(&port.dhcp.search),
    }
}

/// The address that SLAAC makes of an Ethernet address in a prefix of 64 bits (RFC 4291, appendix
/// A: modified EUI-64). Who allocates addresses gives this one to guests without DHCPv6.
#[must_use]
pub fn slaac_address(prefix: Ipv6Net, mac: MacAddr) -> Ipv6Addr {
    let mac = mac.octets();
    let vendor = [mac[0] ^ 0x02, mac[1], mac[2]];
    let interface = u64::from_be_bytes([
        vendor[0], vendor[1], vendor[2], 0xff, 0xfe, mac[3], mac[4], mac[5],
    ]);
    Ipv6Addr::from_bits(prefix.network().to_bits() | u128::from(interface))
}

/// The DNS servers a guest is told: those that were set, else those of its subnets.
fn dns(network: Network<'_>) -> Vec<IpAddr> {
    let set = &network.port.dhcp.dns;
    if set.is_empty() {
        network.subnet_dns().collect()
    } else {
        set.clone()
    }
}

fn search(names: &[DomainName]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn as_v4(addr: IpAddr) -> Option<Ipv4Addr> {
    if let IpAddr::V4(addr) = addr {
        Some(addr)
    } else {
        None
    }
}

fn as_v6(addr: IpAddr) -> Option<Ipv6Addr> {
    if let IpAddr::V6(addr) = addr {
        Some(addr)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slaac_makes_a_modified_eui_64() {
        // RFC 4291, appendix A: the universal/local bit is inverted, fffe stands in the middle.
        let mac = MacAddr::new([0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]);
        let made = slaac_address("fd00:1::/64".parse().unwrap(), mac);
        assert_eq!(
            made,
            "fd00:1::3656:78ff:fe9a:bcde".parse::<Ipv6Addr>().unwrap()
        );
    }
}
