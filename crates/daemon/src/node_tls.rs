//! TLS between nodes: the node keys of the fabric in X.509 form.
//!
//! A node's leaf certificate (RFC 5280) is signed by the node's own key and says nothing that is believed for itself. It
//! carries, in extensions of ours, the chain that proves whose key it is and the assignment that proves the node's /64.
//! Whoever checks it believes the AZ's root alone, as in the fabric: no other tree of certificates, no names to compare.

mod config;
mod der;
mod keys;
mod leaf;
#[cfg(test)]
mod testing;

pub use config::{client_config, server_config};
pub use keys::{Keys, KeysError};
pub use leaf::{Leaf, LeafError, Node, NodeError, node};
