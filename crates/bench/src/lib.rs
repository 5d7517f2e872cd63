//! What is measured of the pure crates. Most of it is of the engine: one place of programs and traffic for the figures
//! (`cargo xtask figures engine`) and for the benchmarks (`cargo bench -p rackweave-engine`).
//!
//! The port that is measured is a VPC's, as `rackweave-vpc` makes its program from the objects in
//! `network/`: anti-spoofing, gateway services, a stateful firewall, routes by prefix, one external
//! address for the guest's own (1:1 NAT), and Geneve to the boundary. Its guest talks to the world
//! outside, so that every packet passes all six layers, is translated and is encapsulated.
//!
//! How time is measured: packets are built beforehand, each flow's once, in random order. A round
//! copies them into frames, 32 at a time, and sends these through the engine, one by one or as a
//! batch; the same round without the engine is measured beside it and subtracted, so that a figure is the engine's share alone. The clock is
//! the thread's own (its time on a processor), and of several rounds the fastest counts: programs
//! beside it only ever make a round slower.
#![forbid(unsafe_code)]

pub mod clock;
pub mod control;
pub mod established;
pub mod instructions;
pub mod lookup;
pub mod network;
pub mod opening;
pub mod rounds;
pub mod segments;
pub mod traffic;
pub mod workers;
