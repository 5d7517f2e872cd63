//! Test rigs of real kernels: namespaces, clients, guests in QEMU. Nothing that is shipped depends on it.
//!
//! A [`Site`] is two sleds' network namespaces joined by two paths, with a boundary and the world outside behind it. A
//! [`World`] is what runs there: two VPCs with instances, as host states. A [`Lab`] is both, with a sled program on each
//! side and a guest in a namespace behind every TAP. [`Machine`]s are guests in QEMU. A [`Fabric`] is a lab of racks,
//! a [`Management`] one of a rack's management network. [`Etcd`] is a cluster of processes, a
//! [`Controller`] a program beside it, both without namespaces of their own.
//!
//! Everything runs in namespaces of its own and ends with its owner, also where a test panics; what a killed test left
//! behind, the next one removes.

mod boundary;
mod capture;
mod clock;
mod controller;
mod conversation;
mod etcd;
mod fabric;
pub mod figures;
mod guest;
mod lab;
mod machine;
mod management;
mod namespace;
mod packages;
mod process;
mod root;
mod server;
mod site;
mod sled;
mod sys;
mod terminal;
mod transfer;
mod world;

pub use boundary::{Boundary, Holder};
pub use capture::Capture;
pub use clock::{SHORT, wait_until};
pub use controller::Controller;
pub use conversation::{Conversation, Report};
pub use etcd::Etcd;
pub use fabric::{Fabric, Flows, Losses, Node, Probe};
pub use guest::{Guest, Lease};
pub use lab::{Lab, PAIRS, Pair};
pub use machine::{CloudGuest, Device, Machine};
pub use management::{Management, Usage};
pub use namespace::Namespace;
pub use process::{Daemon, Output};
pub use root::may_run;
pub use server::Server;
pub use site::{SLEDS, Site, Underlay};
pub use sled::Sled;
pub use terminal::Terminal;
pub use transfer::Transfer;
pub use world::{Member, World};

/// Makes three tests of each function that takes a [`Lab`]: over sockets, over TAPs, and one of each. Where the machine
/// lets no rig run they say so and pass.
#[macro_export]
macro_rules! on_each_underlay {
    ($($test:ident,)+) => {$(
        mod $test {
            fn over(pair: usize) -> ::anyhow::Result<()> {
                if $crate::may_run(stringify!($test)) {
                    let program = env!("CARGO_BIN_EXE_rackweave");
                    let mut lab = $crate::Lab::start(program, $crate::PAIRS[pair])?;
                    let done = super::$test(&mut lab);
                    lab.with_logs(done)?;
                }
                Ok(())
            }

            #[test]
            fn udp() -> ::anyhow::Result<()> {
                over(0)
            }

            #[test]
            fn tap() -> ::anyhow::Result<()> {
                over(1)
            }

            #[test]
            fn mixed() -> ::anyhow::Result<()> {
                over(2)
            }
        }
    )+};
}
