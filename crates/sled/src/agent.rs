//! What guests ask of their network and the engine does not answer itself: DNS, metadata, and router advertisements
//! that come unasked.
//!
//! ```text
//! workers ── Punted ──► serve ──► Machine ── per guest: rate, queue, turns ──► packet ──► dns, metadata
//!    ▲                    │          │                                           │ TCP: stack
//!    └── inject ◄─────────┘          └── Forwarder ──► system ──► pipe ──► the system port
//! ```
//!
//! [`Machine`] and all below it decide without clock, socket and chance of their own; [`serve`] is the task around it.

mod advert;
mod bucket;
mod counters;
mod device;
mod dns;
mod guest;
mod machine;
mod metadata;
mod packet;
mod random;
mod serve;
mod stack;
mod system;
#[cfg(test)]
mod tests;
mod turn;
mod view;

pub use counters::AgentCounters;
pub use dns::Zones;
pub use machine::{Machine, Output};
pub use random::Random;
pub use serve::{Doors, Injector, serve};
pub use view::{AgentState, GuestView, InstanceView, NicView, SystemView};
