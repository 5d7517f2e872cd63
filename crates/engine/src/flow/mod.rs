//! Connections: one record for both directions, found by exact match.

mod record;

pub use record::{CompiledFlow, FlowClass, FlowKey, Record, Side};
