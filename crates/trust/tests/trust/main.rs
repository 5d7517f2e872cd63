//! The crate as others use it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chain;
mod frozen;
mod tree;
