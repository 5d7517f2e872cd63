//! Connections: one record for both directions, found by exact match.
//!
//! [`FlowTable`] is what a shard uses. Inside, a record's place never changes: the slab holds the records, the index
//! finds them by key, the wheel knows in which order they end.

mod compiled;
mod index;
mod key;
mod prefetch;
mod queue;
mod recent;
mod record;
mod slab;
mod table;
mod tcp;
mod wheel;

#[cfg(test)]
mod tests;

pub(crate) use prefetch::prefetch;
pub use record::{CompiledFlow, FlowClass, FlowKey, Record, Side};
pub use slab::FlowHandle;
pub use table::{EndReason, Ended, FlowPage, FlowTable, InsertError, TableError};
pub use tcp::TcpState;
