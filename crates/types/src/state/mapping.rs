//! Virtual to physical: who holds an address.

use alloc::vec::Vec;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::StateVersion;
use crate::{Generation, MacAddr, NodePrefix, Vni};

/// Who holds the addresses of a network.
///
/// The network with the boundary's identifier is that of the external addresses which guests of
/// the AZ hold for themselves: what is sent to one of them goes straight to its holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingState {
    /// Version of the format.
    pub version: StateVersion,
    /// Counts the changes of this object.
    pub generation: Generation,
    /// The network.
    pub vni: Vni,
    /// The holders; the longest prefix wins.
    #[serde(default)]
    pub entries: Vec<MappingEntry>,
}

/// Who holds an address (a prefix of full length), or all of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MappingEntry {
    /// What is held.
    pub prefix: IpNet,
    /// The holder's sled.
    pub sled: NodePrefix,
    /// The holder's Ethernet address.
    pub mac: MacAddr,
}
