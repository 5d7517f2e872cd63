//! YAML as people write it: read with the place of each value, and written.

mod read;
mod write;

pub(crate) use read::{Content, Mark, Node, Wrong, read};
pub(crate) use write::{Tree, write};
