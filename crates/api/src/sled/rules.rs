//! Rules.

use rackweave_types::{Direction, PortId};
use serde::{Deserialize, Serialize};

/// Asks for the rules of a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesRequest {
    /// Its number, MAC, an address, its device's or its instance's name.
    pub port: String,
}

/// The rules of a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The port.
    pub port: PortId,
    /// The rules: packets of the guest layer by layer, each layer's in the order in which they are tried, then packets
    /// to the guest likewise.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its layer.
    pub layer: String,
    /// Packets of which direction.
    pub direction: Direction,
    /// What it is for; `default` for what no rule of the layer matches.
    pub name: String,
    /// The number of the user's rule, route or subnet, or of the peer, that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Lower goes first; none for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u16>,
    /// What it says, where a user wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// How many rules of the engine it became.
    pub parts: u32,
    /// How many packets met it: first packets of connections, and all that no connection's record serves.
    pub hits: u64,
}
