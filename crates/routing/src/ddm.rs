//! Delay-driven multipath: the interior protocol of the fabric.
//!
//! [`item`] is what sessions carry, [`session`] how.

pub mod item;
pub mod session;
