//! Routing protocols, as machines without clock, socket, thread or chance.
//!
//! Siblings of one shape: a protocol has `message` (what is on the wire: `parse` and `emit`), a machine that takes
//! inputs and the time and gives outputs, and says when it wants to be called next. No protocol knows another one;
//! [`fabric`] joins what a node of the fabric runs.
//!
//! | module | what it is |
//! |---|---|
//! | [`ddm`] | the interior protocol: discovery, sessions, exchange of prefixes |
//! | [`bgp`] | the way to the customer's routers: sessions, policy, best routes (RFC 4271) |
//! | [`bfd`] | liveness of links (RFC 5880, 5881) |
//! | [`probe`] | delay and loss of links and of paths |
//! | [`lldp`] | who is at the other end (IEEE 802.1AB): for people, never for correctness |
//! | [`rack`] | who of a rack has which /64, and how its keepers agree |
//! | [`rib`] | best paths by prefix, of all protocols |
//! | [`fabric`] | the machine of a node: joins `ddm`, `rib`, liveness and delay |
#![forbid(unsafe_code)]

pub mod bfd;
pub mod bgp;
pub mod ddm;
pub mod fabric;
pub mod lldp;
pub mod probe;
pub mod rack;
pub mod rib;
