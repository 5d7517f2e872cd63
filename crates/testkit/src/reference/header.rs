//! Headers, read one after the other.

use rackweave_engine::Direction;
use rackweave_engine::addr::Addr;
use rackweave_engine::fields::Fields;
use rackweave_engine::frame::{Offload, Segment, SegmentKind};
use rackweave_engine::program::TagSet;
use rackweave_types::{MacAddr, Vni};

use crate::number::{
    DESTINATION_OPTIONS, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN, FRAGMENT,
    HOP_BY_HOP, ICMP, ICMPV6, TCP, UDP,
};

/// The tunnel that a frame from the wire comes in.
#[derive(Clone, Debug)]
pub(super) struct Tunnel {
    pub(super) src: Addr,
    pub(super) tos: u8,
    pub(super) vni: Vni,
    pub(super) external: bool,
    pub(super) mss: Option<u16>,
    /// Whether there is an option that must be understood and is not.
    pub(super) critical: bool,
    /// Where the inner frame begins.
    pub(super) len: usize,
}

/// A frame of the guest.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) fields: Fields,
    pub(super) l3: usize,
    pub(super) l4: usize,
    pub(super) end: usize,
    pub(super) tos: u8,
    pub(super) fragment: Option<Fragment>,
    /// Whether it is an ICMP error.
    pub(super) is_error: bool,
}

/// A fragment of a datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment {
    pub(super) identification: u32,
    pub(super) offset: u16,
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn v4(bytes: &[u8], at: usize) -> Option<Addr> {
    let octets: [u8; 4] = *bytes.get(at..)?.first_chunk()?;
    Some(std::net::Ipv4Addr::from(octets).into())
}

fn v6(bytes: &[u8], at: usize) -> Option<Addr> {
    Some(Addr::from_octets(*bytes.get(at..)?.first_chunk()?))
}

fn mac(bytes: &[u8], at: usize) -> Option<MacAddr> {
    Some(MacAddr::new(*bytes.get(at..)?.first_chunk()?))
}

impl Tunnel {
    /// Reads Ethernet, IPv6, UDP, Geneve and its options.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let words = usize::from(*bytes.get(62)? & 0x3f);
        let mut tunnel = Self {
            src: v6(bytes, 22)?,
            tos: bytes[14] << 4 | bytes[15] >> 4,
            vni: Vni::new(u32::from_be_bytes(*bytes.get(66..)?.first_chunk()?) >> 8).ok()?,
            external: false,
            mss: None,
            critical: false,
            len: 70 + 4 * words,
        };
        let mut options = bytes.get(70..tunnel.len)?;
        while let Some([class_high, class_low, kind, len]) = options.first_chunk() {
            let data = options.get(4..4 + 4 * usize::from(*len & 0x1f))?;
            match ([*class_high, *class_low], *kind) {
                ([0xff, 0x52], 0x81) => tunnel.external = true,
                ([0xff, 0x52], 0x02) => tunnel.mss = word(data, 0),
                (_, 0x80..) => tunnel.critical = true,
                _ => {}
            }
            options = &options[4 + data.len()..];
        }
        Some(tunnel)
    }
}

impl Header {
    /// Reads a frame of the guest.
    pub(super) fn read(
        direction: Direction,
        bytes: &[u8],
        tunnel: Option<&Tunnel>,
        offload: Offload,
    ) -> Option<Self> {
        let mut header = Self {
            fields: fields(direction, bytes, tunnel)?,
            l3: 14,
            l4: 14,
            end: bytes.len(),
            tos: 0,
            fragment: None,
            is_error: false,
        };
        if header.fields.ether_type == ETHERTYPE_VLAN {
            header.fields.tagged = true;
            header.fields.ether_type = word(bytes, 16)?;
            (header.l3, header.l4) = (18, 18);
        }
        match header.fields.ether_type {
            ETHERTYPE_IPV4 => header.ipv4(bytes)?,
            ETHERTYPE_IPV6 => header.ipv6(bytes)?,
            ETHERTYPE_ARP => header.arp(bytes)?,
            _ => {}
        }
        let len = u32::try_from(header.end - header.l3).ok()?;
        header.fields.ip_len = len;
        header.fields.segment_len = len;
        if let Some(segment) = header.cut(tunnel, offload) {
            header.fields.segment_len = header.longest(segment);
        }
        Some(header)
    }

