//! Instances and their NICs.

use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::state::{Caps, PortLimits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceSpec {
    /// Its host name; its name where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The sled it runs on; the one with the most room where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sled: Option<String>,
    /// Tags, by which firewall rules find it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The image it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Public SSH keys, in the form of `authorized_keys`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh_keys: Vec<String>,
    /// What cloud-init runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
}

/// A NIC of a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NicSpec {
    /// The VPC, one of the instance's project; it never changes.
    pub vpc: String,
    /// The subnet; it never changes.
    pub subnet: String,
    /// Its place among the instance's NICs; the lowest free one where none is named. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u8>,
    /// Its addresses in the subnet; one of each family that the subnet has where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpAddr>,
    /// Sources it may send with, and destinations it receives, besides its addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub transit: Vec<IpNet>,
    /// How fast it may send (`out`) and receive (`in`): `bytes` and `packets` a second, each with its burst.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub caps: Caps,
    /// How much state it may hold: `flows`, `fragments`, `punts`, `replies`; as the project's quota says otherwise.
    #[serde(default, skip_serializing_if = "PortLimits::is_default")]
    #[schema(value_type = Object)]
    pub limits: PortLimits,
    /// The longest packet; 1500 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
    /// External addresses for its life.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ephemeral: Vec<EphemeralSpec>,
    /// Whether it shares an external address with others, where its project has a pool for that; it does where nothing
    /// is said.
    #[serde(default = "nat")]
    pub nat: bool,
    /// How the guest meets the sled.
    #[serde(default)]
    pub device: DeviceSpec,
    /// Queue pairs of the device; one where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub queues: Option<u16>,
}

/// An external address for the life of a NIC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EphemeralSpec {
    /// The pool; the project's default for IPv4 where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
}

/// How a guest meets the sled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DeviceSpec {
    /// By a virtio-net device over a vhost-user socket.
    #[default]
    VhostUser,
    /// By a TAP, moved into a namespace where one is named.
    Tap {
        /// The namespace's path, such as `/run/netns/web`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        netns: Option<String>,
    },
}

const fn nat() -> bool {
    true
}
