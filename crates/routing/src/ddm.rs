//! Delay-driven multipath: the interior protocol of the fabric.
//!
//! [`message`] is what is on the wire, [`item`] what sessions carry.

pub mod item;
