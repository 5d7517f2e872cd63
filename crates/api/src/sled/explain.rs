//! What would become of a packet, and why.

use std::net::{IpAddr, Ipv6Addr};

use rackweave_types::{Direction, MacAddr, PortId, Vni};
use serde::{Deserialize, Serialize};

use super::{End, Flow};

/// Asks what would become of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainRequest {
    /// The port: its number, MAC, an address, its device's or its instance's name.
    pub port: String,
    /// Whether the guest sends it or it comes for the guest.
    pub direction: Direction,
    /// The packet.
    pub packet: PacketSpec,
}

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PacketSpec {
    /// One that is made as described.
    Described(Description),
    /// An Ethernet frame in hexadecimal digits; with its tunnel headers where it comes from the wire and has them.
    Hex(String),
}

/// What a packet is like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Number of its protocol.
    pub protocol: u8,
    /// Who sends it.
    pub from: End,
    /// To whom.
    pub to: End,
    /// The TCP flags octet; SYN where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_flags: Option<u8>,
    /// Type and code of ICMP; an echo request where they are not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp: Option<[u8; 2]>,
    /// Octets of payload.
    #[serde(default)]
    pub payload: u16,
    /// Ethernet source; the guest's own where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src_mac: Option<MacAddr>,
    /// The tunnel end point it comes from; whoever holds its source where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outer_source: Option<Ipv6Addr>,
    /// The network identifier it comes with; what its sender would use where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vni: Option<Vni>,
}

/// What would become of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The port.
    pub port: PortId,
    /// The direction.
    pub direction: Direction,
    /// The worker that would have served it.
    pub worker: u16,
    /// The packet as it would come.
    pub packet: FrameSummary,
    /// What was assumed of it.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Whether the record of its connection decides, without asking the layers.
    pub established: bool,
    /// Its connection, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    /// What each layer says, in the order in which they are asked. Where the record decides, what they would say.
    pub layers: Vec<LayerStep>,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What leaves: the packet changed, or the answer to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<FrameSummary>,
}

/// What one layer says of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerStep {
    /// The layer.
    pub layer: String,
    /// The rule: what it is for, or that none matched, or that the connection is known.
    pub rule: String,
    /// What the rule says, where a user wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// What the rule does, in words.
    pub does: Vec<String>,
    /// What it changes of the packet.
    pub changes: Vec<String>,
    /// Whether the packet's way ends here.
    pub ends: bool,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// `forward`, `hairpin`, `punt`, `drop`, `refuse` or `hand_over`.
    pub kind: String,
    /// The name of the reason for a drop or a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What that means.
    pub meaning: String,
    /// What can be done, where it is dropped.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
}

/// A frame as people describe it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameSummary {
    /// The tunnel around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outer: Option<OuterSummary>,
    /// Ethernet source.
    pub src_mac: MacAddr,
    /// Ethernet destination.
    pub dst_mac: MacAddr,
    /// Source, where it is an IP packet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src: Option<IpAddr>,
    /// Destination, where it is an IP packet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst: Option<IpAddr>,
    /// All of it in a line.
    pub text: String,
    /// Octets, tunnel headers included.
    pub len: u32,
}

/// The tunnel around a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OuterSummary {
    /// Source of the IPv6 header.
    pub src: Ipv6Addr,
    /// Destination of the IPv6 header.
    pub dst: Ipv6Addr,
    /// UDP source port: the hash of the inner flow.
    pub src_port: u16,
    /// Network identifier.
    pub vni: Vni,
    /// Whether the EXTERNAL option is there.
    #[serde(default)]
    pub external: bool,
}
