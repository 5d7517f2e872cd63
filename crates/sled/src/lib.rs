//! The sled: the host agent that joins guests, engine and underlay.

pub mod agent;
pub mod capture;
pub mod cli;
pub mod config;
pub mod control;
pub mod controller;
pub mod host;
pub mod journal;
pub mod metrics;
pub mod queue;
pub mod run;
pub mod underlay;
pub mod worker;
pub mod workers;
