//! The seeds' flows ("Example Packet Flows"), captured on both sides of every port and compared
//! packet by packet with the captures in `captures/`.
//!
//! The engine's keys are fixed here, so what it does is the same every time. Where a change of the
//! engine changes packets on purpose, `RACKWEAVE_BLESS=1 cargo nextest run -p rackweave-vpc` writes
//! the captures anew; the commit says why they changed.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod compare;
mod dissection;
mod flows;
mod message;
mod refusals;
mod services;
mod stage;
mod tshark;
