//! From a sled to the customer's network.

use rackweave_types::{Vni, reserved};
use rackweave_wire::tos::Ecn;

use super::packet::{Packet, UDP};
use super::{BRIDGING, ETHERNET, ETHERTYPE_IPV4, ETHERTYPE_IPV6, EXTERNAL, OUTER, be16};
use super::{Lookup, Transform, Verdict};
use crate::event::Event;

/// Geneve options that are looked at.
const OPTIONS: usize = 8;
/// Octets of options that a packet may have.
const OPTIONS_OCTETS: usize = 64;

pub(super) fn outbound<L: Lookup>(
    transform: &Transform<'_, L>,
    frame: &mut Vec<u8>,
    segment: u16,
) -> Result<Verdict, Verdict> {
    let settings = transform.settings;
    let drop = |event| Verdict::Drop(event);
    let head: &[u8; ETHERNET + OUTER] = frame.first_chunk().ok_or(Verdict::Pass(None))?;
    let (ethernet, outer) = head.split_at(ETHERNET);
    let (ip, rest) = outer.split_at(40);
    let (udp, geneve) = rest.split_at(8);
    let ours = ethernet[12..] == ETHERTYPE_IPV6.to_be_bytes()
        && ip[0] >> 4 == 6
        && ip[6] == UDP
        && ip[24..] == settings.group.octets()
        && udp[2..4] == reserved::GENEVE_PORT.to_be_bytes();
    if !ours {
        return Err(Verdict::Pass(None));
    }
    let payload = usize::from(u16::from_be_bytes([ip[4], ip[5]]));
    let length = usize::from(u16::from_be_bytes([udp[4], udp[5]]));
    if ETHERNET + 40 + payload > frame.len() || length > payload || length < 16 {
        return Err(drop(Event::OutMalformed));
    }
    if !is_sled(&ip[8..24], settings.az.octets()) {
        return Err(drop(Event::OutSource));
    }
    let options = usize::from(geneve[0] & 0x3f) * 4;
    let known = geneve[0] >> 6 == 0 && geneve[1] & 0x80 == 0;
    if !known
        || geneve[2..4] != BRIDGING.to_be_bytes()
        || options > OPTIONS_OCTETS
        || 16 + options > length
    {
        return Err(drop(Event::OutGeneve));
    }
    if geneve[4..7] != Vni::BOUNDARY.get().to_be_bytes()[1..] {
        return Err(drop(Event::OutVni));
    }
    let at = ETHERNET + OUTER + options;
    let options_read = frame.get(ETHERNET + OUTER..at).and_then(read_options);
    let mss = options_read.ok_or(drop(Event::OutOption))?;
    if segment > 0 && mss == 0 {
        return Err(drop(Event::OutAggregate));
    }
    let outer_tos = ip[0] << 4 | ip[1] >> 4;
    let inner = frame.get(at..at + ETHERNET);
    let inner = inner.ok_or(drop(Event::OutMalformed))?;
    if inner[..6] != settings.mac.octets() {
        return Err(drop(Event::OutMac));
    }
    let packet = match be16(inner, 12) {
        Some(ETHERTYPE_IPV4) => Packet::v4(frame, at + ETHERNET),
        Some(ETHERTYPE_IPV6) => Packet::v6(frame, at + ETHERNET),
        _ => None,
    };
    let whole = packet.filter(|packet| 16 + options + ETHERNET + packet.total <= length);
    let packet = whole.ok_or(drop(Event::OutMalformed))?;
    if !packet.is_foreign() {
        return Err(drop(Event::OutSource));
    }
    let tos = merge_tos(outer_tos, packet.tos).ok_or(drop(Event::OutEcn))?;
    if tos != packet.tos {
        set_tos(&mut frame[at + ETHERNET..], &packet, tos);
    }
    frame.drain(..at);
    frame[..6].copy_from_slice(&settings.customer.dst.octets());
    frame[6..12].copy_from_slice(&settings.customer.src.octets());
    let octets = u32::try_from(packet.total).unwrap_or(u32::MAX);
    Ok(Verdict::Forward(Event::OutForwarded, octets))
}

/// Whether an address is a sled's or switch's tunnel end point.
fn is_sled(address: &[u8], az: [u8; 6]) -> bool {
    address[..6] == az
        && !matches!(address[6], 0 | 0xff)
        && address[7] != 0
        && address[8..] == [0, 0, 0, 0, 0, 0, 0, 1]
}

/// Reads the options (RFC 8926, section 3.5) and returns the segment size that is told, or 0; none where an option is
/// critical and unknown, or malformed.
fn read_options(mut options: &[u8]) -> Option<u16> {
    let mut mss = 0;
    for _ in 0..OPTIONS {
        let Some((head, rest)) = options.split_first_chunk::<4>() else {
            break;
        };
        let length = usize::from(head[3] & 0x1f) * 4;
        let [class_high, class_low, kind, _] = *head;
        let ours = u16::from_be_bytes([class_high, class_low]) == reserved::GENEVE_OPTION_CLASS;
        let external = ours && kind == EXTERNAL[2] && length == 0;
        if kind & 0x80 != 0 && !external {
            return None;
        }
        let (data, rest) = rest.split_at_checked(length)?;
        if ours && kind == reserved::GENEVE_OPTION_MSS && length > 0 {
            mss = be16(data, 0)?;
        }
        options = rest;
    }
    options.is_empty().then_some(mss)
}

/// DSCP and ECN after the tunnel (RFC 2983, uniform model; RFC 6040, figure 4); none where the packet must be dropped.
fn merge_tos(outer: u8, inner: u8) -> Option<u8> {
    let ecn = Ecn::of_octet(inner).decapsulate(Ecn::of_octet(outer))?;
    Some(outer & 0xfc | ecn.bits())
}

fn set_tos(ip: &mut [u8], packet: &Packet, tos: u8) {
    if packet.dst.is_ipv6() {
        ip[0] = 0x60 | tos >> 4;
        ip[1] = tos << 4 | ip[1] & 0xf;
        return;
    }
    // RFC 1624, equation 3.
    let old = !u32::from(u16::from_be_bytes([ip[10], ip[11]])) & 0xffff;
    let mut sum = old + (!u32::from(packet.tos) & 0xffff) + u32::from(tos);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    let [_, _, high, low] = (!sum).to_be_bytes();
    ip[10..12].copy_from_slice(&[high, low]);
    ip[1] = tos;
}
