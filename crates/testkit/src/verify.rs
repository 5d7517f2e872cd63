//! The check of a whole frame, which shares nothing with the parsers under test but the checksum.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rackweave_types::reserved;
use rackweave_wire::checksum;

use crate::number;
use crate::packet::pseudo_header;

/// Frames shorter than this may end in padding (IEEE 802.3 section 3.2.8), check sequence left out.
const MIN_FRAME_LEN: usize = 60;

/// Checks every length and every checksum of an Ethernet frame: of VLAN tags, ARP, IPv4, IPv6 and
/// its extension headers, TCP, UDP, ICMP with what errors quote, NDP options, and of frames inside
/// of Geneve. A part of a packet (fragment, quotation) is checked as far as it goes. An IPv6 UDP
/// checksum may be missing only around Geneve.
///
/// # Errors
/// What is wrong, after the headers that lead there.
pub fn verify(frame: &[u8]) -> Result<(), String> {
    ethernet(frame, true).map_err(|error| format!("ethernet: {error}"))
}

fn ethernet(frame: &[u8], tunnels: bool) -> Result<(), String> {
    let mut ether_type = u16_at(frame, 12)?;
    let mut at = 14;
    while ether_type == number::ETHERTYPE_VLAN {
        ether_type = u16_at(frame, at + 2)?;
        at += 4;
    }
    let packet = frame.get(at..).unwrap_or_default();
    let len = match ether_type {
        number::ETHERTYPE_ARP => within("arp", arp(packet))?,
        number::ETHERTYPE_IPV4 => within("ipv4", ipv4(packet, Extent::Whole, tunnels))?,
        number::ETHERTYPE_IPV6 => within("ipv6", ipv6(packet, Extent::Whole, tunnels))?,
        other => return Err(format!("type {other:#06x} is none that is checked")),
    };
    let padding = packet.get(len..).unwrap_or_default();
    let zeros = padding.iter().all(|&octet| octet == 0);
    if padding.is_empty() || (frame.len() <= MIN_FRAME_LEN && zeros) {
        Ok(())
    } else {
        Err(format!("{} octets follow the packet", padding.len()))
    }
}

/// How much of a packet is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// All of it.
    Whole,
    /// Its beginning, as an ICMP error quotes it.
    Quoted,
}

/// Checks an ARP packet and gives its length.
fn arp(packet: &[u8]) -> Result<usize, String> {
    let head = packet.get(..28).ok_or_else(|| short(28, packet))?;
    check(head[..6] == [0, 1, 8, 0, 6, 4], || {
        format!("hardware or protocol {:?}", &head[..6])
    })?;
    check(matches!(head[6..8], [0, 1 | 2]), || {
        format!("operation {:?}", &head[6..8])
    })?;
    Ok(28)
}

/// Checks an IPv4 packet and gives its length, as far as it is there.
fn ipv4(packet: &[u8], extent: Extent, tunnels: bool) -> Result<usize, String> {
    let head = packet.get(..20).ok_or_else(|| short(20, packet))?;
    check(head[0] >> 4 == 4, || format!("version {}", head[0] >> 4))?;
    let header_len = usize::from(head[0] & 0x0f) * 4;
    let total_len = usize::from(u16_at(packet, 2)?);
    check(header_len >= 20, || format!("header length {header_len}"))?;
    check(total_len >= header_len, || {
        format!("total length {total_len}")
    })?;
    let header = packet
        .get(..header_len)
        .ok_or_else(|| short(header_len, packet))?;
    check(checksum::sum(header) == 0xffff, || {
        "header checksum".to_owned()
    })?;
    let end = end(packet, total_len, extent)?;
    let fragment = u16_at(packet, 6)?;
    let upper = Upper {
        src: Ipv4Addr::from(u32_at(packet, 12)?).into(),
        dst: Ipv4Addr::from(u32_at(packet, 16)?).into(),
        protocol: head[9],
        bytes: &packet[header_len..end],
        len: total_len - header_len,
        tunnels,
    };
    check(
        fragment & 0x2000 == 0 || upper.len.is_multiple_of(8),
        || format!("fragment of {} octets is not the last", upper.len),
    )?;
    let is_fragment = fragment & 0x3fff != 0;
    if !is_fragment {
        upper.verify()?;
    }
    Ok(end)
}

