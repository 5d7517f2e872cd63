//! The plan of a large AZ, and the way of a change from whoever asks for it to every host.
//!
//! [`Fleet`] is the pure part: intent and its plan. [`Live`] is a controller as it runs, over a store on disk or three
//! members of etcd, and hosts beside it: each follows its controller by TLS with keys of its own, as a sled does, and
//! compiles what it hears into the programs of its ports, but has no guests.

mod fleet;
mod host;
mod keys;
mod live;

pub use fleet::Fleet;
pub use live::{CaughtUp, Live, Place, Propagated, Spread, StoreKind};
