//! The underlay between two hosts of one kernel.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod pair;
mod throughput;
mod ways;
