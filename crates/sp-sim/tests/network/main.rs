//! Service processors and switches over real frames, in a namespace of their own: what the seed's figures show, who
//! reaches whom, what a gateway orders, and what a subverted service processor cannot.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests end where something is missing"
)]

mod cables;
mod gateway;
mod isolation;
mod orders;
mod place;
mod subverted;
mod walk;
mod world;
