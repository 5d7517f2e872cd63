//! What the responders share: the request's upper layer, and the headers of an answer.

use alloc::vec;

use rackweave_types::MacAddr;
use rackweave_wire::checksum;
use rackweave_wire::ndp::NdpRepr;

use super::NoAnswer;
use crate::addr::Addr;
use crate::frame::{Checksum, Frame};
use crate::parse::{ETHERTYPE_IPV4, Parsed, protocol};

/// Hop limit of answers that a router could forward.
pub(super) const HOPS: u8 = 64;
/// Hop limit of neighbour discovery (RFC 4861, section 7.1): proof that no router forwarded it.
const HOPS_ON_LINK: u8 = 255;

/// A UDP header.
const UDP_LEN: usize = 8;
/// The longest request that a service over UDP reads.
const MAX_REQUEST: usize = 1500;

/// The Ethernet header of an answer: the request's with other addresses, its 802.1Q tag kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    octets: [u8; Self::MAX],
    len: usize,
}

impl Link {
    /// Ethernet header and one 802.1Q tag.
    const MAX: usize = 18;

    /// The header of an answer from `src` to `dst`.
    pub(super) fn new(
        frame: &Frame,
        parsed: &Parsed,
        src: MacAddr,
        dst: MacAddr,
    ) -> Result<Self, NoAnswer> {
        let len = usize::from(parsed.l3);
        let request = frame
            .bytes()
            .get(..len)
            .ok_or(NoAnswer::Malformed("ethernet header"))?;
        let mut octets = [0; Self::MAX];
        octets
            .get_mut(..len)
            .ok_or(NoAnswer::Malformed("ethernet header"))?
            .copy_from_slice(request);
        octets[..6].copy_from_slice(&dst.octets());
        octets[6..12].copy_from_slice(&src.octets());
        Ok(Self { octets, len })
    }

    /// The header of a packet that answers none.
    pub(super) fn untagged(src: MacAddr, dst: MacAddr, ether_type: u16) -> Self {
        let mut octets = [0; Self::MAX];
        octets[..6].copy_from_slice(&dst.octets());
        octets[6..12].copy_from_slice(&src.octets());
        octets[12..14].copy_from_slice(&ether_type.to_be_bytes());
        Self { octets, len: 14 }
    }

    /// The request's header with source and destination exchanged; both must be stations' own
    /// addresses.
    pub(super) fn turned(frame: &Frame, parsed: &Parsed) -> Result<Self, NoAnswer> {
        if parsed.src_mac.is_multicast() {
            return Err(NoAnswer::Malformed("ethernet source"));
        }
        // RFC 1122, section 3.2.2 and RFC 4443, section 2.4 (e.4): nothing sent to many gets an
        // answer from one.
        if parsed.dst_mac.is_multicast() {
            return Err(NoAnswer::NothingToSay);
        }
        Self::new(frame, parsed, parsed.dst_mac, parsed.src_mac)
    }

    /// The octets of the header.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets[..self.len]
    }
}

/// The IP header of an answer: no options, no extension headers, never to be fragmented.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// Source; its family is the header's.
    pub(super) src: Addr,
    /// Destination.
    pub(super) dst: Addr,
    /// Upper-layer protocol.
    pub(super) protocol: u8,
    /// TTL or hop limit.
    pub(super) hops: u8,
    /// DSCP and ECN.
    pub(super) tos: u8,
}

impl Head {
    /// A header with ordinary hop limit and service.
    pub(super) const fn new(src: Addr, dst: Addr, protocol: u8) -> Self {
        Self {
            src,
            dst,
            protocol,
            hops: HOPS,
            tos: 0,
        }
    }

    /// Length of the header in octets.
    pub(super) const fn len(&self) -> usize {
        if self.src.is_v4() { 20 } else { 40 }
    }

