//! Delay-driven multipath: the interior protocol of the fabric.
//!
//! [`item`] is what sessions carry, [`session`] how, [`message`] what is on the wire; [`weigh`] is how ways
//! share what is sent.

pub mod item;
pub mod message;
pub mod session;
pub mod weigh;
