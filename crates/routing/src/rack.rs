//! Rack setup: who of a rack has which /64, and how its keepers agree on it.
//!
//! A rack's [`Table`] is made once, by `rackweave rack init` on any one node, over the bootstrap network alone; three
//! nodes keep it, and give later arrivals the lowest free number. Each version of the table is one decree: it is chosen
//! by single-decree Paxos, and says who keeps it and so who chooses the next one.
//!
//! | version | acceptors | quorum |
//! |---|---|---|
//! | 1 | every node that the one that proposes it has found | all of them: two that begin a rack at once meet in any node that both found, and one of them adopts the other's table |
//! | later | the keepers that the version before names | the majority of them |
//!
//! A version may name other keepers than the one before ([`Table::replaced`]): a keeper that is dead is replaced while the
//! others are a majority. Who is chosen to keep it learns the version before it is asked for the next one.
//!
//! [`Acceptor`] is what a node has promised and accepted; its program keeps it on disk before it answers. [`Proposer`]
//! is one attempt at one version; whoever loses it tries again with a higher [`Ballot`]. Both are machines: lost, late
//! and doubled messages and restarts are their callers', and do no harm.

mod acceptor;
mod ballot;
mod proposer;
mod table;
#[cfg(test)]
mod tests;

pub use acceptor::{Acceptor, Reply, Request};
pub use ballot::Ballot;
pub use proposer::{Proposer, Step};
pub use table::{Member, Table, TableError};
