//! Numbers that say what comes next (IANA), written down a second time: the frames are to find
//! mistakes in the crates that have them.

/// IPv4 behind Ethernet.
pub(crate) const ETHERTYPE_IPV4: u16 = 0x0800;
/// ARP behind Ethernet.
pub(crate) const ETHERTYPE_ARP: u16 = 0x0806;
/// An 802.1Q tag.
pub(crate) const ETHERTYPE_VLAN: u16 = 0x8100;
/// IPv6 behind Ethernet.
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86dd;
/// An Ethernet frame behind Geneve.
pub(crate) const ETHERTYPE_BRIDGED: u16 = 0x6558;
/// IPv6 hop-by-hop options.
pub(crate) const HOP_BY_HOP: u8 = 0;
/// ICMP behind IPv4.
pub(crate) const ICMP: u8 = 1;
/// TCP.
pub(crate) const TCP: u8 = 6;
/// UDP.
pub(crate) const UDP: u8 = 17;
/// IPv6 routing header.
pub(crate) const ROUTING: u8 = 43;
/// IPv6 fragment header.
pub(crate) const FRAGMENT: u8 = 44;
/// ICMPv6 behind IPv6.
pub(crate) const ICMPV6: u8 = 58;
/// IPv6 destination options.
pub(crate) const DESTINATION_OPTIONS: u8 = 60;
