//! Connections: one record for both directions, found by exact match.

mod key;
mod record;
mod tcp;

pub use record::{CompiledFlow, FlowClass, FlowKey, Record, Side};
pub use tcp::TcpState;
