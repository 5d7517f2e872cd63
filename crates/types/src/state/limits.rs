//! How much a port may send, receive and hold.

use serde::{Deserialize, Serialize};

use crate::{BytesPerSecond, PacketsPerSecond};

/// How fast a port may send and receive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Caps {
    /// Packets of the guest.
    #[serde(rename = "out", skip_serializing_if = "Cap::is_none")]
    pub outbound: Cap,
    /// Packets to the guest.
    #[serde(rename = "in", skip_serializing_if = "Cap::is_none")]
    pub inbound: Cap,
}

/// A cap for one direction; what is `None` is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cap {
    /// Octets of IP packets a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<BytesPerSecond>,
    /// Octets that may pass at once; where it is not given, a tenth of a second's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst_bytes: Option<u64>,
    /// Packets a second, a large segment counted as those it becomes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<PacketsPerSecond>,
    /// Packets that may pass at once; where it is not given, a tenth of a second's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst_packets: Option<u64>,
}

impl Cap {
    /// Whether nothing is limited.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.bytes.is_none() && self.packets.is_none()
    }
}

/// How much state a port may hold; what is `None` is as the engine has it by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortLimits {
    /// Connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flows: Option<u32>,
    /// Datagrams whose later fragments are awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fragments: Option<u32>,
    /// Packets that wait for the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub punts: Option<u32>,
    /// Packets that the engine makes itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replies: Option<PacketsPerSecond>,
}

impl PortLimits {
    /// Whether everything is as the engine has it.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