/// Checks an IPv6 packet and gives its length, as far as it is there.
fn ipv6(packet: &[u8], extent: Extent, tunnels: bool) -> Result<usize, String> {
    let head = packet.get(..40).ok_or_else(|| short(40, packet))?;
    check(head[0] >> 4 == 6, || format!("version {}", head[0] >> 4))?;
    let total_len = 40 + usize::from(u16_at(packet, 4)?);
    let end = end(packet, total_len, extent)?;
    let (mut protocol, mut at, mut fragment) = (head[6], 40, 0);
    loop {
        let len = match protocol {
            number::HOP_BY_HOP | number::ROUTING | number::DESTINATION_OPTIONS => {
                8 + 8 * usize::from(u8_at(packet, at + 1)?)
            }
            number::FRAGMENT => {
                fragment = u16_at(packet, at + 2)?;
                8
            }
            _ => break,
        };
        protocol = u8_at(packet, at)?;
        at += len;
        if at > end {
            return if extent == Extent::Quoted {
                Ok(end)
            } else {
                Err(short(at, &packet[..end]))
            };
        }
        if fragment & !1 != 0 {
            break;
        }
    }
    let upper = Upper {
        src: address_v6(&head[8..24]),
        dst: address_v6(&head[24..]),
        protocol,
        bytes: &packet[at..end],
        len: total_len.saturating_sub(at),
        tunnels,
    };
    check(fragment & 1 == 0 || upper.len.is_multiple_of(8), || {
        format!("fragment of {} octets is not the last", upper.len)
    })?;
    if fragment == 0 {
        upper.verify()?;
    }
    Ok(end)
}

/// Where a packet of this length ends in `packet`.
fn end(packet: &[u8], len: usize, extent: Extent) -> Result<usize, String> {
    match extent {
        Extent::Whole if len > packet.len() => Err(short(len, packet)),
        Extent::Whole | Extent::Quoted => Ok(len.min(packet.len())),
    }
}

/// What follows an IP header.
#[derive(Clone, Copy, Debug)]
struct Upper<'a> {
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    /// As much as is there.
    bytes: &'a [u8],
    /// As much as there was.
    len: usize,
    /// Whether a tunnel may be inside.
    tunnels: bool,
}

impl Upper<'_> {
    fn verify(&self) -> Result<(), String> {
        match (self.protocol, self.src.is_ipv4()) {
            (number::TCP, _) => within("tcp", self.tcp()),
            (number::UDP, _) => within("udp", self.udp()),
            (number::ICMP, true) => within("icmp", self.icmpv4()),
            (number::ICMPV6, false) => within("icmpv6", self.icmpv6()),
            _ => Ok(()),
        }
    }

    /// Checks that the header is there, unless only a part of the packet is.
    fn header(&self, needed: usize) -> Result<bool, String> {
        let is_there = self.bytes.len() >= needed;
        check(is_there || self.is_cut(), || short(needed, self.bytes))?;
        Ok(is_there)
    }

    fn is_cut(&self) -> bool {
        self.bytes.len() < self.len
    }

    /// Checks the checksum, unless only a part of the packet is there.
    fn checksum(&self, pseudo: u16) -> Result<(), String> {
        let sum = checksum::combine(pseudo, checksum::sum(self.bytes));
        check(self.is_cut() || sum == 0xffff, || "checksum".to_owned())
    }

    fn pseudo(&self) -> u16 {
        pseudo_header(self.src, self.dst, self.protocol, self.len)
    }

    fn tcp(&self) -> Result<(), String> {
        if !self.header(20)? {
            return Ok(());
        }
        let header_len = usize::from(self.bytes[12] >> 4) * 4;
        check((20..=self.len).contains(&header_len), || {
            format!("data offset {header_len}")
        })?;
        self.checksum(self.pseudo())
    }

    fn udp(&self) -> Result<(), String> {
        if !self.header(8)? {
            return Ok(());
        }
        let length = usize::from(u16_at(self.bytes, 4)?);
        check(length == self.len, || {
            format!("length {length} of {} octets", self.len)
        })?;
        let geneve = u16_at(self.bytes, 2)? == reserved::GENEVE_PORT;
        let field = u16_at(self.bytes, 6)?;
        check(field != 0 || self.src.is_ipv4() || geneve, || {
            "checksum is missing".to_owned()
        })?;
        if field != 0 {
            self.checksum(self.pseudo())?;
        }
        if geneve && self.tunnels && !self.is_cut() {
            within("geneve", geneve_packet(&self.bytes[8..]))?;
        }
        Ok(())
    }

    fn icmpv4(&self) -> Result<(), String> {
        if !self.header(8)? {
            return Ok(());
        }
        self.checksum(0)?;
        // Destination unreachable, source quench, redirect, time exceeded, parameter problem.
        if matches!(self.bytes[0], 3 | 4 | 5 | 11 | 12) {
            let quoted = &self.bytes[8..];
            within("quoted ipv4", ipv4(quoted, Extent::Quoted, false))?;
        }
        Ok(())
    }

    fn icmpv6(&self) -> Result<(), String> {
        if !self.header(8)? {
            return Ok(());
        }
        self.checksum(self.pseudo())?;
        match self.bytes[0] {
            1..=4 => {
                within("quoted ipv6", ipv6(&self.bytes[8..], Extent::Quoted, false)).map(|_| ())
            }
            133 => within("rs", self.ndp_options(8)),
            134 => within("ra", self.ndp_options(16)),
            135 => within("ns", self.ndp_options(24)),
            136 => within("na", self.ndp_options(24)),
            137 => within("redirect", self.ndp_options(40)),
            _ => Ok(()),
        }
    }

    fn ndp_options(&self, at: usize) -> Result<(), String> {
        let mut rest = self.bytes.get(at..).ok_or_else(|| short(at, self.bytes))?;
        while !rest.is_empty() {
            let len = 8 * usize::from(u8_at(rest, 1)?);
            check(len != 0, || "option of length 0".to_owned())?;
            rest = rest.get(len..).ok_or_else(|| short(len, rest))?;
        }
        Ok(())
    }
}

