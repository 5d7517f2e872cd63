//! Delay-driven multipath: the interior protocol of the fabric.
//!
//! [`item`] is what sessions carry, [`session`] how, [`message`] what is on the wire; [`policy`] says who is told what,
//! [`admit`] who may say what; [`learned`] is what neighbours said, [`exchange`] what they are told; [`weigh`] is how
//! ways share what is sent.

pub mod admit;
pub mod exchange;
pub mod item;
pub mod learned;
mod members;
pub mod message;
pub mod policy;
pub mod session;
pub mod weigh;
