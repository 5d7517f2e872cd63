//! Numbers of the protocols that rules ask for.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

pub(crate) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(crate) const ETHERTYPE_ARP: u16 = 0x0806;
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86dd;

pub(crate) const PROTOCOL_ICMP: u8 = 1;
pub(crate) const PROTOCOL_TCP: u8 = 6;
pub(crate) const PROTOCOL_UDP: u8 = 17;
pub(crate) const PROTOCOL_ICMPV6: u8 = 58;

/// The operation of an ARP packet stands where IP has its protocol.
pub(crate) const ARP_REQUEST: u8 = 1;

pub(crate) const ICMP_ECHO_REQUEST: u8 = 8;
pub(crate) const ICMPV6_ECHO_REQUEST: u8 = 128;
pub(crate) const ICMPV6_MLD2_REPORT: u8 = 143;
pub(crate) const ND_ROUTER_SOLICITATION: u8 = 133;
pub(crate) const ND_ROUTER_ADVERTISEMENT: u8 = 134;
pub(crate) const ND_NEIGHBOR_SOLICITATION: u8 = 135;
pub(crate) const ND_NEIGHBOR_ADVERTISEMENT: u8 = 136;
pub(crate) const ND_REDIRECT: u8 = 137;

pub(crate) const PORT_DNS: u16 = 53;
pub(crate) const PORT_DHCP_SERVER: u16 = 67;
pub(crate) const PORT_DHCP_CLIENT: u16 = 68;
pub(crate) const PORT_HTTP: u16 = 80;
pub(crate) const PORT_DHCPV6_CLIENT: u16 = 546;
pub(crate) const PORT_DHCPV6_SERVER: u16 = 547;

/// All DHCP relay agents and servers (RFC 8415, section 7.1).
pub(crate) const DHCPV6_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// Link-local unicast (RFC 4291, section 2.5.6).
pub(crate) const LINK_LOCAL_V6: Ipv6Net =
    Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10);
/// Link-local unicast (RFC 3927).
pub(crate) const LINK_LOCAL_V4: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16);
/// Multicast of both families (RFC 5771; RFC 4291, section 2.7).
pub(crate) const MULTICAST: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4)),
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0),
        8,
    )),
];
/// What no packet on a network has as source or destination (RFC 1122, section 3.2.1.3; RFC 4291,
/// section 2.5), multicast and link-local apart.
pub(crate) const MARTIAN: [IpNet; 5] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
];

/// The prefix of one address.
pub(crate) fn host(addr: impl Into<IpAddr>) -> IpNet {
    addr.into().into()
}

/// The Ethernet type of packets with this address.
pub(crate) const fn ether_type(addr: IpAddr) -> u16 {
    match addr {
        IpAddr::V4(_) => ETHERTYPE_IPV4,
        IpAddr::V6(_) => ETHERTYPE_IPV6,
    }
}
