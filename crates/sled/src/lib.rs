//! The sled: the host agent that joins guests, engine and underlay.

pub mod agent;
pub mod config;
pub mod host;
pub mod journal;
pub mod lock;
pub mod queue;
pub mod run;
pub mod underlay;
pub mod worker;
pub mod workers;
