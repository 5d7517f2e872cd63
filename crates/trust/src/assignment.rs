//! What a rack states about a node.

use serde::{Deserialize, Serialize};

use rackweave_types::{MacAddr, NodePrefix, Role};

/// A node's role and /64, stated by its rack and signed with the rack's key at rack setup.
///
/// In unsigned fabrics the signature is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Assignment {
    /// Who the node is: what it was named, else its machine's serial number, else its least hardware address.
    pub identity: String,
    /// The hardware address that its bootstrap prefix is made of.
    pub hardware: MacAddr,
    /// What it does.
    pub role: Role,
    /// Its /64.
    pub prefix: NodePrefix,
    /// The signature of the rack's key over the fields above.
    pub signature: Vec<u8>,
}
