//! Instances and their NICs.

use std::net::IpAddr;
use std::num::NonZeroU16;

use ipnet::IpNet;
use rackweave_types::state::{Caps, PortLimits};
use rackweave_types::{MacAddr, Mtu, reserved};
use serde::{Deserialize, Serialize};

use super::GivenNat;
use crate::key::Id;
use crate::name::Name;

/// A guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSpec {
    /// Its host name; its name where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Name>,
    /// The sled it runs on; the one with the most room where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sled: Option<Name>,
    /// Tags, by which firewall rules find it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Name>,
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

/// What an instance was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceGiven {
    /// The sled it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sled: Option<Id>,
}

/// A NIC of a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicSpec {
    /// The VPC, one of the instance's project; it never changes.
    pub vpc: Name,
    /// The subnet; it never changes.
    pub subnet: Name,
    /// Its place among the instance's NICs; the lowest free one where none is named. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u8>,
    /// Its addresses in the subnet; one of each family that the subnet has where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// Sources it may send with, and destinations it receives, besides its addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transit: Vec<IpNet>,
    /// How fast it may send and receive.
    #[serde(default)]
    pub caps: Caps,
    /// How much state it may hold; as the project's quota says where nothing is said.
    #[serde(default, skip_serializing_if = "PortLimits::is_default")]
    pub limits: PortLimits,
    /// The longest packet.
    #[serde(default = "mtu")]
    pub mtu: Mtu,
    /// External addresses for its life.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ephemeral: Vec<EphemeralSpec>,
    /// Whether it shares an external address with others, where its project has a pool for that.
    #[serde(default = "nat")]
    pub nat: bool,
    /// How the guest meets the sled.
    #[serde(default)]
    pub device: DeviceSpec,
    /// Queue pairs of the device.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub queues: NonZeroU16,
}

/// An external address for the life of a NIC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EphemeralSpec {
    /// The pool; the project's default for IPv4 where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Name>,
}

/// How a guest meets the sled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// What a NIC was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicGiven {
    /// The VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<Id>,
    /// The subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<Id>,
    /// Its place among the instance's NICs.
    #[serde(default)]
    pub slot: u8,
    /// Its Ethernet address.
    #[serde(default)]
    pub mac: MacAddr,
    /// Its addresses.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// External addresses of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ephemeral: Vec<GivenEphemeral>,
    /// Its share of external addresses, one for each family.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nat: Vec<GivenNat>,
}

/// An external address for the life of a NIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenEphemeral {
    /// The pool.
    pub pool: Id,
    /// The address that the world sees.
    pub outside: IpAddr,
    /// The NIC's address that it stands for.
    pub inside: IpAddr,
}

const ONE: NonZeroU16 = NonZeroU16::MIN;

const fn one() -> NonZeroU16 {
    ONE
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
const fn is_one(queues: &NonZeroU16) -> bool {
    queues.get() == 1
}

const fn mtu() -> Mtu {
    reserved::GUEST_MTU
}

const fn nat() -> bool {
    true
}
