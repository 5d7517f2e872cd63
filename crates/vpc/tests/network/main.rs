//! A port's program, from configuration to packets.
#![expect(clippy::unwrap_used, reason = "literals of the tests")]

mod configuration;
mod flows;
mod frames;
mod guard;
mod mapping;
mod outside;
mod properties;
mod rules;
mod services;
