//! Changes.

use rackweave_types::Generation;
use serde::{Deserialize, Serialize};

/// What a host state that was handed over changed. One that cannot hold as a whole is refused, and changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The generation that holds now.
    pub generation: Generation,
    /// Ports that are new.
    pub added: u64,
    /// Ports whose program or device changed.
    pub changed: u64,
    /// Ports that are gone.
    pub removed: u64,
    /// Ports that stayed as they were.
    pub unchanged: u64,
}

/// Something that is wrong in a host state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectError {
    /// Where: an object such as `port 00000000000002f1`, a field, or both.
    pub object: String,
    /// What is wrong.
    pub error: String,
}

/// The sled is about to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {}
