//! What rack setup needs of its own node.

use rackweave_routing::rack::Member;
use rackweave_trust::Assignment;
use rackweave_types::{MacAddr, NodePrefix, RackPrefix};
use serde::{Deserialize, Serialize};

/// A rack that is announced in the AZ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// The rack.
    pub(crate) rack: RackPrefix,
    /// Its switches that announce it, by hardware address.
    pub(crate) switches: Vec<MacAddr>,
}

/// What a node knows of itself and around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Surroundings {
    /// Itself.
    pub(crate) own: Member,
    /// Its /64, once it has one.
    pub(crate) prefix: Option<NodePrefix>,
    /// Nodes whose bootstrap prefix it can reach, by hardware address; not itself.
    pub(crate) reachable: Vec<MacAddr>,
    /// Racks that are announced by others than itself.
    pub(crate) heard: Vec<Heard>,
}

/// The node that rack setup runs on.
pub(crate) trait Local: Clone + Send + Sync + 'static {
    /// What it knows now; nothing where it is about to end.
    fn look(&self) -> impl Future<Output = Option<Surroundings>> + Send;

    /// Takes over its /64, now and after every restart.
    fn assign(&self, assignment: Assignment) -> impl Future<Output = ()> + Send;
}