/// Checks a Geneve packet and the frame inside.
fn geneve_packet(packet: &[u8]) -> Result<(), String> {
    let head = packet.get(..8).ok_or_else(|| short(8, packet))?;
    check(head[0] >> 6 == 0, || format!("version {}", head[0] >> 6))?;
    let kind = u16_at(packet, 2)?;
    check(kind == number::ETHERTYPE_BRIDGED, || {
        format!("type {kind:#06x}")
    })?;
    let end = 8 + 4 * usize::from(head[0] & 0x3f);
    let mut options = packet.get(8..end).ok_or_else(|| short(end, packet))?;
    let mut critical = false;
    while !options.is_empty() {
        critical |= u8_at(options, 2)? & 0x80 != 0;
        let len = 4 + 4 * usize::from(u8_at(options, 3)? & 0x1f);
        options = options.get(len..).ok_or_else(|| short(len, options))?;
    }
    let marked = head[1] & 0x40 != 0;
    check(marked == critical, || {
        format!("critical bit {marked}, critical option {critical}")
    })?;
    within("inner ethernet", ethernet(&packet[end..], false))
}

fn within<T>(header: &str, result: Result<T, String>) -> Result<T, String> {
    result.map_err(|error| format!("{header}: {error}"))
}

fn check(holds: bool, error: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(error()) }
}

fn short(needed: usize, bytes: &[u8]) -> String {
    format!("needs {needed} octets, {} are there", bytes.len())
}

fn u8_at(bytes: &[u8], at: usize) -> Result<u8, String> {
    bytes.get(at).copied().ok_or_else(|| short(at + 1, bytes))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, String> {
    Ok(u16::from_be_bytes([
        u8_at(bytes, at)?,
        u8_at(bytes, at + 1)?,
    ]))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, String> {
    Ok(u32::from(u16_at(bytes, at)?) << 16 | u32::from(u16_at(bytes, at + 2)?))
}

fn address_v6(octets: &[u8]) -> IpAddr {
    octets
        .try_into()
        .map_or(Ipv6Addr::UNSPECIFIED, |octets: [u8; 16]| octets.into())
        .into()
}

#[cfg(test)]
mod tests {
    use rackweave_types::{MacAddr, Vni};

    use super::*;
    use crate::packet::{self, Ends};

    fn ends(src: &str, dst: &str) -> Ends {
        Ends {
            src_mac: MacAddr::new([2, 0, 0, 0, 0, 1]),
            dst_mac: MacAddr::new([2, 0, 0, 0, 0, 2]),
            src: src.parse().unwrap(),
            dst: dst.parse().unwrap(),
        }
    }

    #[test]
    fn what_is_built_is_valid_and_any_flipped_bit_is_found() {
        for ends in [ends("10.0.0.1", "10.0.0.2"), ends("fd00::1", "fd00::2")] {
            for frame in [
                packet::tcp(&ends, (1, 2), packet::flag::SYN, b"hello"),
                packet::udp(&ends, (1, 2), b"hello"),
                packet::echo(&ends, true, 7, 1, b"hello"),
            ] {
                assert_eq!(verify(&frame), Ok(()));
                let outer = packet::geneve(
                    Ipv6Addr::LOCALHOST,
                    Ipv6Addr::LOCALHOST,
                    Vni::BOUNDARY,
                    &packet::EXTERNAL,
                    &frame,
                );
                assert_eq!(verify(&outer), Ok(()));
                let mut broken = frame.clone();
                let last = broken.len() - 1;
                broken[last] ^= 1;
                assert!(verify(&broken).is_err(), "{broken:02x?}");
            }
        }
    }
}