    /// Writes the header of a packet with `upper_len` octets behind it into `out`, which has just
    /// [`len`](Self::len) octets.
    pub(super) fn write(&self, out: &mut [u8], upper_len: u16) {
        if self.src.is_v4() {
            // RFC 6864, section 4: the identification of a packet that is never fragmented has no
            // meaning.
            out[0..2].copy_from_slice(&[0x45, self.tos]);
            out[2..4].copy_from_slice(&upper_len.saturating_add(20).to_be_bytes());
            out[4..8].copy_from_slice(&[0, 0, 0x40, 0]);
            out[8..12].copy_from_slice(&[self.hops, self.protocol, 0, 0]);
            out[12..16].copy_from_slice(&self.src.octets()[12..]);
            out[16..20].copy_from_slice(&self.dst.octets()[12..]);
            let field = checksum::finish(checksum::sum(out));
            out[10..12].copy_from_slice(&field.to_be_bytes());
        } else {
            out[0..4].copy_from_slice(&[0x60 | self.tos >> 4, self.tos << 4, 0, 0]);
            out[4..6].copy_from_slice(&upper_len.to_be_bytes());
            out[6..8].copy_from_slice(&[self.protocol, self.hops]);
            out[8..24].copy_from_slice(&self.src.octets());
            out[24..40].copy_from_slice(&self.dst.octets());
        }
    }

    /// Puts the checksum at `at` into the answer's upper layer.
    pub(super) fn finish(&self, upper: &mut [u8], at: usize) {
        upper[at..at + 2].fill(0);
        let sum = upper_sum(self.src, self.dst, self.protocol, upper);
        let field = match self.protocol {
            protocol::UDP => checksum::finish_udp(sum),
            _ => checksum::finish(sum),
        };
        upper[at..at + 2].copy_from_slice(&field.to_be_bytes());
    }
}

/// Replaces the frame's contents by link and IP header and `upper_len` octets, which `fill` writes;
/// the checksum is then put `checksum_at` octets into them.
pub(super) fn emit(
    frame: &mut Frame,
    link: &Link,
    head: &Head,
    upper_len: usize,
    checksum_at: usize,
    fill: impl FnOnce(&mut [u8]),
) -> Result<(), NoAnswer> {
    let len = u16::try_from(upper_len).map_err(|_| NoAnswer::NoRoom)?;
    let l3 = link.octets().len();
    let out = frame.resize_for_overwrite(l3 + head.len() + upper_len);
    let (out_link, packet) = out.split_at_mut(l3);
    let (out_head, upper) = packet.split_at_mut(head.len());
    out_link.copy_from_slice(link.octets());
    head.write(out_head, len);
    fill(upper);
    head.finish(upper, checksum_at);
    Ok(())
}

/// Replaces the frame's contents by a neighbour discovery message from `src` to `dst`.
pub(super) fn emit_ndp(
    frame: &mut Frame,
    link: &Link,
    src: Addr,
    dst: Addr,
    message: &NdpRepr<'_>,
) -> Result<(), NoAnswer> {
    let mut octets = vec![0; message.buffer_len()];
    message.emit(&mut octets).map_err(|_| NoAnswer::NoRoom)?;
    let mut head = Head::new(src, dst, protocol::ICMPV6);
    head.hops = HOPS_ON_LINK;
    emit(frame, link, &head, octets.len(), 2, |icmp| {
        icmp.copy_from_slice(&octets);
    })
}

/// Ends and ports of a UDP answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram {
    /// Source; its family is the answer's.
    pub(super) src: Addr,
    /// Destination.
    pub(super) dst: Addr,
    /// Source port.
    pub(super) src_port: u16,
    /// Destination port.
    pub(super) dst_port: u16,
}

/// Replaces the frame's contents by a UDP datagram.
pub(super) fn emit_udp(
    frame: &mut Frame,
    link: &Link,
    datagram: &Datagram,
    payload: &[u8],
) -> Result<(), NoAnswer> {
    let upper_len = UDP_LEN + payload.len();
    let len = u16::try_from(upper_len).map_err(|_| NoAnswer::NoRoom)?;
    let head = Head::new(datagram.src, datagram.dst, protocol::UDP);
    emit(frame, link, &head, upper_len, 6, |udp| {
        udp[0..2].copy_from_slice(&datagram.src_port.to_be_bytes());
        udp[2..4].copy_from_slice(&datagram.dst_port.to_be_bytes());
        udp[4..6].copy_from_slice(&len.to_be_bytes());
        udp[UDP_LEN..].copy_from_slice(payload);
    })
}

