//! A sled's place on the underlay.

use serde::{Deserialize, Serialize};

use super::StateVersion;
use crate::{MacAddr, Mtu, NodePrefix};

/// What encapsulated packets of a sled have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SledUnderlay {
    /// Version of the format.
    pub version: StateVersion,
    /// The sled's /64; its tunnel end point is the source of the outer header.
    pub sled: NodePrefix,
    /// Outer Ethernet source.
    pub src_mac: MacAddr,
    /// Outer Ethernet destination: whoever routes the underlay.
    pub dst_mac: MacAddr,
    /// The longest packet that the underlay carries.
    pub mtu: Mtu,
}
