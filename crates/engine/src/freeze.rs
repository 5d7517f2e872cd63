//! Frozen shards: all state of a port as bytes, for migration to another host and for upgrades.
//!
//! [`Shard::freeze`](crate::Shard::freeze) gives one string of bytes for each shard, and
//! [`Port::thaw`](crate::Port::thaw) makes a port of them, of as many shards as the new host likes.
//!
//! The form, integers big-endian:
//!
//! ```text
//! magic "rwfrozen" | version u16 | oldest reader u16 | sections … | BLAKE3 of all before, 32 octets
//! section: id u16 | length u32 | a CBOR sequence (RFC 8742) of items with numbered fields
//! ```
//!
//! Sections and fields that a reader does not know are skipped, so bytes of the next version that only adds can be
//! read by this one (roll-back); a version that takes something away raises *oldest reader*. Fields and sections are
//! never given another meaning: a test reads the first version's bytes for ever.
//!
//! Nothing depends on the clock, the secret or the numbers of the shard that froze: times are ages, layers, rules and
//! drop reasons are named. What follows from the program (outer headers, which rules admit a flow *now*) is not
//! frozen: each thawed flow meets the layers again with its next packet of each direction, as after a change of
//! program. Which remote ends answered lately (an aid to eviction) is learnt anew from the flows. What an executor of
//! [`offload`](crate::offload) has not reported yet is not part of a frozen shard.
//!
//! The digest finds bytes that were damaged or cut short. It proves nobody's word: whoever carries the bytes between
//! hosts authenticates the other end.

mod code;
mod error;
mod frame;
mod item;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use error::{PartError, Problem, ThawError};
pub(crate) use item::{
    Cell, Drops, Flow, Fragment, Header, Hits, Meter, Punted, Totals, View, flag,
};
pub(crate) use read::{Part, flow_fault, read};
pub(crate) use write::Writer;
