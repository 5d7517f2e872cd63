//! Rack setup.

use std::path::PathBuf;

use rackweave_types::{MacAddr, NodePrefix, RackPrefix, Role};
use serde::{Deserialize, Serialize};

/// Begins the rack: gives every sled and switch of it a /64, over the bootstrap network. Asked again, it goes on where it
/// ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RackInitRequest {
    /// The rack's /56.
    pub rack: RackPrefix,
    /// Where the rack's key lies, on this node: the directory of the AZ's keys, or of the rack's. None where messages are
    /// not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<PathBuf>,
}

/// Has another node keep the table of the rack in the place of one that is dead or leaves. The other keepers have to agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RackReplaceRequest {
    /// The keeper that is to be none, by its identity.
    pub keeper: String,
    /// Who keeps the table then, by its identity; the node with the lowest number that answers where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Where the rack's key lies, on this node, as with [`RackInitRequest`]; a keeper has it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<PathBuf>,
}

/// Asks for the table of the rack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RackShowRequest {}

/// Who of the rack has which /64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RackTable {
    /// The rack.
    pub rack: RackPrefix,
    /// Counts up from 1 with every change.
    pub version: u64,
    /// Its nodes, in order of number.
    pub nodes: Vec<RackNode>,
}

/// A node of the rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RackNode {
    /// Who it is.
    pub identity: String,
    /// The hardware address that its bootstrap prefix is made of.
    pub hardware: MacAddr,
    /// What it does.
    pub role: Role,
    /// Its /64.
    pub prefix: NodePrefix,
    /// Whether it keeps the table.
    pub keeper: bool,
    /// Whether the rack's key signed it.
    pub signed: bool,
}
