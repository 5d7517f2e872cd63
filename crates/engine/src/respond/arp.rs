//! ARP: the target is at the responder's address (RFC 826), also for probes (RFC 5227).

use rackweave_types::MacAddr;

use super::NoAnswer;
use super::packet::Link;
use crate::addr::Addr;
use crate::frame::{Frame, Offload};
use crate::parse::{ETHERTYPE_ARP, Parsed};

/// ARP operations (RFC 826).
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
/// Length of an ARP packet for Ethernet and IPv4.
const LEN: usize = 28;

/// Answers an ARP request: the target is at `mac`.
pub(super) fn answer(mac: MacAddr, frame: &mut Frame, parsed: &Parsed) -> Result<(), NoAnswer> {
    if parsed.ether_type != ETHERTYPE_ARP || parsed.protocol != REQUEST {
        return Err(NoAnswer::NotForUs);
    }
    if parsed.dst_mac != mac && !parsed.dst_mac.is_broadcast() {
        return Err(NoAnswer::NotForUs);
    }
    let asker = parsed
        .link_layer
        .ok_or(NoAnswer::Malformed("sender hardware address"))?;
    if asker.is_multicast() || asker == MacAddr::ZERO {
        return Err(NoAnswer::Malformed("sender hardware address"));
    }
    // RFC 5227, section 3: an announcement tells of the sender's own address and asks nothing.
    if parsed.src == parsed.dst {
        return Err(NoAnswer::NothingToSay);
    }
    let link = Link::new(frame, parsed, mac, asker)?;
    let l3 = usize::from(parsed.l3);
    if frame.len() < l3 + LEN {
        return Err(NoAnswer::Malformed("length"));
    }
    frame.truncate(l3 + LEN);
    frame.offload = Offload::default();
    let (header, arp) = frame.bytes_mut().split_at_mut(l3);
    header.copy_from_slice(link.octets());
    arp[6..8].copy_from_slice(&[0, REPLY]);
    put(&mut arp[8..18], mac, parsed.dst);
    put(&mut arp[18..28], asker, parsed.src);
    Ok(())
}

/// Writes a pair of hardware and protocol address.
fn put(out: &mut [u8], mac: MacAddr, addr: Addr) {
    out[..6].copy_from_slice(&mac.octets());
    out[6..].copy_from_slice(&addr.octets()[12..]);
}

#[cfg(test)]
mod tests;
