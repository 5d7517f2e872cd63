//! The frame of a guest, as it is or inside a tunnel.

use rackweave_types::MacAddr;
use rackweave_wire::checksum;

use super::{
    ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN, Fragment, Parsed, neighbor,
    protocol,
};
use crate::addr::Addr;
use crate::drop_reason::DropReason;
use crate::frame::{Checksum, Offload, Segment, SegmentKind};

/// Extension headers a packet may have: each kind once, and one twice (RFC 8200, section 4.1).
const MAX_EXTENSION_HEADERS: usize = 8;
/// Octets of extension headers a packet may have.
const MAX_EXTENSION_OCTETS: usize = 256;

#[inline(always)]
pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[inline(always)]
pub(super) fn addr6(bytes: &[u8], at: usize) -> Option<Addr> {
    Some(Addr::from_octets(bytes.get(at..at + 16)?.try_into().ok()?))
}

#[inline(always)]
pub(super) fn mac(bytes: &[u8], at: usize) -> Option<MacAddr> {
    Some(MacAddr::new(bytes.get(at..at + 6)?.try_into().ok()?))
}

/// Reads an Ethernet frame; see [`Parsed::read`].
#[inline(always)]
pub(super) fn read(bytes: &[u8], parsed: &mut Parsed) -> Result<(), DropReason> {
    let ethernet: &[u8; 14] = bytes.first_chunk().ok_or(DropReason::Truncated)?;
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *ethernet;
    *parsed = Parsed {
        dst_mac: MacAddr::new([d0, d1, d2, d3, d4, d5]),
        src_mac: MacAddr::new([s0, s1, s2, s3, s4, s5]),
        ether_type: u16::from_be_bytes([t0, t1]),
        tagged: false,
        l3: 14,
        l4: 14,
        end: u32::try_from(bytes.len()).map_err(|_| DropReason::Truncated)?,
        ..Parsed::NOTHING
    };
    if parsed.ether_type == ETHERTYPE_VLAN {
        parsed.tagged = true;
        parsed.ether_type = be16(bytes, 16).ok_or(DropReason::Truncated)?;
        parsed.l3 = 18;
        parsed.l4 = 18;
    }
    match parsed.ether_type {
        ETHERTYPE_IPV4 => ipv4(bytes, parsed),
        ETHERTYPE_IPV6 => ipv6(bytes, parsed),
        ETHERTYPE_ARP => neighbor::arp(bytes, parsed),
        _ => Ok(()),
    }
}

/// Reads an IPv4 header (RFC 791, section 3.1).
#[inline(always)]
fn ipv4(bytes: &[u8], parsed: &mut Parsed) -> Result<(), DropReason> {
    let l3 = usize::from(parsed.l3);
    let packet = bytes.get(l3..).ok_or(DropReason::Truncated)?;
    let header: &[u8; 20] = packet.first_chunk().ok_or(DropReason::Truncated)?;
    let header_len = usize::from(header[0] & 0xf) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[0] >> 4 != 4 || header_len < 20 || total < header_len {
        return Err(DropReason::Ipv4Header);
    }
    if total > packet.len() {
        return Err(DropReason::Truncated);
    }
    let sum = if header_len == 20 {
        sum_of_20(header)
    } else {
        checksum::sum(&packet[..header_len])
    };
    if sum != 0xffff {
        return Err(DropReason::Ipv4Checksum);
    }
    parsed.tos = header[1];
    parsed.ttl = header[8];
    parsed.protocol = header[9];
    parsed.src = Addr::v4(u32::from_be_bytes([
        header[12], header[13], header[14], header[15],
    ]));
    parsed.dst = Addr::v4(u32::from_be_bytes([
        header[16], header[17], header[18], header[19],
    ]));
    parsed.l4 = parsed.l3 + u16::from(header[0] & 0xf) * 4;
    parsed.end = u32::from(parsed.l3) + u32::from(u16::from_be_bytes([header[2], header[3]]));
    let place = u16::from_be_bytes([header[6], header[7]]);
    if place & 0x3fff != 0 {
        let id = u32::from(u16::from_be_bytes([header[4], header[5]]));
        set_fragment(parsed, id, (place & 0x1fff) << 3, place & 0x2000 != 0)?;
    }
    upper_layer(&packet[header_len..total], parsed)
}

/// The sum of a header without options, which nearly all are: no loop. Both byte orders give 0xffff for a right header.
#[inline(always)]
fn sum_of_20(header: &[u8; 20]) -> u16 {
    let (words, _) = header.as_chunks::<4>();
    let sum: u64 = words
        .iter()
        .map(|word| u64::from(u32::from_ne_bytes(*word)))
        .sum();
    // Five words of 32 bits sum to less than 2^35: folding three times leaves 16 bits.
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    u16::try_from(sum).unwrap_or(0)
}

