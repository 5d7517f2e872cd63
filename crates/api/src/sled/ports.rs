//! Ports.

use std::net::IpAddr;

use rackweave_types::state::InstanceId;
use rackweave_types::{MacAddr, Mtu, PortId, Vni};
use serde::{Deserialize, Serialize};

/// Asks for the ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortsRequest {}

/// The ports, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// The ports.
    pub ports: Vec<PortInfo>,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortInfo {
    /// Its number.
    pub id: PortId,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceName>,
    /// Its Ethernet address.
    pub mac: MacAddr,
    /// Its VPC.
    pub vni: Vni,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// The external addresses that it has, alone or with others.
    #[serde(default)]
    pub external: Vec<IpAddr>,
    /// The longest IP packet of its guest.
    pub mtu: Mtu,
    /// Where its guest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// Whether the workers run it; if not, the status says why.
    pub running: bool,
    /// Whether a guest's device is joined to it.
    pub attached: bool,
    /// Why no guest's device is joined to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// How many connections it has.
    pub flows: u64,
    /// How many it may have.
    pub flow_limit: u32,
    /// What the guest sent.
    pub out: Traffic,
    /// What came for the guest.
    #[serde(rename = "in")]
    pub inbound: Traffic,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceName {
    /// Its number.
    pub id: InstanceId,
    /// Its host name.
    pub hostname: String,
}

/// Where a guest is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// `tap`, `vhost_user`, or `system` for the sled itself.
    pub kind: String,
    /// The interface's name or the socket's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The network namespace of the interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
}

/// Frames of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Frames handed to the engine; one that will be cut is one.
    pub packets: u64,
    /// Octets of those that were well-formed, as the guest sees them.
    pub bytes: u64,
    /// Frames dropped.
    pub drops: u64,
}
