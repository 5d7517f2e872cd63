//! Service processors and management switches of a rack, simulated over real frames.
//!
//! ```text
//! control socket ── jobs ──► machine (one thread) ◄── frames ──► interfaces by name
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`sp`] | `rackweave sp-sim`: service processors of sleds, switches and power shelves |
//! | [`switch`] | `rackweave switch-sim`: the two switch chips of the management network |
//!
//! Both are processes of their own that share neither memory nor files with a gateway: frames alone go between them.

mod control;
mod life;
mod machine;
pub mod sp;
pub mod switch;
mod wires;