/// Reads an IPv6 header and its extension headers (RFC 8200, sections 3 and 4).
#[inline(always)]
fn ipv6(bytes: &[u8], parsed: &mut Parsed) -> Result<(), DropReason> {
    let l3 = usize::from(parsed.l3);
    let packet = bytes.get(l3..).ok_or(DropReason::Truncated)?;
    let header: &[u8; 40] = packet.first_chunk().ok_or(DropReason::Truncated)?;
    if header[0] >> 4 != 6 {
        return Err(DropReason::Ipv6Header);
    }
    let total = 40 + usize::from(u16::from_be_bytes([header[4], header[5]]));
    if total > packet.len() {
        return Err(DropReason::Truncated);
    }
    parsed.tos = header[0] << 4 | header[1] >> 4;
    parsed.ttl = header[7];
    parsed.src = addr6(header, 8).ok_or(DropReason::Truncated)?;
    parsed.dst = addr6(header, 24).ok_or(DropReason::Truncated)?;
    if parsed.src.is_v4() || parsed.dst.is_v4() {
        return Err(DropReason::Ipv6Header);
    }
    parsed.protocol = header[6];
    parsed.end = u32::from(parsed.l3) + 40 + u32::from(u16::from_be_bytes([header[4], header[5]]));
    let mut at = 40;
    if is_extension(header[6]) {
        at = extension_headers(&packet[..total], parsed)?;
    }
    parsed.l4 = parsed.l3 + u16::try_from(at).map_err(|_| DropReason::ExtensionHeaders)?;
    upper_layer(&packet[at..total], parsed)
}

/// Whether this next-header value is an extension header that is walked over.
const fn is_extension(next: u8) -> bool {
    matches!(
        next,
        protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::FRAGMENT
            | protocol::AUTHENTICATION
            | protocol::DESTINATION_OPTIONS
    )
}

/// Walks the extension headers and returns where the upper layer begins.
fn extension_headers(packet: &[u8], parsed: &mut Parsed) -> Result<usize, DropReason> {
    let mut at = 40;
    for count in 0.. {
        if !is_extension(parsed.protocol) || parsed.is_later_fragment() {
            return Ok(at);
        }
        if count == MAX_EXTENSION_HEADERS || at - 40 > MAX_EXTENSION_OCTETS {
            return Err(DropReason::ExtensionHeaders);
        }
        let head: &[u8] = packet.get(at..at + 8).ok_or(DropReason::ExtensionHeaders)?;
        let len = match parsed.protocol {
            protocol::FRAGMENT => {
                let place = u16::from_be_bytes([head[2], head[3]]);
                let id = be32(head, 4).ok_or(DropReason::ExtensionHeaders)?;
                // An atomic fragment (RFC 6946) is a whole packet.
                if place & 0xfff9 != 0 {
                    set_fragment(parsed, id, place & 0xfff8, place & 1 != 0)?;
                }
                8
            }
            // RFC 4302, section 2.2: in 4-octet units, minus 2.
            protocol::AUTHENTICATION => (usize::from(head[1]) + 2) * 4,
            // RFC 8200, section 4.2: in 8-octet units, not counting the first.
            _ => (usize::from(head[1]) + 1) * 8,
        };
        parsed.protocol = head[0];
        at += len;
        if at > packet.len() {
            return Err(DropReason::ExtensionHeaders);
        }
    }
    Err(DropReason::ExtensionHeaders)
}

/// Notes that the packet is a fragment, unless no datagram could hold it there.
fn set_fragment(parsed: &mut Parsed, id: u32, offset: u16, more: bool) -> Result<(), DropReason> {
    let payload = parsed.end - u32::from(parsed.l3);
    if u32::from(offset) + payload > 0xffff + 60 || parsed.fragment.is_some() {
        return Err(DropReason::FragmentMalformed);
    }
    parsed.fragment = Some(Fragment { id, offset, more });
    Ok(())
}

