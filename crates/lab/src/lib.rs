//! A rack on one machine: one [topology value](topology), the [namespaces](spaces) and [cables](wire) that it becomes,
//! the programs that run in them, and one [interface for faults](fault).
//!
//! | module | what |
//! |---|---|
//! | [`topology`] | nodes, links, roles, addresses |
//! | [`fault`] | what can be wrong with a link |
//! | [`management`] | the management network beside it: gateways, switches, units |
//! | [`wire`] | cables, and how faults are done to them |
//! | [`relay`] | the program that makes frames come later |
//! | [`spaces`] | namespaces, and the processes in them |
//! | [`reach`] | who reaches whom |
//! | [`place`], [`state`] | where a lab keeps what, from one command to the next |
//!
//! Nothing of a lab is outside its namespaces and its directory `/run/rackweave/lab/NAME`, and every process of it is in
//! one of its namespaces: what `down` removes is found by name, whatever became of the command that made it.

pub mod cli;
pub mod fault;
pub mod interrupt;
pub mod lab;
pub mod management;
pub mod place;
pub mod reach;
pub mod relay;
pub mod spaces;
pub mod state;
pub mod step;
pub mod topology;
pub mod wire;

mod clock;
mod program;
mod rack;
mod router;
mod tool;