    pub(super) const fn is_ip(&self) -> bool {
        matches!(self.fields.ether_type, ETHERTYPE_IPV4 | ETHERTYPE_IPV6)
    }

    pub(super) const fn is_v4(&self) -> bool {
        self.fields.ether_type == ETHERTYPE_IPV4
    }

    /// Whether the packet is one of a connection that is worth remembering.
    pub(super) fn is_trackable(&self) -> bool {
        let fields = &self.fields;
        let discovery = fields.protocol == ICMPV6 && matches!(fields.icmp_type, 133..=137);
        let unicast = fields.dst_mac.octets()[0] & 1 == 0;
        self.is_ip() && unicast && !fields.tagged && !self.is_error && !discovery
    }

    pub(super) fn is_later_fragment(&self) -> bool {
        self.fragment.is_some_and(|fragment| fragment.offset > 0)
    }

    /// How the inner frame is to be cut.
    pub(super) fn cut(&self, tunnel: Option<&Tunnel>, offload: Offload) -> Option<Segment> {
        let kind = if self.fields.protocol == TCP {
            SegmentKind::Tcp
        } else {
            SegmentKind::Udp
        };
        let mss = tunnel
            .and_then(|tunnel| tunnel.mss)
            .filter(|_| self.end - self.l3 > 1500);
        offload.segment.or(mss.map(|size| Segment { kind, size }))
    }

    /// The longest packet when the frame is cut.
    fn longest(&self, segment: Segment) -> u32 {
        let upper = match segment.kind {
            SegmentKind::Tcp => 20,
            SegmentKind::Udp => 8,
        };
        let headers = self.l4 + upper - self.l3;
        let payload = (self.end - self.l3).saturating_sub(headers);
        let payload = payload.min(usize::from(segment.size));
        u32::try_from(headers + payload).unwrap_or(u32::MAX)
    }

    fn ipv4(&mut self, bytes: &[u8]) -> Option<()> {
        let ip = bytes.get(self.l3..)?;
        let fields = &mut self.fields;
        self.tos = *ip.get(1)?;
        self.end = self.l3 + usize::from(word(ip, 2)?);
        self.l4 = self.l3 + 4 * usize::from(ip[0] & 0xf);
        let place = word(ip, 6)?;
        if place & 0x3fff != 0 {
            self.fragment = Some(Fragment {
                identification: u32::from(word(ip, 4)?),
                offset: (place & 0x1fff) * 8,
            });
        }
        fields.ttl = *ip.get(8)?;
        fields.protocol = *ip.get(9)?;
        fields.src = v4(ip, 12)?;
        fields.dst = v4(ip, 16)?;
        self.upper(bytes)
    }

    fn ipv6(&mut self, bytes: &[u8]) -> Option<()> {
        let ip = bytes.get(self.l3..)?;
        self.tos = *ip.first()? << 4 | *ip.get(1)? >> 4;
        self.end = self.l3 + 40 + usize::from(word(ip, 4)?);
        self.fields.ttl = *ip.get(7)?;
        self.fields.src = v6(ip, 8)?;
        self.fields.dst = v6(ip, 24)?;
        let (mut next, mut at) = (*ip.get(6)?, 40);
        loop {
            match next {
                HOP_BY_HOP | DESTINATION_OPTIONS => {
                    next = *ip.get(at)?;
                    at += 8 * (1 + usize::from(*ip.get(at + 1)?));
                }
                FRAGMENT => {
                    next = *ip.get(at)?;
                    let place = word(ip, at + 2)?;
                    let low = word(ip, at + 6)?;
                    if place != 0 {
                        self.fragment = Some(Fragment {
                            identification: u32::from(word(ip, at + 4)?) << 16 | u32::from(low),
                            offset: place & 0xfff8,
                        });
                    }
                    at += 8;
                }
                _ => break,
            }
            if self.is_later_fragment() {
                break;
            }
        }
        self.fields.protocol = next;
        self.l4 = self.l3 + at;
        self.upper(bytes)
    }

