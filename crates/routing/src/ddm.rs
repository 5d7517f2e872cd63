//! Delay-driven multipath: the interior protocol of the fabric.
//!
//! [`item`] is what sessions carry, [`session`] how; [`weigh`] is how ways share what is sent.

pub mod item;
pub mod session;
pub mod weigh;
