//! Neighbour discovery: the target is at the responder's address (RFC 4861, section 7.2.4).

use rackweave_types::MacAddr;

use super::NoAnswer;
use super::packet::{HOPS_ON_LINK, Head, Link, check_upper, emit, is_host};
use crate::addr::Addr;
use crate::frame::Frame;
use crate::parse::{Parsed, protocol};

/// ICMPv6 types (RFC 4861, sections 4.3 and 4.4).
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// Flags of an advertisement.
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;
/// Option type of a target link-layer address.
const TARGET_LINK_LAYER: u8 = 2;
/// An advertisement with one option of eight octets.
const LEN: usize = 24 + 8;

/// `ff02::1`, every node of the link, and the Ethernet address it maps to (RFC 2464, section 7).
pub(super) const ALL_NODES: Addr = Addr::from_bits(0xff02_0000_0000_0000_0000_0000_0000_0001);
pub(super) const ALL_NODES_MAC: MacAddr = MacAddr::new([0x33, 0x33, 0, 0, 0, 1]);
/// `ff02::1:ff00:0/104`, in which solicited-node addresses are (RFC 4291, section 2.7.1).
const SOLICITED_NODE: Addr = Addr::from_bits(0xff02_0000_0000_0000_0000_0001_ff00_0000);

/// Answers a neighbour solicitation: the target is at `mac`, and is a router or not.
pub(super) fn answer(
    mac: MacAddr,
    router: bool,
    frame: &mut Frame,
    parsed: &Parsed,
) -> Result<(), NoAnswer> {
    if parsed.is_v4() || parsed.protocol != protocol::ICMPV6 || parsed.icmp_type != SOLICITATION {
        return Err(NoAnswer::NotForUs);
    }
    let target = parsed.nd_target;
    if !is_host(target) {
        return Err(NoAnswer::Malformed("target address"));
    }
    let solicited_node = Addr::from_bits(SOLICITED_NODE.bits() | (target.bits() & 0xff_ffff));
    if parsed.dst != target && parsed.dst != solicited_node {
        return Err(NoAnswer::Malformed("destination address"));
    }
    check_upper(frame, parsed)?;
    let flags = OVERRIDE | if router { ROUTER } else { 0 };
    let (dst, dst_mac, flags) = if parsed.src == Addr::NONE {
        // RFC 4861, section 7.1.1: from the unspecified address (duplicate address detection) it
        // goes to the solicited-node address, and has no source link-layer address.
        if parsed.dst != solicited_node || parsed.link_layer.is_some() {
            return Err(NoAnswer::Malformed("source address"));
        }
        (ALL_NODES, ALL_NODES_MAC, flags)
    } else {
        let asker = parsed.link_layer.unwrap_or(parsed.src_mac);
        if !is_host(parsed.src) || asker.is_multicast() {
            return Err(NoAnswer::Malformed("source address"));
        }
        (parsed.src, asker, flags | SOLICITED)
    };
    let link = Link::new(frame, parsed, mac, dst_mac)?;
    let head = Head {
        hops: HOPS_ON_LINK,
        ..Head::new(target, dst, protocol::ICMPV6)
    };
    emit(frame, &link, &head, LEN, 2, |icmp| {
        icmp[..8].copy_from_slice(&[ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0]);
        icmp[8..24].copy_from_slice(&target.octets());
        icmp[24..26].copy_from_slice(&[TARGET_LINK_LAYER, 1]);
        icmp[26..].copy_from_slice(&mac.octets());
    })
}

#[cfg(test)]
mod tests;
