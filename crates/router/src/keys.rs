//! `rackweave keys …`: makes the tree of keys AZ root → rack → node, and shows it.
//!
//! Exit codes: 0 it worked; 1 it did not, and standard error says what, why and what to do; 2 the command line is
//! wrong.

mod command;
mod file;
mod node;
mod show;
#[cfg(test)]
mod tests;
mod tree;

pub use command::{KeysArgs, main};
pub use file::FileError;
pub(crate) use file::read_key;
pub use node::{
    AZ_CERTIFICATE, NODE_CERTIFICATE, NODE_KEY, NodeKeys, NodeKeysError, RACK_CERTIFICATE,
};
pub use tree::{AZ_KEY, NewNode, RACK_KEY, Term, Tree, TreeError};
