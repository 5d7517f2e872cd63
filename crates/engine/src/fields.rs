//! What rules see of a packet and actions change of it.

use rackweave_types::{MacAddr, Vni};

use crate::addr::Addr;
use crate::direction::Direction;
use crate::program::TagSet;

/// The fields of one packet on its way through the layers.
///
/// Layers read and write these, not the bytes; what changed between the first and the last layer becomes the
/// packet's transform. Fields that a packet does not have are zero ([`Addr::NONE`], port 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// The way the packet goes.
    pub direction: Direction,
    /// Inner Ethernet source.
    pub src_mac: MacAddr,
    /// Inner Ethernet destination.
    pub dst_mac: MacAddr,
    /// Inner Ethernet type, behind an 802.1Q tag if there is one.
    pub ether_type: u16,
    /// Whether the inner frame carries an 802.1Q tag.
    pub tagged: bool,
    /// IP source, or the sender's protocol address of an ARP packet.
    pub src: Addr,
    /// IP destination, or the target protocol address of an ARP packet.
    pub dst: Addr,
    /// Upper-layer protocol, behind extension headers.
    pub protocol: u8,
    /// Source port; the identifier of an ICMP query, 0 of its reply.
    pub src_port: u16,
    /// Destination port; 0 of an ICMP query, the identifier of its reply.
    pub dst_port: u16,
    /// ICMP or ICMPv6 type; 0 for other protocols.
    pub icmp_type: u8,
    /// ICMP or ICMPv6 code; 0 for other protocols.
    pub icmp_code: u8,
    /// TCP flags byte; 0 for other protocols.
    pub tcp_flags: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Length of the IP packet in octets; of a segmentation offload frame, of all of it.
    pub ip_len: u32,
    /// Length in octets of the longest IP packet that leaves when the frame is cut; `ip_len` where it is not.
    pub segment_len: u32,
    /// What an ARP packet (sender) or a neighbour discovery option claims as link-layer address.
    pub link_layer: Option<MacAddr>,
    /// Target of a neighbour solicitation or advertisement.
    pub nd_target: Addr,
    /// VNI of the Geneve header the packet came in; `None` for packets of the guest.
    pub vni: Option<Vni>,
    /// Source of the outer IPv6 header the packet came in.
    pub outer_src: Addr,
    /// Whether the Geneve header carried the EXTERNAL option.
    pub external: bool,
    /// Tags that earlier layers set.
    pub tags: TagSet,
    /// Whose mapping is used to reach the destination, where a route names another than the packet's destination.
    pub next_hop: Addr,
}
