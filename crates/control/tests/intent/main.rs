//! What is asked for, decided and planned.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod decide;
mod declare;
mod frozen;
mod messages;
mod plan;
mod property;
mod world;
