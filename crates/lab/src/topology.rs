//! What a lab is made of: one value, that everything else is derived from.

mod build;
mod name;

use std::fmt;

use ipnet::Ipv6Net;
use rackweave_types::{AzPrefix, MacAddr, RackNumber, Role};
use serde::{Deserialize, Serialize};

use crate::wire::Harness;

pub use build::{ShapeError, fabric, nothing};
pub use name::{LabName, LabNameError};

/// Where numbers of the fabric's middle ends begin.
const FIRST_INDEX: usize = 1000;

/// Nodes and links of a lab. What later runs in it (boundary, controllers, guests) finds its place here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// The lab.
    pub lab: LabName,
    /// The AZ that all racks are of.
    pub az: AzPrefix,
    /// The largest packet of every link.
    pub mtu: u32,
    /// Spines first, then rack by rack: switches, then sleds.
    pub nodes: Vec<Node>,
    /// Cables.
    pub links: Vec<Link>,
}

/// A machine of the lab: a network namespace, and the programs in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// `r1s3` is the third sled of rack 1, `r1a` and `r1b` are its switches, `sp1` is a spine.
    pub name: String,
    /// What it is to the fabric.
    pub role: Role,
    /// Its rack; a spine has none.
    pub rack: Option<RackNumber>,
    /// The hardware address that its bootstrap prefix is made of: that of its first link.
    pub hardware: MacAddr,
}

/// A cable between two nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The names of its nodes: `r1s3-r1a`.
    pub name: String,
    /// Its two ends.
    pub ends: [End; 2],
}

/// Where a cable meets a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The node.
    pub node: String,
    /// The interface in the node's namespace, named after the node at the other end.
    pub interface: String,
    /// The interface's address.
    pub mac: MacAddr,
    /// The end of the cable in the lab's namespace of cables, whose other side is `interface`.
    pub middle: String,
}

/// There is no such node or link in the lab.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is neither a link nor a node of the lab: `rackweave lab status` lists both")]
pub struct UnknownTarget {
    /// What was asked for.
    pub name: String,
}

impl Topology {
    /// The node with this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The nodes of a role.
    pub fn of_role(&self, role: Role) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.role == role)
    }

    /// The racks, in order.
    pub fn racks(&self) -> Vec<RackNumber> {
        let mut racks: Vec<_> = self.nodes.iter().filter_map(|node| node.rack).collect();
        racks.sort_unstable();
        racks.dedup();
        racks
    }

    /// The nodes of a rack.
    pub fn of_rack(&self, rack: RackNumber) -> impl Iterator<Item = &Node> {
        self.nodes
            .iter()
            .filter(move |node| node.rack == Some(rack))
    }

    /// The links of a node.
    pub fn links_of<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Link> {
        self.links.iter().filter(move |link| link.joins(node))
    }

    /// The prefix of a rack.
    #[must_use]
    pub fn rack_prefix(&self, rack: RackNumber) -> Ipv6Net {
        rackweave_types::RackPrefix::new(self.az, rack).net()
    }

    /// What its cables join.
    #[must_use]
    pub fn harness(&self) -> Harness<'_> {
        Harness {
            nodes: self.nodes.iter().map(|node| node.name.as_str()).collect(),
            links: &self.links,
            mtu: self.mtu,
            first_index: FIRST_INDEX,
        }
    }

    /// What people mean by a name: a link, its nodes in either order, or a node, which stands for all its links.
    ///
    /// # Errors
    /// [`UnknownTarget`].
    pub fn target(&self, name: &str) -> Result<Vec<&Link>, UnknownTarget> {
        let found: Vec<_> = match self.node(name) {
            Some(node) => self.links_of(&node.name).collect(),
            None => self
                .links
                .iter()
                .filter(|link| link.name == name || link.ends[1].middle == name)
                .collect(),
        };
        if found.is_empty() {
            return Err(UnknownTarget { name: name.into() });
        }
        Ok(found)
    }
}

impl Link {
    /// Whether it ends at the node.
    #[must_use]
    pub fn joins(&self, node: &str) -> bool {
        self.ends.iter().any(|end| end.node == node)
    }

    /// Which of its ends is the node's: 0 or 1.
    #[must_use]
    pub fn end_of(&self, node: &str) -> Option<usize> {
        self.ends.iter().position(|end| end.node == node)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.role)
    }
}