/// Reads what identifies the flow from the upper-layer header.
#[inline(always)]
fn upper_layer(payload: &[u8], parsed: &mut Parsed) -> Result<(), DropReason> {
    if parsed.is_later_fragment() {
        return Ok(());
    }
    match parsed.protocol {
        protocol::TCP => {
            let header: &[u8; 20] = payload.first_chunk().ok_or(DropReason::TcpHeader)?;
            let header_len = usize::from(header[12] >> 4) * 4;
            if header_len < 20 || header_len > payload.len() {
                return Err(DropReason::TcpHeader);
            }
            parsed.src_port = u16::from_be_bytes([header[0], header[1]]);
            parsed.dst_port = u16::from_be_bytes([header[2], header[3]]);
            parsed.tcp_flags = header[13];
        }
        protocol::UDP => {
            let header: &[u8; 8] = payload.first_chunk().ok_or(DropReason::UdpHeader)?;
            let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
            if len < 8 || (len > payload.len() && parsed.fragment.is_none()) {
                return Err(DropReason::UdpHeader);
            }
            parsed.src_port = u16::from_be_bytes([header[0], header[1]]);
            parsed.dst_port = u16::from_be_bytes([header[2], header[3]]);
        }
        protocol::ICMP if parsed.is_v4() => icmp(payload, parsed, Icmp::V4)?,
        protocol::ICMPV6 if !parsed.is_v4() => icmp(payload, parsed, Icmp::V6)?,
        _ => {}
    }
    Ok(())
}

/// Which ICMP.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Icmp {
    V4,
    V6,
}

/// Reads an ICMP header: queries and their replies carry an identifier, errors another packet.
fn icmp(payload: &[u8], parsed: &mut Parsed, version: Icmp) -> Result<(), DropReason> {
    let header: &[u8; 8] = payload.first_chunk().ok_or(DropReason::IcmpHeader)?;
    parsed.icmp_type = header[0];
    parsed.icmp_code = header[1];
    let id = u16::from_be_bytes([header[4], header[5]]);
    match (version, header[0]) {
        // Echo, timestamp, information, address mask: requests.
        (Icmp::V4, 8 | 13 | 15 | 17) | (Icmp::V6, 128) => parsed.src_port = id,
        (Icmp::V4, 0 | 14 | 16 | 18) | (Icmp::V6, 129) => parsed.dst_port = id,
        // Unreachable, source quench, redirect, time exceeded, parameter problem; RFC 4443, section 2.1.
        (Icmp::V4, 3 | 4 | 5 | 11 | 12) | (Icmp::V6, 0..=127) => parsed.icmp_error = true,
        (Icmp::V6, 133..=137) => neighbor::discovery(payload, parsed)?,
        _ => {}
    }
    Ok(())
}

/// Checks that what is asked of offload lies within the frame.
#[inline(always)]
pub(crate) fn check_offload(parsed: &Parsed, offload: Offload) -> Result<(), DropReason> {
    if let Checksum::Partial { start, offset } = offload.checksum {
        let expected = checksum_offset(parsed.protocol);
        let fits = u32::from(start) + u32::from(offset) + 2 <= parsed.end;
        if start != parsed.l4 || expected != Some(offset) || !fits || parsed.fragment.is_some() {
            return Err(DropReason::Offload);
        }
    }
    if let Some(segment) = offload.segment {
        let protocol = match segment.kind {
            SegmentKind::Tcp => protocol::TCP,
            SegmentKind::Udp => protocol::UDP,
        };
        let partial = matches!(offload.checksum, Checksum::Partial { .. });
        if !partial || segment.size == 0 || parsed.protocol != protocol || !parsed.is_ip() {
            return Err(DropReason::Offload);
        }
    }
    Ok(())
}

/// Where the checksum of an upper-layer protocol that covers the pseudo header is.
#[inline(always)]
pub(crate) const fn checksum_offset(protocol: u8) -> Option<u16> {
    match protocol {
        protocol::TCP => Some(16),
        protocol::UDP | protocol::DCCP | protocol::UDP_LITE => Some(6),
        protocol::ICMPV6 => Some(2),
        _ => None,
    }
}

/// See [`Parsed::segments`].
pub(super) fn segments(parsed: &Parsed, bytes: &[u8], segment: Option<Segment>) -> (u64, u32) {
    let Some(segment) = segment else {
        return (1, parsed.ip_len());
    };
    let header_len = match segment.kind {
        // The data offset counts words; it was checked when the header was read.
        SegmentKind::Tcp => bytes
            .get(usize::from(parsed.l4) + 12)
            .map_or(20, |offset| u32::from(offset >> 4) * 4),
        SegmentKind::Udp => 8,
    };
    let payload_at = u32::from(parsed.l4) + header_len;
    let payload = parsed.end.saturating_sub(payload_at);
    let size = u32::from(segment.size.max(1));
    let headers = payload_at - u32::from(parsed.l3);
    (
        u64::from(payload.div_ceil(size).max(1)),
        headers + payload.min(size),
    )
}
