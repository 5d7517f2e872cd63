//! Layers and rules.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Action, Match};

/// One step of a packet's way: routing, firewall, address translation, …
///
/// Packets of the guest pass the layers in order, packets of the wire in reverse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// A short name, unique in the program; it stands in counters and explanations.
    pub name: String,
    /// What is done to packets of the guest.
    #[serde(rename = "out")]
    pub outbound: RuleSet,
    /// What is done to packets of the wire.
    #[serde(rename = "in")]
    pub inbound: RuleSet,
}

/// The rules of a layer for one direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSet {
    /// The rules; the first that matches, by priority and then by place, is the one that counts.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// What is done to a packet that no rule matches.
    pub default: Vec<Action>,
}

/// A rule: which packets, and what is done to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A number unique among the rules of its set; counters and explanations name the rule by it, and it keeps its
    /// counters over a change of program.
    pub id: RuleId,
    /// Lower goes first.
    pub priority: u16,
    /// Which packets.
    #[serde(rename = "match", default)]
    pub matches: Match,
    /// What is done, in order; see [`Action`] for what may follow what.
    pub actions: Vec<Action>,
}

/// The number of a rule, given by whoever wrote the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(pub u64);

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
