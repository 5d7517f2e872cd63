//! ARP and neighbour discovery: who claims which address.

use super::inner::{addr6, be16, mac};
use super::{ETHERTYPE_IPV4, Parsed};
use crate::addr::Addr;
use crate::drop_reason::DropReason;

/// Reads an ARP packet for Ethernet and IPv4 (RFC 826).
pub(super) fn arp(bytes: &[u8], parsed: &mut Parsed) -> Result<(), DropReason> {
    let l3 = usize::from(parsed.l3);
    let arp = bytes.get(l3..l3 + 28).ok_or(DropReason::ArpHeader)?;
    // Ethernet, IPv4, address lengths 6 and 4.
    if be16(arp, 0) != Some(1) || be16(arp, 2) != Some(ETHERTYPE_IPV4) || arp[4..6] != [6, 4] {
        return Err(DropReason::ArpHeader);
    }
    let operation = be16(arp, 6).ok_or(DropReason::ArpHeader)?;
    parsed.protocol = u8::try_from(operation).map_err(|_| DropReason::ArpHeader)?;
    parsed.link_layer = mac(arp, 8);
    parsed.src = Addr::v4(u32::from_be_bytes([arp[14], arp[15], arp[16], arp[17]]));
    parsed.dst = Addr::v4(u32::from_be_bytes([arp[24], arp[25], arp[26], arp[27]]));
    parsed.l4 = parsed.l3;
    parsed.end = u32::from(parsed.l3) + 28;
    Ok(())
}

/// Reads a neighbour discovery message (RFC 4861, sections 4 and 6.1, 7.1).
pub(super) fn discovery(message: &[u8], parsed: &mut Parsed) -> Result<(), DropReason> {
    // "The IP Hop Limit field has a value of 255, i.e., the packet could not possibly have been forwarded by a router."
    if parsed.ttl != 255 || parsed.icmp_code != 0 || parsed.fragment.is_some() {
        return Err(DropReason::NeighborDiscovery);
    }
    let options_at = match parsed.icmp_type {
        133 => 8,
        134 => 16,
        135 | 136 => {
            parsed.nd_target = addr6(message, 8).ok_or(DropReason::NeighborDiscovery)?;
            24
        }
        _ => 40,
    };
    let mut options = message
        .get(options_at..)
        .ok_or(DropReason::NeighborDiscovery)?;
    while !options.is_empty() {
        let len = options.get(1).map_or(0, |units| usize::from(*units) * 8);
        // "All included options have a length that is greater than zero."
        if len == 0 || len > options.len() {
            return Err(DropReason::NeighborDiscovery);
        }
        // Source (1) and target (2) link-layer address: what the sender claims.
        let claims = match parsed.icmp_type {
            136 => options[0] == 2,
            _ => options[0] == 1,
        };
        if claims && parsed.link_layer.is_none() {
            parsed.link_layer = mac(options, 2);
        }
        options = &options[len..];
    }
    Ok(())
}
