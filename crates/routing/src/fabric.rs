//! The machine of a node: joins the interior protocol, the rib, liveness and delay.
//!
//! A program feeds it [`Input`]s and does its [`Output`]s; so does the simulation.

mod input;
mod output;

pub use input::{Asker, FibAnswer, Input, KernelRoute, LinkId, LinkState, Measured, Now};
pub use output::{Event, EventKind, Hop, Installed, Output};
