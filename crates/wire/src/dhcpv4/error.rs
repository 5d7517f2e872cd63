//! What can be wrong with a message, read or written.

use thiserror::Error;

use crate::dhcpv4::option::OptionCode;
use crate::domain::DomainError;
use crate::error::Truncated;

/// Why bytes are no DHCPv4 message, or an option of one has no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Dhcpv4Error {
    /// The header is cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// The operation is neither a request nor a reply.
    #[error("dhcpv4 op at offset 0 is {got}, 1 and 2 are known")]
    Op {
        /// The field.
        got: u8,
    },
    /// The hardware address is longer than its field.
    #[error("dhcpv4 hlen at offset 2 is {got}, the field has 16 octets")]
    HardwareLen {
        /// The field.
        got: u8,
    },
    /// Something other than DHCP options follows the BOOTP header.
    #[error("dhcpv4 cookie at offset 236 is {got:02x?}")]
    Cookie {
        /// The field.
        got: [u8; 4],
    },
    /// An option reaches behind the field that it stands in.
    #[error("dhcpv4 {code} at offset {at} needs {needed} bytes, {got} are there")]
    OptionCut {
        /// The option.
        code: OptionCode,
        /// Where it begins in the message.
        at: usize,
        /// Octets of code, length and value.
        needed: usize,
        /// Octets up to the end of the field.
        got: usize,
    },
    /// An option's value is not as long as its kind.
    #[error("dhcpv4 {code} has {got} octets, {expected} due")]
    OptionLen {
        /// The option.
        code: OptionCode,
        /// Octets of its value, all its parts together.
        got: usize,
        /// What is due, in words.
        expected: &'static str,
    },
    /// The option overload option has an unknown value.
    #[error("dhcpv4 option overload is {got}, 1 to 3 are known")]
    Overload {
        /// The value.
        got: u8,
    },
    /// The message type is unknown.
    #[error("dhcpv4 message type is {got}, 1 to 8 are known")]
    MessageType {
        /// The value.
        got: u8,
    },
    /// There is no message type: a BOOTP message.
    #[error("dhcpv4 message type is missing")]
    NoMessageType,
    /// A route's prefix is longer than an address.
    #[error("dhcpv4 classless route at offset {at} of its option has prefix length {got}")]
    RouteWidth {
        /// Where in the option's value.
        at: usize,
        /// The width octet.
        got: u8,
    },
    /// The option's value ends within a route.
    #[error(
        "dhcpv4 classless route at offset {at} of its option needs {needed} bytes, {got} are there"
    )]
    RouteCut {
        /// Where in the option's value.
        at: usize,
        /// Octets of the route.
        needed: usize,
        /// Octets that are left.
        got: usize,
    },
    /// A name of the domain search list is none.
    #[error("dhcpv4 domain search: {0}")]
    Domain(DomainError),
}

/// Why an option was not added; the message is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Dhcpv4BuildError {
    /// The message would be longer than its receiver takes.
    #[error("dhcpv4 {code} needs {needed} bytes, {room} are left")]
    NoRoom {
        /// The option.
        code: OptionCode,
        /// Octets of code, length and value.
        needed: usize,
        /// Octets left.
        room: usize,
    },
    /// A name of the domain search list is none.
    #[error("dhcpv4 domain search: {0}")]
    Domain(DomainError),
}
