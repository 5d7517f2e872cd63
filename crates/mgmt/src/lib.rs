//! The management network of a rack: every service processor on a link of its own to the gateway (seed RFD 250).
//!
//! ```text
//! MGS ──0x1xx── upstream VSC7448 downstream ──untagged── 1│2 KSZ8463 3 ──0x301│0x302── SP
//!               of switch A or B: one VLAN per port        on each sled, PSC and switch
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`address`] | MAC ranges of field-replaceable units, and the link-local addresses that follow |
//! | [`cabling`] | what both gateways see, joined: every swapped, missing or dead cable by name |
//! | [`location`] | which of the two switches a gateway sits on, from what service processors answer |
//! | [`plan`] | the VLAN tables of both chips, computed from the rack |
//! | [`port`] | ports, positions and units |
//! | [`rack`] | what a type of rack looks like: read from a file, refused where it could be ambiguous |
//! | [`sp`] | what a gateway and a service processor say to each other |
//! | [`stack`] | UDP over link-local IPv6 on one VLAN: tagged frames below, datagrams above |
//! | [`switch`] | the model of a switch chip: frames in, frames out |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod address;
pub mod cabling;
mod frame;
pub mod location;
pub mod plan;
pub mod port;
pub mod rack;
pub mod sp;
pub mod stack;
pub mod switch;
