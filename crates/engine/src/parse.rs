//! One pass over a frame: where its headers are, and what flow it belongs to.
//!
//! This is the hot path's own reading of the headers; the views in `rackweave-wire` serve everything else. It is
//! total: every frame gives a [`Parsed`] or the [`DropReason`] that says what is wrong.

mod embedded;
mod inner;
mod neighbor;
pub(crate) mod outer;

use rackweave_types::MacAddr;

use crate::addr::Addr;
use crate::drop_reason::DropReason;
use crate::frame::Segment;

pub(crate) use embedded::Embedded;
pub(crate) use inner::{check_offload, checksum_offset};
pub use outer::{Outer, inner_destination, parse_outer};

/// Where the headers of an Ethernet frame are and what they say; offsets count from the start of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Ethernet destination.
    pub dst_mac: MacAddr,
    /// Ethernet source.
    pub src_mac: MacAddr,
    /// Ethernet type behind an 802.1Q tag.
    pub ether_type: u16,
    /// Whether there is an 802.1Q tag.
    pub tagged: bool,
    /// Offset of the network header.
    pub l3: u16,
    /// Offset of the upper-layer header; for a fragment that is not the first, of its payload.
    pub l4: u16,
    /// Offset just behind the network packet: what follows is Ethernet padding.
    pub end: u32,
    /// Network source (ARP: sender protocol address), [`Addr::NONE`] where there is none.
    pub src: Addr,
    /// Network destination (ARP: target protocol address).
    pub dst: Addr,
    /// Upper-layer protocol.
    pub protocol: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// The octet of DSCP and ECN.
    pub tos: u8,
    /// TCP flags byte.
    pub tcp_flags: u8,
    /// Source port; the identifier of an ICMP query.
    pub src_port: u16,
    /// Destination port; the identifier of an ICMP reply.
    pub dst_port: u16,
    /// ICMP type.
    pub icmp_type: u8,
    /// ICMP code.
    pub icmp_code: u8,
    /// What ARP or neighbour discovery claims as link-layer address.
    pub link_layer: Option<MacAddr>,
    /// Target of a neighbour solicitation or advertisement.
    pub nd_target: Addr,
    /// Set where the packet is a fragment.
    pub fragment: Option<Fragment>,
    /// Whether the packet is an ICMP error that embeds another packet.
    pub icmp_error: bool,
}

/// A fragment of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Identification, 16 bits for IPv4.
    pub id: u32,
    /// Offset of the payload in the datagram, in octets.
    pub offset: u16,
    /// Whether more follow.
    pub more: bool,
}

/// EtherType of IPv4.
pub(crate) const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub(crate) const ETHERTYPE_ARP: u16 = 0x0806;
/// EtherType of an 802.1Q tag.
pub(crate) const ETHERTYPE_VLAN: u16 = 0x8100;
/// EtherType of IPv6.
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86dd;

/// Upper-layer protocol numbers the parser tells apart.
pub(crate) mod protocol {
    pub(crate) const HOP_BY_HOP: u8 = 0;
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const DCCP: u8 = 33;
    pub(crate) const ROUTING: u8 = 43;
    pub(crate) const FRAGMENT: u8 = 44;
    pub(crate) const AUTHENTICATION: u8 = 51;
    pub(crate) const ICMPV6: u8 = 58;
    pub(crate) const DESTINATION_OPTIONS: u8 = 60;
    pub(crate) const UDP_LITE: u8 = 136;
}

impl Parsed {
    /// Reads an Ethernet frame.
    ///
    /// # Errors
    /// The reason for which a malformed frame is dropped.
    pub fn parse(bytes: &[u8]) -> Result<Self, DropReason> {
        let mut parsed = Self::NOTHING;
        parsed.read(bytes)?;
        Ok(parsed)
    }

    /// What is known of a frame before it was read.
    pub(crate) const NOTHING: Self = Self {
        dst_mac: MacAddr::ZERO,
        src_mac: MacAddr::ZERO,
        ether_type: 0,
        tagged: false,
        l3: 0,
        l4: 0,
        end: 0,
        src: Addr::NONE,
        dst: Addr::NONE,
        protocol: 0,
        ttl: 0,
        tos: 0,
        tcp_flags: 0,
        src_port: 0,
        dst_port: 0,
        icmp_type: 0,
        icmp_code: 0,
        link_layer: None,
        nd_target: Addr::NONE,
        fragment: None,
        icmp_error: false,
    };

    /// As [`parse`](Self::parse), in place: the packet path moves no headers about. After an error the value is of no
    /// use but to read the next frame into.
    #[inline(always)]
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), DropReason> {
        inner::read(bytes, self)
    }

    /// Whether the packet is IPv4.
    #[must_use]
    pub const fn is_v4(&self) -> bool {
        self.ether_type == ETHERTYPE_IPV4
    }

    /// Whether the packet is IPv4 or IPv6.
    #[must_use]
    pub const fn is_ip(&self) -> bool {
        self.ether_type == ETHERTYPE_IPV4 || self.ether_type == ETHERTYPE_IPV6
    }

    /// Length of the network packet in octets.
    #[must_use]
    pub const fn ip_len(&self) -> u32 {
        self.end - self.l3 as u32
    }

    /// Whether the packet is an ICMP query or its reply, which carry an identifier.
    #[must_use]
    pub const fn has_icmp_id(&self) -> bool {
        match self.protocol {
            protocol::ICMP => matches!(self.icmp_type, 0 | 8 | 13..=18),
            protocol::ICMPV6 => matches!(self.icmp_type, 128 | 129),
            _ => false,
        }
    }

    /// Whether this is a fragment other than the first, which has no upper-layer header.
    #[must_use]
    pub const fn is_later_fragment(&self) -> bool {
        matches!(self.fragment, Some(Fragment { offset: 1.., .. }))
    }

    /// How many packets this one becomes when it is cut, and how long the longest of them is (IP, in octets); `bytes`
    /// are the frame's.
    #[must_use]
    pub fn segments(&self, bytes: &[u8], segment: Option<Segment>) -> (u64, u32) {
        inner::segments(self, bytes, segment)
    }
}
