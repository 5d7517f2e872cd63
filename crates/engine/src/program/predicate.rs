//! Predicates: which packets a rule is about.

use core::fmt;

use ipnet::{IpNet, Ipv6Net};
use rackweave_types::{MacAddr, Vni};
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

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(u16, u16)", into = "(u16, u16)")]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// From `first` to `last`, both included.
    ///
    /// # Errors
    /// Where `first` is above `last`.
    pub const fn new(first: u16, last: u16) -> Result<Self, PortRangeError> {
        if first > last { Err(PortRangeError { first, last }) } else { Ok(Self { first, last }) }
    }

    /// One port.
    #[must_use]
    pub const fn single(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// The lowest port.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    #[must_use]
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Whether `port` is within.
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

/// A range whose first port is above its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRangeError {
    /// The lower end as given.
    pub first: u16,
    /// The upper end as given.
    pub last: u16,
}

impl fmt::Display for PortRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port range {}-{} is empty", self.first, self.last)
    }
}

impl core::error::Error for PortRangeError {}

impl TryFrom<(u16, u16)> for PortRange {
    type Error = PortRangeError;

    fn try_from((first, last): (u16, u16)) -> Result<Self, Self::Error> {
        Self::new(first, last)
    }
}

impl From<PortRange> for (u16, u16) {
    fn from(range: PortRange) -> Self {
        (range.first, range.last)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}
