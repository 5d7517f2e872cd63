//! Neighbour discovery: the target is at the responder's address (RFC 4861, section 7.2.4).

use core::net::Ipv6Addr;
use core::slice;

use rackweave_types::MacAddr;
use rackweave_wire::icmpv6::Icmpv6Type;
use rackweave_wire::ndp::{NdpOption, NdpRepr};
use rackweave_wire::options::Options;

use super::NoAnswer;
use super::packet::{Link, check_upper, emit_ndp, is_host};
use crate::addr::Addr;
use crate::frame::Frame;
use crate::parse::{Parsed, protocol};

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
    if parsed.is_v4()
        || parsed.protocol != protocol::ICMPV6
        || Icmpv6Type(parsed.icmp_type) != Icmpv6Type::NEIGHBOR_SOLICITATION
    {
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
    let solicited = parsed.src != Addr::NONE;
    // RFC 4861, section 7.1.1: from the unspecified address (duplicate address detection) it goes
    // to the solicited-node address, and has no source link-layer address.
    if !solicited && (parsed.dst != solicited_node || parsed.link_layer.is_some()) {
        return Err(NoAnswer::Malformed("source address"));
    }
    let (dst, dst_mac) = asker(parsed)?;
    let link = Link::new(frame, parsed, mac, dst_mac)?;
    let told = NdpOption::TargetLinkLayer(mac);
    let options = Options::new(slice::from_ref(&told)).map_err(|_| NoAnswer::NoRoom)?;
    let message = NdpRepr::NeighborAdvertisement {
        target: Ipv6Addr::from_bits(target.bits()),
        is_router: router,
        solicited,
        overrides: true,
        options,
    };
    emit_ndp(frame, &link, target, dst, &message)
}

/// Where the answer to a solicitation goes: to the solicitor or, where it has no address yet, to
/// all nodes (RFC 4861, sections 6.2.6 and 7.2.4).
pub(super) fn asker(parsed: &Parsed) -> Result<(Addr, MacAddr), NoAnswer> {
    if parsed.src == Addr::NONE {
        return Ok((ALL_NODES, ALL_NODES_MAC));
    }
    let mac = parsed.link_layer.unwrap_or(parsed.src_mac);
    if !is_host(parsed.src) || mac.is_multicast() {
        return Err(NoAnswer::Malformed("source address"));
    }
    Ok((parsed.src, mac))
}

#[cfg(test)]
mod tests;
