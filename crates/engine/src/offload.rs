//! Offload: connections that another executor (an eBPF program, a NIC) runs for a while.
//!
//! A shard with a [policy](crate::Shard::set_offload) announces established connections and calls them back
//! ([`Shard::pop_offload`](crate::Shard::pop_offload)), and takes [reports](crate::Shard::offload_report) of what the
//! executor did. The contract:
//!
//! - Events are carried out before the next packet. An [`Install`](OffloadEvent::Install) of an id that is there
//!   replaces the entry and lets its counts go on. After a [`Revoke`](OffloadEvent::Revoke) the executor removes the
//!   entry and sends one more report, marked as the last.
//! - The executor does what [`execute`] does, to the same bytes, and hands every packet back to the shard that
//!   [`execute`] hands back: with SYN, FIN or RST, of an old epoch, for a half that is not compiled, after the idle
//!   time, fragments, errors, and whatever would be dropped.
//! - Reports may be lost, repeated or come in any order: counts are cumulative since the first install of their id,
//!   and only the newest report counts. What a report says must not be older than the policy's lag when it arrives.
//!
//! Then the executor changes no verdict and no byte; counters and the ends of idle connections are late by no more
//! than the lag. Only TCP in established state and answered UDP are announced, and nothing that is metered (the meter
//! counts here), kept against the rules, or judged packet by packet while its other end moves. Places of the executor
//! go to connections in the order in which they ask; where none is left, idle ones are called back.

mod entry;
mod execute;
mod ledger;
mod report;

pub use entry::OffloadEntry;
pub use execute::{Executed, execute};
pub(crate) use ledger::{Due, Ledger, News, Stage};
pub use report::{OffloadCounts, OffloadReport, SizeCount};

use core::time::Duration;

use crate::flow::FlowHandle;

/// What is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffloadPolicy {
    /// Packets of both directions after which a connection is worth it.
    pub after_packets: u64,
    /// Entries that the executor has room for; those called back count until their last report or the lag is over.
    pub limit: u32,
    /// How old at most what a report says is when the shard gets it.
    pub lag: Duration,
    /// A connection without a packet for this long gives its place to another that asks while there is none.
    pub idle: Duration,
}

/// One stay of one connection at the executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OffloadId {
    /// The connection.
    pub flow: FlowHandle,
    /// Counts the stays of all connections of the shard, also across executors: no id comes twice.
    pub round: u32,
}

/// What the executor is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "an event is taken once and not kept; a box would be an allocation"
)]
pub enum OffloadEvent {
    /// Run this connection from now on. An id that is there gets a new entry.
    Install {
        /// Names the stay in reports.
        id: OffloadId,
        /// What to match and to do.
        entry: OffloadEntry,
    },
    /// Leave this connection to the shard from now on, and report a last time.
    Revoke {
        /// The stay that ends.
        id: OffloadId,
    },
}
