//! From the customer's network to a sled.

use rackweave_types::{Vni, reserved};

use super::packet::{Fragment, Packet, TCP};
use super::{BRIDGING, ETHERNET, ETHERTYPE_IPV4, ETHERTYPE_IPV6, EXTERNAL, OUTER, be16};
use super::{Lookup, Transform, Verdict};
use crate::event::Event;
use crate::settings::Settings;
use crate::table::{Holder, Key, Value};

/// Octets of the MSS option.
const MSS_LEN: usize = 8;

pub(super) fn inbound<L: Lookup>(
    transform: &Transform<'_, L>,
    frame: &mut Vec<u8>,
    segment: u16,
) -> Result<Verdict, Verdict> {
    let settings = transform.settings;
    let (mut packet, ethertype) = read(frame)?;
    let holder = holder(transform, frame, &mut packet)?;
    if !packet.is_foreign() {
        return Err(Verdict::Drop(Event::InSource));
    }
    if settings.counts_hop && packet.hops <= 1 {
        return Err(Verdict::Pass(Some(Event::InHopLimit)));
    }
    let room = OUTER + EXTERNAL.len() + ETHERNET + if segment > 0 { MSS_LEN } else { 0 };
    let longest = if segment > 0 {
        usize::from(segment) + segment_headers(frame, &packet)
    } else {
        packet.total
    };
    let too_long = Verdict::Pass(Some(Event::InTooLong));
    let length = u16::try_from(room - 40 + packet.total).map_err(|_| too_long)?;
    if room + longest > usize::from(settings.mtu.get()) {
        return Err(too_long);
    }
    let entropy = packet.entropy(frame);
    if settings.counts_hop {
        count_hop(frame, &packet);
    }
    let headers = Headers {
        settings,
        holder,
        entropy,
        length,
        tos: packet.tos,
        segment,
        ethertype,
    };
    frame.splice(..ETHERNET, headers.octets());
    let octets = u32::try_from(packet.total).unwrap_or(u32::MAX);
    Ok(Verdict::Forward(Event::InForwarded, octets))
}

/// The IP packet of a frame, and its `EtherType`.
fn read(frame: &[u8]) -> Result<(Packet, u16), Verdict> {
    let ethertype = be16(frame, 12).ok_or(Verdict::Pass(None))?;
    let packet = match ethertype {
        ETHERTYPE_IPV4 => Packet::v4(frame, ETHERNET),
        ETHERTYPE_IPV6 => Packet::v6(frame, ETHERNET),
        _ => return Err(Verdict::Pass(None)),
    };
    let whole = packet.filter(|packet| ETHERNET + packet.total <= frame.len());
    let packet = whole.ok_or(Verdict::Drop(Event::InMalformed))?;
    Ok((packet, ethertype))
}

/// Who holds a packet's destination.
fn holder<L: Lookup>(
    transform: &Transform<'_, L>,
    frame: &[u8],
    packet: &mut Packet,
) -> Result<Holder, Verdict> {
    let found = transform.held.find(Key::whole(packet.dst));
    let found = found.ok_or_else(|| {
        let ours = transform
            .pools
            .iter()
            .any(|pool| pool.contains(&packet.dst));
        if ours {
            Verdict::Drop(Event::InUnmapped)
        } else {
            Verdict::Pass(None)
        }
    })?;
    if packet.dst.is_ipv6() {
        packet.extensions(frame);
    }
    let shift = match found {
        Value::Held(holder) => return Ok(holder),
        Value::Shared { shift } => shift,
    };
    if packet.fragment == Fragment::Later {
        return Err(Verdict::Drop(Event::InFragment));
    }
    let port = packet.port(frame);
    let port = port.ok_or(Verdict::Drop(Event::InNoPort))?;
    match transform.held.find(Key::block(packet.dst, port, shift)) {
        Some(Value::Held(holder)) => Ok(holder),
        Some(Value::Shared { .. }) | None => Err(Verdict::Drop(Event::InNoBlock)),
    }
}

/// The octets of the headers that each segment of a large packet has, from the IP header on.
fn segment_headers(frame: &[u8], packet: &Packet) -> usize {
    let offset = frame.get(packet.l4 + 12).filter(|_| packet.protocol == TCP);
    let upper = offset.map_or(8, |offset| usize::from(offset >> 4) * 4);
    packet.l4 - ETHERNET + upper
}

/// Counts the hop that this is (RFC 1624 for the checksum).
fn count_hop(frame: &mut [u8], packet: &Packet) {
    let ip = &mut frame[ETHERNET..];
    if packet.dst.is_ipv6() {
        ip[7] -= 1;
        return;
    }
    // A word that falls by 0x100 lets the checksum rise by as much.
    let (sum, carry) = u16::from_be_bytes([ip[10], ip[11]]).overflowing_add(0x100);
    let sum = sum.wrapping_add(u16::from(carry));
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    ip[8] -= 1;
}

/// What the headers of a tunnel say.
struct Headers<'a> {
    settings: &'a Settings,
    holder: Holder,
    entropy: u16,
    /// Octets behind the IPv6 header.
    length: u16,
    tos: u8,
    segment: u16,
    ethertype: u16,
}

impl Headers<'_> {
    /// All headers, up to and with the inner Ethernet header.
    fn octets(&self) -> Vec<u8> {
        let Self {
            settings, holder, ..
        } = self;
        let [_, vni @ ..] = Vni::BOUNDARY.get().to_be_bytes();
        let mut out = Vec::with_capacity(ETHERNET + OUTER + MSS_LEN + EXTERNAL.len() + ETHERNET);
        out.extend(settings.fabric.dst.octets());
        out.extend(settings.fabric.src.octets());
        out.extend(ETHERTYPE_IPV6.to_be_bytes());
        let tos = u32::from(self.tos) << 20;
        out.extend((0x6000_0000 | tos | u32::from(self.entropy)).to_be_bytes());
        out.extend(self.length.to_be_bytes());
        out.extend([17, 64]);
        out.extend(settings.group.octets());
        out.extend(settings.az.octets());
        out.extend([holder.rack, holder.node, 0, 0, 0, 0, 0, 0, 0, 1]);
        out.extend(self.entropy.to_be_bytes());
        out.extend(reserved::GENEVE_PORT.to_be_bytes());
        out.extend(self.length.to_be_bytes());
        out.extend([0, 0]);
        out.extend([if self.segment > 0 { 3 } else { 1 }, 0x40]);
        out.extend(BRIDGING.to_be_bytes());
        out.extend(vni);
        out.push(0);
        if self.segment > 0 {
            out.extend(reserved::GENEVE_OPTION_CLASS.to_be_bytes());
            out.extend([reserved::GENEVE_OPTION_MSS, 1]);
            out.extend(self.segment.to_be_bytes());
            out.extend([0, 0]);
        }
        out.extend(EXTERNAL);
        out.extend(holder.mac.octets());
        out.extend(settings.mac.octets());
        out.extend(self.ethertype.to_be_bytes());
        out
    }
}
