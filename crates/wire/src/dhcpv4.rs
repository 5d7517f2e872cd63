//! DHCPv4 messages (RFC 2131) and their options (RFC 2132, RFC 3396, RFC 3397, RFC 3442).
//!
//! [`Dhcpv4View::parse`] checks the header and walks every option, those in overloaded fields too:
//! afterwards an accessor fails only when its own option has a wrong length or value.
//! [`Dhcpv4Builder`] writes messages, within the size that the client takes.

mod builder;
mod error;
mod option;
mod route;
mod view;

pub use builder::Dhcpv4Builder;
pub use error::{Dhcpv4BuildError, Dhcpv4Error};
pub use option::{Dhcpv4Option, MessageType, OptionCode, Options};
pub use route::{ClasslessRoute, ClasslessRoutes};
pub use view::Dhcpv4View;

use zerocopy::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The UDP port of servers (RFC 2131 section 4.1).
pub const SERVER_PORT: u16 = 67;
/// The UDP port of clients (RFC 2131 section 4.1).
pub const CLIENT_PORT: u16 = 68;
/// Octets of the header, the magic cookie included.
pub const HEADER_LEN: usize = size_of::<Raw>();
/// What says that options follow (RFC 2131 section 3).
pub const MAGIC_COOKIE: [u8; 4] = [99, 130, 83, 99];

/// The hardware type of Ethernet (RFC 1700, "Number Hardware Type").
const ETHERNET: u8 = 1;
/// The flag by which a client asks for broadcast replies (RFC 2131 section 2).
const BROADCAST: u16 = 0x8000;

#[derive(Debug, Clone, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    op: u8,
    htype: u8,
    hlen: u8,
    hops: u8,
    xid: U32,
    secs: U16,
    flags: U16,
    ciaddr: [u8; 4],
    yiaddr: [u8; 4],
    siaddr: [u8; 4],
    giaddr: [u8; 4],
    chaddr: [u8; 16],
    sname: [u8; 64],
    file: [u8; 128],
    cookie: [u8; 4],
}

/// Who sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A client.
    Request,
    /// A server.
    Reply,
}

#[cfg(test)]
mod tests;
