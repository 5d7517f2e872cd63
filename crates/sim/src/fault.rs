//! What can fail, and how.

use std::fmt;

use crate::topology::{CableIx, NodeIx, Topology};

/// Something that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A cable.
    Cable(CableIx),
    /// A node as a whole.
    Node(NodeIx),
}

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manner {
    /// Those at the other end lose the carrier.
    Loud,
    /// Frames vanish, and the carrier stays.
    Silent,
}

/// A part that fails in some way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fault {
    /// What.
    pub part: Part,
    /// How.
    pub manner: Manner,
}

impl Fault {
    /// The fault, for people.
    #[must_use]
    pub fn describe(&self, topology: &Topology) -> String {
        let name = match self.part {
            Part::Cable(cable) => topology.cable_name(cable),
            Part::Node(node) => topology.nodes[node.0].name.clone(),
        };
        format!("{name} {}", self.manner)
    }
}

impl fmt::Display for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loud => "down",
            Self::Silent => "silent",
        })
    }
}

/// All cables, and all nodes that pass packets on.
#[must_use]
pub fn parts(topology: &Topology) -> Vec<Part> {
    let cables = (0..topology.cables.len()).map(|at| Part::Cable(CableIx(at)));
    let transit = topology.all().filter(|(_, node)| node.role.is_transit());
    cables
        .chain(transit.map(|(ix, _)| Part::Node(ix)))
        .collect()
}

/// Every single part, and every pair of them.
#[must_use]
pub fn singles_and_pairs(parts: &[Part]) -> Vec<Vec<Part>> {
    let singles = parts.iter().map(|part| vec![*part]);
    let pairs = parts
        .iter()
        .enumerate()
        .flat_map(|(at, one)| parts[at + 1..].iter().map(|other| vec![*one, *other]));
    singles.chain(pairs).collect()
}
