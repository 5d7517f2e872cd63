//! Journals: what a port cannot lose, in memory that outlives the process that serves it.
//!
//! A shard writes its connections into an array of fixed-size slots, one for each place of its flow table. To the
//! engine the array is `&mut [u8]`; the agent maps it from a file in memory (`/dev/shm`), so that it is there for the
//! next process after this one was killed. [`Shard::begin_journal`](crate::Shard::begin_journal) starts a journal,
//! [`Shard::journal`](crate::Shard::journal) brings it up to date, and
//! [`Port::recover`](crate::Port::recover) makes a port of the journals of all shards of the one before.
//!
//! # Order of writing
//!
//! A worker journals after each batch, *before* the batch's frames leave. So the journal is never behind what the
//! world has seen: connections, their outside ports and TCP states, whatever a frame that left depends on. Only what
//! changes with every packet (last use, counters) is behind, by the few seconds that a round of refreshing takes.
//!
//! A process may be killed in the middle of a write. A slot is written twice, first into the *draft* and then into its
//! place, and each copy has a checksum: one of the two is whole at any time. The header stands twice and is written by
//! turns. Nothing else than the process's end may come between: this is for memory, which a power failure empties, and
//! no format for disks.
//!
//! The journals of a port's shards belong together: they are begun anew, in other memory, before the first packet after
//! a recovery, and only when all are begun they take the place of those before.
//!
//! # Form
//!
//! Integers are little-endian, times are nanoseconds of the caller's clock: it must go on from process to process, as
//! the time since boot does, and a journal is only for processes of the same boot. The memory holds the hashes' secret
//! and every address the guest talks to: only the agent may read it.
//!
//! ```text
//!     0  header     magic "rwjournl" | version u16 | oldest reader u16 | length u16 | … | checksum u64 | …
//!  2048  header     the same; the whole one with the higher generation counts
//!  4032  beat       time of the last call, u64
//!  4096  draft      place u32 | … | at 4160 a slot
//!  8192  slots      192 octets each: checksum u64 (0: no connection) | sequence u64 | …
//! ```
//!
//! The fields are those of `header` and `slot` in this module, in their order. A version that only adds makes headers
//! or slots longer, and says by how much: readers take what they know from the front. One that takes something away
//! raises *oldest reader*. The bytes are frozen: a test reads the first version's for ever.

mod error;
mod header;
mod ink;
mod marks;
mod medium;
mod read;
mod recovery;
mod slot;

#[cfg(test)]
mod tests;

pub use error::{JournalError, Problem};
pub(crate) use header::{Header, digest};
pub(crate) use marks::Marks;
pub(crate) use medium::{Medium, len_of};
pub(crate) use recovery::{CARE, Gathered, gather};
pub use recovery::{Recovery, Unreadable};
pub(crate) use slot::{Entry, Slot};
