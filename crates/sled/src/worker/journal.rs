//! What keeps a shard's state outside the process.

use std::fmt;

use rackweave_engine::Shard;
use rackweave_types::Instant;

/// Writes down what changed in a shard, so that a process that dies takes no connection with it.
pub trait JournalWriter: Send + fmt::Debug {
    /// Called after each batch and before its frames leave: nobody outside has seen what is not written down.
    fn write(&mut self, shard: &mut Shard, now: Instant);
}
