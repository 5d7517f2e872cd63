//! The tables that are programmed into the management switches' chips.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The tables of all chips.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Vlans {
    /// The type of rack.
    pub rack: String,
    /// The chips: the switches' and the units'.
    pub chips: Vec<Chip>,
}

/// The tables of a chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Chip {
    /// What it is: `vsc7448`, `ksz8463`.
    pub chip: String,
    /// Its ports.
    pub ports: Vec<ChipPort>,
    /// Its VLANs.
    pub vlans: Vec<VlanMembers>,
}

/// What a port of a chip is set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChipPort {
    /// Its number.
    pub port: u8,
    /// What it takes and gives.
    pub role: PortRole,
    /// The VLAN of an access port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
}

/// What a port takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PortRole {
    /// Takes untagged frames alone and tags them; takes the tag off what it gives.
    Access,
    /// Takes and gives frames with one tag.
    Trunk,
}

/// The ports of a VLAN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VlanMembers {
    /// Its number.
    pub vlan: u16,
    /// What it is for.
    pub purpose: String,
    /// Its ports.
    pub ports: Vec<u8>,
}
