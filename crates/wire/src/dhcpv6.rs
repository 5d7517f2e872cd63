//! DHCPv6 messages between clients and servers, and their options (RFC 8415, RFC 3646).
//!
//! [`Dhcpv6View::parse`] checks the header and walks the message's own options; those inside of an
//! option are walked when it is read. Accessors fail only when their option has a wrong length or
//! value. Messages of relay agents are refused. [`Dhcpv6Builder`] writes messages.

mod association;
mod builder;
mod duid;
mod error;
mod message_type;
mod option;
mod status;
mod view;

pub use association::{AssociatedAddress, Association, AssociationKind};
pub use builder::Dhcpv6Builder;
pub use duid::{Duid, DuidKind};
pub use error::{Dhcpv6BuildError, Dhcpv6Error};
pub use message_type::MessageType;
pub use option::{Dhcpv6Option, OptionCode, Options};
pub use status::{Status, StatusCode};
pub use view::Dhcpv6View;

use core::net::Ipv6Addr;

/// The UDP port of clients (RFC 8415 section 7.2).
pub const CLIENT_PORT: u16 = 546;
/// The UDP port of servers and relay agents (RFC 8415 section 7.2).
pub const SERVER_PORT: u16 = 547;
/// Where clients reach servers and relay agents on their link (RFC 8415 section 7.1).
pub const ALL_RELAY_AGENTS_AND_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// Octets of the header: message type and transaction (RFC 8415 section 8).
pub const HEADER_LEN: usize = 4;

#[cfg(test)]
mod tests;
