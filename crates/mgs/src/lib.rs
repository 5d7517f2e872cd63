//! The management gateway: finds, locates and commands every service processor of a rack.
//!
//! ```text
//! commands, the other gateway ── http ──┬── judge: both views joined, is the switch held?
//!                                       ├── updates: images that wait
//!                                       └── drive: the loop ── gateway: the machine ── uplink
//! ```
//!
//! The machine ([`gateway`]) owns no clock and no socket; everything that it sees is told outside as [`seen::Seen`].

pub mod cli;
pub mod config;
mod convert;
mod data;
pub mod drive;
pub mod gateway;
pub mod hold;
pub mod http;
pub mod judge;
pub mod kept;
pub mod keys;
mod metrics;
pub mod racks;
pub mod run;
pub mod seen;
pub mod updates;
mod vlans;
