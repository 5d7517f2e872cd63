//! Connections.

use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::{Direction, PortId};
use serde::{Deserialize, Serialize};

/// Asks for connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowsRequest {
    /// Of this port only: its number, MAC, an address, its device's or its instance's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Which of them.
    #[serde(default)]
    pub filter: FlowFilter,
    /// At most so many; all where there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Which connections: all that is asked for must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowFilter {
    /// One of their ends, on either side of translation, lies here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpNet>,
    /// One of their ends, on either side of translation, has this transport port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Their protocol's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u8>,
}

/// A part of the connections asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flows {
    /// The connections.
    pub flows: Vec<Flow>,
    /// In the last part: whether there are more than the limit.
    #[serde(default)]
    pub cut: bool,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Its port.
    pub port: PortId,
    /// The worker that holds it.
    pub worker: u16,
    /// Number of its protocol.
    pub protocol: u8,
    /// The guest's end, as the guest sees it.
    pub local: End,
    /// The other end, as the guest sees it.
    pub remote: End,
    /// The guest's end, as the other end sees it, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<End>,
    /// The other end as it is in the tunnel, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside_remote: Option<End>,
    /// The direction of its first packet.
    pub began: Direction,
    /// How it stands: the state of TCP, or whether it was answered.
    pub state: String,
    /// Since its first packet, in milliseconds.
    pub age_ms: u64,
    /// Since its last packet, in milliseconds.
    pub idle_ms: u64,
    /// Packets out and in.
    pub packets: [u64; 2],
    /// Octets of IP packets, out and in.
    pub bytes: [u64; 2],
    /// The programs of the port, counted since it began, that last admitted packets out and in; 0 where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<[u32; 2]>,
    /// The program that the port runs now.
    pub epoch: u32,
    /// Whether it lives although the rules of now would not let it begin.
    #[serde(default)]
    pub kept: bool,
    /// Whether another executor runs it.
    #[serde(default)]
    pub offloaded: bool,
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct End {
    /// Its address.
    pub address: IpAddr,
    /// Its transport port, or the identifier of an ICMP query; 0 where the protocol has none.
    #[serde(default)]
    pub port: u16,
}
