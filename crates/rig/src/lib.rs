//! Test rigs of real kernels: namespaces, clients, guests in QEMU. Nothing that is shipped depends on it.
//!
//! A [`Site`] is two sleds' network namespaces joined by two paths, with a boundary and the world outside behind it. A
//! [`World`] is what runs there: two VPCs with instances, as host states. A [`Lab`] is both, with a sled program on each
//! side and a guest in a namespace behind every TAP. [`Machine`]s are guests in QEMU.
//!
//! Everything runs in namespaces of its own and ends with its owner, also where a test panics; what a killed test left
//! behind, the next one removes.

mod boundary;
mod clock;
mod conversation;
mod guest;
mod lab;
mod machine;
mod namespace;
mod packages;
mod process;
mod root;
mod site;
mod sled;
mod sys;
mod world;

pub use boundary::{Boundary, Holder};
pub use clock::{SHORT, wait_until};
pub use conversation::{Conversation, Report, hold};
pub use guest::{Guest, Lease};
pub use lab::{Lab, PAIRS, Pair};
pub use machine::{CloudGuest, Device, Machine};
pub use namespace::Namespace;
pub use process::{Daemon, Output};
pub use root::may_run;
pub use site::{SLEDS, Site, Underlay};
pub use sled::Sled;
pub use world::{Member, World};
