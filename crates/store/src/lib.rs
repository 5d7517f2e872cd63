//! The storage door: versioned keys, compare-and-set of several, scans at a revision, watches from one.
//!
//! A [`Store`] keeps keys with values. A [`Commit`] changes several of them together or none, if what it expects holds, and
//! gets a [`Revision`]: revisions only grow, and every store has one order of them. Reads are of one revision, the newest
//! or an earlier one that is still known; a [`Watch`] tells each later commit, whole. The log that this takes is bounded:
//! what lies further back than [`EmbeddedOptions::history`] is forgotten.
//!
//! There are two kinds, and one suite of tests says that they behave alike: embedded in the process (one file, redb), and
//! on the members of an etcd cluster. What only one of them could hold is refused by both ([`Commit::MAX_WRITES`]).
//!
//! A watch is not trusted alone: [`Feed`] is a list, a watch, and a periodic comparison of both by [`Digest`].

mod commit;
mod digest;
mod embedded;
mod entry;
mod error;
mod etcd;
mod feed;
mod key;
mod revision;
mod store;
mod watch;

pub use commit::{Commit, CommitError, Expected, Mismatch};
pub use digest::Digest;
pub use embedded::EmbeddedOptions;
pub use entry::{Change, Entry, Event, Listing, Page};
pub use error::{OpenError, ReadError};
pub use etcd::EtcdOptions;
pub use feed::{Counts, Feed, FeedEvent, FeedOptions, Reason};
pub use key::{Key, KeyError};
pub use revision::Revision;
pub use store::Store;
pub use watch::Watch;
