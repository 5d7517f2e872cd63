//! Boundary services: between the customer's network and the fabric.
//!
//! A packet from outside goes to the sled that holds its destination, in a tunnel of the boundary's network and marked
//! as external; what sleds send out of such tunnels goes on as it is. Nothing is kept of any connection: who holds what
//! ([`mapping`]) is all there is, in a table ([`table`]) that the kernel's programs read while it changes.
//!
//! The transformation is written twice: in C, for the kernel (`bpf/boundary.c`, as a tc and as an XDP program), and in
//! Rust ([`transform`]), which says what it is. A test runs all three on the same packets.

pub mod event;
pub mod mapping;
pub mod program;
pub mod settings;
pub mod table;
pub mod transform;

pub use event::Event;
pub use mapping::Mappings;
pub use settings::Settings;