/// What the request, a UDP datagram to this port, carries.
pub(super) fn udp_payload<'a>(
    frame: &'a Frame,
    parsed: &Parsed,
    dst_port: u16,
) -> Result<&'a [u8], NoAnswer> {
    if !parsed.is_ip()
        || parsed.protocol != protocol::UDP
        || parsed.dst_port != dst_port
        || parsed.fragment.is_some()
    {
        return Err(NoAnswer::NotForUs);
    }
    let udp = upper(frame, parsed)?;
    let len = udp.get(4..6).ok_or(NoAnswer::Malformed("udp header"))?;
    let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
    // A service's request is short: what is longer is not worth its walk.
    if len > UDP_LEN + MAX_REQUEST {
        return Err(NoAnswer::Malformed("udp length"));
    }
    udp.get(UDP_LEN..len)
        .ok_or(NoAnswer::Malformed("udp length"))
}

/// What is behind the request's IP header and extension headers, padding cut off.
pub(super) fn upper<'a>(frame: &'a Frame, parsed: &Parsed) -> Result<&'a [u8], NoAnswer> {
    let end = usize::try_from(parsed.end).unwrap_or(usize::MAX);
    frame
        .bytes()
        .get(usize::from(parsed.l4)..end)
        .ok_or(NoAnswer::Malformed("length"))
}

/// Checks the request's upper-layer checksum, unless the frame's offload state says that there is
/// no need.
pub(super) fn check_upper(frame: &Frame, parsed: &Parsed) -> Result<(), NoAnswer> {
    if frame.offload.checksum != Checksum::Complete || frame.offload.segment.is_some() {
        return Ok(());
    }
    let mut octets = upper(frame, parsed)?;
    if parsed.protocol == protocol::UDP {
        let header: &[u8; 8] = octets
            .first_chunk()
            .ok_or(NoAnswer::Malformed("udp header"))?;
        if parsed.is_v4() && header[6..8] == [0, 0] {
            return Ok(());
        }
        let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
        octets = octets.get(..len).ok_or(NoAnswer::Malformed("udp length"))?;
    }
    if upper_sum(parsed.src, parsed.dst, parsed.protocol, octets) == 0xffff {
        Ok(())
    } else {
        Err(NoAnswer::Malformed("checksum"))
    }
}

/// The sum over an upper-layer packet and, unless it is ICMP of IPv4, its pseudo header; 0xffff
/// where the checksum within is right.
fn upper_sum(src: Addr, dst: Addr, protocol: u8, upper: &[u8]) -> u16 {
    let sum = checksum::sum(upper);
    if protocol == protocol::ICMP && src.is_v4() {
        return sum;
    }
    // An upper layer is shorter than an IP packet, whose length has sixteen bits.
    let len = u32::try_from(upper.len()).unwrap_or(u32::MAX);
    // The prefix of a mapped IPv4 address sums to 0xffff, which is zero in ones' complement: the
    // pseudo header of IPv6 serves both families.
    checksum::combine(
        checksum::pseudo_header_v6(src.octets(), dst.octets(), protocol, len),
        sum,
    )
}

/// Whether the address names a single host, which may be answered (RFC 1122, section 3.2.2: not "a
/// zero address, a loopback address, a broadcast address, a multicast address, or a Class E
/// address"; RFC 4443, section 2.4 (e.6)).
pub(super) fn is_host(addr: Addr) -> bool {
    if addr.is_v4() {
        !matches!(addr.octets()[12], 0 | 127 | 224..)
    } else {
        addr.bits() > 1 && addr.octets()[0] != 0xff
    }
}

/// ICMP's protocol number in the family of the packet.
pub(super) const fn icmp_protocol(parsed: &Parsed) -> u8 {
    if parsed.ether_type == ETHERTYPE_IPV4 {
        protocol::ICMP
    } else {
        protocol::ICMPV6
    }
}
