//! Whole racks in virtual time, from a seed: every node runs the machine that the router runs.
//!
//! | module | what it is |
//! |---|---|
//! | [`topology`] | which nodes there are, and which cables between them |
//! | [`world`] | a topology that runs |
//! | [`fault`] | what can fail, and how |
//! | [`check`] | what must hold once routes are calm |
//! | [`campaign`] | many failures, one after the other |
//! | [`plant`] | faults planted on purpose, to see that they are found |
//! | [`scale`] | what a large fabric costs |
//! | [`tape`] | what a node was told, to be told again |
#![forbid(unsafe_code)]

mod cable;
pub mod campaign;
pub mod check;
pub mod fault;
pub mod fib;
pub mod node;
pub mod plant;
pub mod queue;
pub mod random;
pub mod scale;
pub mod tape;
pub mod topology;
pub mod world;
