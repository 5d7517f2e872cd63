//! Router advertisements: what the link is, to whoever asks (RFC 4861, section 6.2.6; RFC 8106).

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use super::neighbor::{ALL_NODES, ALL_NODES_MAC};
use super::packet::{HOPS, HOPS_ON_LINK, Head, Link, check_upper, emit, is_host};
use super::{NoAnswer, RouterAdvert, name};
use crate::addr::Addr;
use crate::frame::Frame;
use crate::parse::{ETHERTYPE_IPV6, Parsed, protocol};

/// ICMPv6 types (RFC 4861, sections 4.1 and 4.2).
const SOLICITATION: u8 = 133;
const ADVERTISEMENT: u8 = 134;
/// Flags of an advertisement, and of a prefix in it.
const MANAGED: u8 = 0x80;
const OTHER: u8 = 0x40;
const ON_LINK: u8 = 0x80;
const AUTONOMOUS: u8 = 0x40;
/// Option types (RFC 4861, section 4.6; RFC 8106, section 5).
const SOURCE_LINK_LAYER: u8 = 1;
const PREFIX: u8 = 3;
const MTU: u8 = 5;
const RDNSS: u8 = 25;
const DNSSL: u8 = 31;

/// `ff02::2`, every router of the link.
const ALL_ROUTERS: Addr = Addr::from_bits(0xff02_0000_0000_0000_0000_0000_0000_0002);
/// The least MTU of an IPv6 link (RFC 8200, section 5).
const MIN_MTU: u16 = 1280;

/// Answers a router solicitation, to the solicitor or, where it has no address yet, to all nodes.
pub(super) fn answer(
    advert: &RouterAdvert,
    frame: &mut Frame,
    parsed: &Parsed,
) -> Result<(), NoAnswer> {
    if parsed.is_v4() || parsed.protocol != protocol::ICMPV6 || parsed.icmp_type != SOLICITATION {
        return Err(NoAnswer::NotForUs);
    }
    let router = Addr::from(advert.router);
    if parsed.dst != ALL_ROUTERS && parsed.dst != router {
        return Err(NoAnswer::NotForUs);
    }
    check_upper(frame, parsed)?;
    let (dst, dst_mac) = if parsed.src == Addr::NONE {
        // RFC 4861, section 6.1.1: "If the IP source address is the unspecified address, there is
        // no source link-layer address option in the message."
        if parsed.link_layer.is_some() {
            return Err(NoAnswer::Malformed("source address"));
        }
        (ALL_NODES, ALL_NODES_MAC)
    } else {
        let asker = parsed.link_layer.unwrap_or(parsed.src_mac);
        if !is_host(parsed.src) || asker.is_multicast() {
            return Err(NoAnswer::Malformed("source address"));
        }
        (parsed.src, asker)
    };
    let link = Link::new(frame, parsed, advert.mac, dst_mac)?;
    advertise(advert, frame, &link, dst)
}

/// Makes the advertisement that nobody asked for, to all nodes of the link.
pub(super) fn unsolicited(advert: &RouterAdvert, frame: &mut Frame) -> Result<(), NoAnswer> {
    let link = Link::untagged(advert.mac, ALL_NODES_MAC, ETHERTYPE_IPV6);
    advertise(advert, frame, &link, ALL_NODES)
}

/// Makes the advertisement to `dst`.
fn advertise(
    advert: &RouterAdvert,
    frame: &mut Frame,
    link: &Link,
    dst: Addr,
) -> Result<(), NoAnswer> {
    let message = message(advert);
    let head = Head {
        hops: HOPS_ON_LINK,
        ..Head::new(Addr::from(advert.router), dst, protocol::ICMPV6)
    };
    emit(frame, link, &head, message.len(), 2, |icmp| {
        icmp.copy_from_slice(&message);
    })
}

/// The ICMPv6 message (RFC 4861, section 4.2), its checksum left open.
fn message(advert: &RouterAdvert) -> Vec<u8> {
    let managed = if advert.managed { MANAGED } else { 0 };
    let other = if advert.other { OTHER } else { 0 };
    let mut out = Message::new(usize::from(advert.mtu.max(MIN_MTU)) - 40);
    out.octets
        .extend([ADVERTISEMENT, 0, 0, 0, HOPS, managed | other]);
    out.octets.extend(advert.lifetime.to_be_bytes());
    // Reachable time and retransmission timer: unspecified.
    out.octets.extend([0; 8]);
    out.option(SOURCE_LINK_LAYER, &[&advert.mac.octets()]);
    out.option(MTU, &[&[0; 2], &u32::from(advert.mtu).to_be_bytes()]);
    for prefix in &advert.prefixes {
        let on_link = if prefix.on_link { ON_LINK } else { 0 };
        let autonomous = if prefix.autonomous { AUTONOMOUS } else { 0 };
        let lifetime = prefix.lifetime.to_be_bytes();
        out.option(
            PREFIX,
            &[
                &[prefix.prefix.prefix_len(), on_link | autonomous],
                &lifetime,
                &lifetime,
                &[0; 4],
                &prefix.prefix.network().octets(),
            ],
        );
    }
    let lifetime = u32::from(advert.lifetime).to_be_bytes();
    let servers: Vec<u8> = advert.dns.iter().flat_map(Ipv6Addr::octets).collect();
    if !servers.is_empty() {
        out.option(RDNSS, &[&[0; 2], &lifetime, &servers]);
    }
    let names = name::list(&advert.search);
    if !names.is_empty() {
        out.option(DNSSL, &[&[0; 2], &lifetime, &names]);
    }
    out.octets
}

/// A neighbour discovery message in the making.
struct Message {
    octets: Vec<u8>,
    limit: usize,
}

impl Message {
    fn new(limit: usize) -> Self {
        Self {
            octets: Vec::new(),
            limit,
        }
    }

    /// Appends an option, padded with zeros to a multiple of eight octets; one for which there is
    /// no room is left out.
    fn option(&mut self, kind: u8, parts: &[&[u8]]) {
        let len = 2 + parts.iter().map(|part| part.len()).sum::<usize>();
        let Ok(units) = u8::try_from(len.div_ceil(8)) else {
            return;
        };
        let end = self.octets.len() + len.next_multiple_of(8);
        if end > self.limit {
            return;
        }
        self.octets.extend([kind, units]);
        for part in parts {
            self.octets.extend_from_slice(part);
        }
        self.octets.resize(end, 0);
    }
}

#[cfg(test)]
pub(super) mod tests;
