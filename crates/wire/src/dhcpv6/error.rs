//! What can be wrong with a message, read or written.

use thiserror::Error;

use crate::dhcpv6::message_type::MessageType;
use crate::dhcpv6::option::OptionCode;
use crate::domain::DomainError;
use crate::error::Truncated;

/// Why bytes are no DHCPv6 message between client and server, or an option of one has no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Dhcpv6Error {
    /// The header is cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// The message type is unknown.
    #[error("dhcpv6 message type at offset 0 is {got}, 1 to 13 are known")]
    MessageType {
        /// The field.
        got: u8,
    },
    /// The message is one of relay agents.
    #[error("dhcpv6 message type at offset 0 is {got}, of relay agents")]
    Relay {
        /// The message type.
        got: MessageType,
    },
    /// An option reaches behind the message or the option that it stands in.
    #[error("dhcpv6 {code} at offset {at} needs {needed} bytes, {got} are there")]
    OptionCut {
        /// The option; 0 where not even its code is whole.
        code: OptionCode,
        /// Where it begins in the message.
        at: usize,
        /// Octets of code, length and value.
        needed: usize,
        /// Octets that are left.
        got: usize,
    },
    /// An option's value is not as long as its kind.
    #[error("dhcpv6 {code} at offset {at} has {got} octets, {expected} due")]
    OptionLen {
        /// The option.
        code: OptionCode,
        /// Where it begins in the message.
        at: usize,
        /// Octets of its value.
        got: usize,
        /// What is due, in words.
        expected: &'static str,
    },
    /// An option stands more than once that may stand once only.
    #[error("dhcpv6 {code} at offset {at} is the second one")]
    Repeated {
        /// The option.
        code: OptionCode,
        /// Where the second one begins in the message.
        at: usize,
    },
    /// A text is not UTF-8.
    #[error("dhcpv6 {code} at offset {at} is not UTF-8")]
    Text {
        /// The option.
        code: OptionCode,
        /// Where it begins in the message.
        at: usize,
    },
    /// A name of the domain list is none.
    #[error("dhcpv6 domain list: {0}")]
    Domain(DomainError),
}

/// Why an option was not added; the message is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Dhcpv6BuildError {
    /// The value is longer than its length field can say.
    #[error("dhcpv6 {code} would have {len} octets, 65535 are allowed")]
    TooLong {
        /// The option.
        code: OptionCode,
        /// Octets of its value.
        len: usize,
    },
    /// A name of the domain list is none.
    #[error("dhcpv6 domain list: {0}")]
    Domain(DomainError),
}
