//! Who is at the other end of a link (IEEE 802.1AB): for people and for drawing the topology, never for correctness.
//!
//! [`Message`] is what is on the wire, behind the Ethernet header: [`Message::parse`] and [`Message::emit`]. [`Lldp`] is
//! the machine: it says when to send on which link, and keeps the neighbours that it hears of until they grow old.
//!
//! A message is refused only where it cannot be told whose it is (its first three elements); whatever else is wrong
//! costs the element that is wrong, is counted, and is named by [`Flaw`]. What a neighbour says is kept as it was said;
//! texts are made fit for a terminal where they are shown ([`Plain`]).

mod capability;
mod element;
mod ethernet;
mod identity;
mod machine;
mod management;
mod message;
mod organisation;
mod table;
mod text;

#[cfg(test)]
mod tests;

use rackweave_types::MacAddr;

pub use capability::{Capabilities, Capability, CapabilitySet};
pub use element::Flaw;
pub use ethernet::MacPhy;
pub use identity::{ChassisId, IdError, IdKind, PortId};
pub use machine::{Happening, Input, Lldp, Output, Port, System};
pub use management::{InterfaceNumbering, ManagementAddress};
pub use message::{Message, ParseError, Parsed};
pub use organisation::{Organisation, Unknown};
pub use table::{Counters, Limits, Neighbor};
pub use text::Plain;

/// The EtherType of a frame (IEEE 802.1AB, 8.3).
pub const ETHERTYPE: u16 = 0x88cc;
/// Where frames go: the nearest bridge, which passes none of them on (IEEE 802.1AB, 7.1).
pub const NEAREST_BRIDGE: MacAddr = MacAddr::new([0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e]);
/// Octets of the longest message: the payload of an Ethernet frame.
pub const MAX_LEN: usize = 1_500;
