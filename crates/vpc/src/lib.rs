//! One network built on the engine: a port's VPC configuration becomes a program of layers.
//!
//! [`program`] takes the objects that a controller hands down ([`rackweave_types::state`]) and
//! gives the program that the engine runs for the port. It is a function of them alone: the same
//! objects give the same program, so that whoever compares programs sees what a change would do.
//!
//! The layers, in the order of a packet of the guest (a packet to the guest passes them in
//! reverse); each rule's number says what it is for ([`RuleName`]):
//!
//! | layer | out | in |
//! |---|---|---|
//! | `guard` | forged addresses, VLAN tags, guests' DHCP servers and routers | foreign destinations |
//! | `gateway` | ARP, NDP, DHCP, echo; DNS and metadata to the agent; reserved addresses | the gateway's Ethernet address |
//! | `firewall` | users' rules | users' rules |
//! | `router` | routes, TTL, MTU | inside addresses from outside, MTU |
//! | `nat` | floating, ephemeral, shared external addresses | the same back |
//! | `overlay` | whom to send to, Geneve | from whom to take |
//!
//! A port's addresses need [mapping tables](mapping_table): those of its VPC, of each peer, and of
//! the external addresses of the AZ. They are shared by all ports of the VPC and change without a
//! new program ([`mapping_changes`]).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod check;
mod error;
mod layer;
mod mapping;
mod network;
mod numbers;
mod program;
pub mod punt;
mod rule;
mod services;

pub use check::{MAX_ADDRESSES, MAX_COMBINATIONS};
pub use error::{ConfigError, ConfigObject, Problem};
pub use mapping::{KEEP, mapping_changes, mapping_table};
pub use program::{PortProgram, advert, program};
pub use rule::{LayerName, RuleKind, RuleName};
pub use services::slaac_address;
