//! Predicates: which packets a rule is about.

use ipnet::{IpNet, Ipv6Net};
use rackweave_types::{MacAddr, Vni};
pub use rackweave_types::{PortRange, PortRangeError};
use serde::{Deserialize, Serialize};

use super::TagSet;

/// What a packet must have for a rule to apply; a field that is `None` asks for nothing.
///
/// All that is asked for must hold. A prefix of a family implies packets of that family. Direction is not here: a
/// layer has one rule set for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// Inner Ethernet type (behind an 802.1Q tag).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ether_type: Option<u16>,
    /// IP source (ARP: sender) within this prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src: Option<IpNet>,
    /// IP destination (ARP: target) within this prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst: Option<IpNet>,
    /// Upper-layer protocol number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u8>,
    /// Source port (TCP, UDP) within this range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_port: Option<PortRange>,
    /// Destination port (TCP, UDP) within this range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_port: Option<PortRange>,
    /// ICMP or ICMPv6 type; implies one of these protocols.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    /// ICMP or ICMPv6 code; implies one of these protocols.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u8>,
    /// Inner Ethernet source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_mac: Option<MacAddr>,
    /// Inner Ethernet destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_mac: Option<MacAddr>,
    /// Link-layer address that ARP or neighbour discovery claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_layer: Option<MacAddr>,
    /// Target of a neighbour solicitation or advertisement within this prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nd_target: Option<Ipv6Net>,
    /// Whether the inner frame carries an 802.1Q tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tagged: Option<bool>,
    /// VNI the packet came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vni: Option<Vni>,
    /// Source of the outer header the packet came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outer_src: Option<Ipv6Net>,
    /// Whether the Geneve header carried the EXTERNAL option.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<bool>,
    /// Tags that earlier layers must have set, all of them.
    pub tags: TagSet,
}
