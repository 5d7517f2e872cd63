//! What a program is made of besides layers: limits, meters, address pools, the underlay.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

use rackweave_types::MacAddr;
use serde::{Deserialize, Serialize};

use super::Layer;

/// A port's program, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramSpec {
    /// The layers, in the order of a packet of the guest; 1 to [`ProgramSpec::MAX_LAYERS`].
    pub layers: Vec<Layer>,
    /// Where encapsulated packets come from and go to.
    pub underlay: Underlay,
    /// What [`Action::SourceNat`](super::Action::SourceNat) draws from.
    #[serde(default)]
    pub pools: Vec<NatPool>,
    /// What [`Action::Meter`](super::Action::Meter) counts against.
    #[serde(default)]
    pub meters: Vec<MeterSpec>,
    /// How long idle flows live.
    #[serde(default)]
    pub timeouts: Timeouts,
}

impl ProgramSpec {
    /// The most layers a program may have: one bit each in a flow's record.
    pub const MAX_LAYERS: usize = 16;
}

/// The sled's side of the tunnels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Underlay {
    /// The sled's tunnel end point, source of the outer IPv6 header.
    pub source: Ipv6Addr,
    /// Outer Ethernet source.
    pub src_mac: MacAddr,
    /// Outer Ethernet destination: whoever routes the underlay (the kernel behind an underlay TAP).
    pub dst_mac: MacAddr,
    /// Guest packets whose IP packet is longer than this carry the MSS option (design, contract "On the wire").
    pub guest_mtu: u16,
}

/// A block of ports of one address: an aligned power of two, so that who had a port is arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NatPool {
    /// The address the world sees.
    pub address: IpAddr,
    /// The lowest port, a multiple of `ports`.
    pub first_port: u16,
    /// How many ports, a power of two of at most 32,768.
    pub ports: u16,
}

/// A token bucket; a rate of `None` is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeterSpec {
    /// Octets a second (IP packets, without Ethernet).
    pub bytes_per_second: Option<u64>,
    /// Octets that may pass at once.
    pub burst_bytes: u64,
    /// Packets a second; a frame that will be cut counts as its segments.
    pub packets_per_second: Option<u64>,
    /// Packets that may pass at once.
    pub burst_packets: u64,
}

/// How long flows live without a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// TCP before the handshake is complete.
    pub tcp_half_open: Duration,
    /// TCP established: 2 hours 4 minutes (RFC 5382, REQ-5).
    pub tcp_established: Duration,
    /// TCP after RST or both FINs.
    pub tcp_closing: Duration,
    /// UDP and other protocols that nobody has answered yet.
    pub unanswered: Duration,
    /// UDP and other protocols with packets both ways (RFC 4787, REQ-5: 5 minutes).
    pub answered: Duration,
    /// ICMP queries: 60 seconds (RFC 5508, REQ-2).
    pub icmp: Duration,
    /// Fragments of a datagram after its first.
    pub fragments: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp_half_open: Duration::from_secs(20),
            tcp_established: Duration::from_mins(124),
            tcp_closing: Duration::from_secs(10),
            unanswered: Duration::from_secs(30),
            answered: Duration::from_mins(5),
            icmp: Duration::from_mins(1),
            fragments: Duration::from_secs(30),
        }
    }
}

/// How much state a port may hold; shared out evenly among its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections.
    pub flows: u32,
    /// Datagrams whose later fragments are awaited.
    pub fragments: u32,
    /// Packets that wait for the agent.
    pub punts: u32,
    /// Packets a second that the engine makes itself (echo, too-big, reject).
    pub replies_per_second: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flows: 65_536,
            fragments: 256,
            punts: 256,
            replies_per_second: 1_000,
        }
    }
}