    fn upper(&mut self, bytes: &[u8]) -> Option<()> {
        if self.is_later_fragment() {
            return Some(());
        }
        let upper = bytes.get(self.l4..self.end)?;
        let (v4, fields) = (self.fields.ether_type == ETHERTYPE_IPV4, &mut self.fields);
        match fields.protocol {
            TCP | UDP => {
                fields.src_port = word(upper, 0)?;
                fields.dst_port = word(upper, 2)?;
                if fields.protocol == TCP {
                    fields.tcp_flags = *upper.get(13)?;
                }
            }
            ICMP if v4 => {
                fields.icmp_type = *upper.first()?;
                fields.icmp_code = *upper.get(1)?;
                match fields.icmp_type {
                    8 | 13 | 15 | 17 => fields.src_port = word(upper, 4)?,
                    0 | 14 | 16 | 18 => fields.dst_port = word(upper, 4)?,
                    3 | 4 | 5 | 11 | 12 => self.is_error = true,
                    _ => {}
                }
            }
            ICMPV6 if !v4 => {
                fields.icmp_type = *upper.first()?;
                fields.icmp_code = *upper.get(1)?;
                match fields.icmp_type {
                    128 => fields.src_port = word(upper, 4)?,
                    129 => fields.dst_port = word(upper, 4)?,
                    0..=127 => self.is_error = true,
                    133 => fields.link_layer = link_layer(upper, 8, 1),
                    135 => {
                        fields.nd_target = v6(upper, 8)?;
                        fields.link_layer = link_layer(upper, 24, 1);
                    }
                    136 => {
                        fields.nd_target = v6(upper, 8)?;
                        fields.link_layer = link_layer(upper, 24, 2);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Some(())
    }

    fn arp(&mut self, bytes: &[u8]) -> Option<()> {
        let arp = bytes.get(self.l3..)?;
        self.fields.protocol = *arp.get(7)?;
        self.fields.link_layer = mac(arp, 8);
        self.fields.src = v4(arp, 14)?;
        self.fields.dst = v4(arp, 24)?;
        self.end = self.l3 + 28;
        Some(())
    }
}

/// The first option of this kind among those of a neighbour discovery message.
fn link_layer(message: &[u8], at: usize, kind: u8) -> Option<MacAddr> {
    let mut options = message.get(at..)?;
    while let Some([found, units]) = options.first_chunk() {
        if *found == kind {
            return mac(options, 2);
        }
        options = options.get(8 * usize::from((*units).max(1))..)?;
    }
    None
}

/// What the Ethernet header says, and the tunnel.
fn fields(direction: Direction, bytes: &[u8], tunnel: Option<&Tunnel>) -> Option<Fields> {
    Some(Fields {
        direction,
        src_mac: mac(bytes, 6)?,
        dst_mac: mac(bytes, 0)?,
        ether_type: word(bytes, 12)?,
        tagged: false,
        src: Addr::NONE,
        dst: Addr::NONE,
        protocol: 0,
        src_port: 0,
        dst_port: 0,
        icmp_type: 0,
        icmp_code: 0,
        tcp_flags: 0,
        ttl: 0,
        ip_len: 0,
        segment_len: 0,
        link_layer: None,
        nd_target: Addr::NONE,
        vni: tunnel.map(|tunnel| tunnel.vni),
        outer_src: tunnel.map_or(Addr::NONE, |tunnel| tunnel.src),
        external: tunnel.is_some_and(|tunnel| tunnel.external),
        tags: TagSet::EMPTY,
        next_hop: Addr::NONE,
    })
}
