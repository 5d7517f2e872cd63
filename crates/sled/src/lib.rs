//! The sled: the host agent that joins guests, engine and underlay.

pub mod queue;
