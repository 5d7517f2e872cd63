//! ICMPv4 (RFC 792, RFC 1191).
//!
//! [`Icmpv4View::parse`] fails when the header is cut; [`Icmpv4Repr::parse`] when the checksum is
//! wrong, the type is none of the repr's, or the code is unknown for its type. Accessors cannot
//! fail.

mod repr;
#[cfg(test)]
mod tests;

use thiserror::Error;
use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub use self::repr::{Icmpv4Redirect, Icmpv4Repr, Icmpv4TimeExceeded, Icmpv4Unreachable};
use crate::checksum;
use crate::error::{BufferTooSmall, Truncated};
use crate::number::registry;
use crate::raw;

/// Bytes of the header, which every type shares.
pub const HEADER_LEN: usize = size_of::<Raw>();
/// Where the checksum field stands.
pub const CHECKSUM_OFFSET: usize = 2;
/// Bytes of a packet that an error embeds at most: RFC 1812 section 4.3.2.3 bounds the error with
/// its IPv4 header to 576 bytes.
pub const MAX_QUOTED_LEN: usize = 576 - 20 - HEADER_LEN;

registry! {
    /// The type of a message.
    Icmpv4Type: u8, "{}" {
        /// Echo reply.
        ECHO_REPLY = 0, "echo reply";
        /// Destination unreachable.
        DESTINATION_UNREACHABLE = 3, "destination unreachable";
        /// Source quench, deprecated by RFC 6633.
        SOURCE_QUENCH = 4, "source quench";
        /// Redirect.
        REDIRECT = 5, "redirect";
        /// Echo request.
        ECHO_REQUEST = 8, "echo request";
        /// Time exceeded.
        TIME_EXCEEDED = 11, "time exceeded";
        /// Parameter problem.
        PARAMETER_PROBLEM = 12, "parameter problem";
        /// Timestamp request.
        TIMESTAMP_REQUEST = 13, "timestamp request";
        /// Timestamp reply.
        TIMESTAMP_REPLY = 14, "timestamp reply";
    }
}

impl Icmpv4Type {
    /// Whether the message embeds the packet it is about.
    #[inline]
    #[must_use]
    pub const fn is_error(self) -> bool {
        matches!(
            self,
            Self::DESTINATION_UNREACHABLE
                | Self::SOURCE_QUENCH
                | Self::REDIRECT
                | Self::TIME_EXCEEDED
                | Self::PARAMETER_PROBLEM
        )
    }
}

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    kind: u8,
    code: u8,
    checksum: U16,
    rest: [u8; 4],
}

/// A message whose header is whole.
#[derive(Clone, Copy, Debug)]
pub struct Icmpv4View<'a> {
    raw: &'a Raw,
    message: &'a [u8],
}

impl<'a> Icmpv4View<'a> {
    /// Checks that the header is whole; `bytes` end where the IP packet ends.
    ///
    /// # Errors
    /// Where it is cut.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Icmpv4Error> {
        let (raw, _) = raw::split("icmp header", bytes)?;
        Ok(Self {
            raw,
            message: bytes,
        })
    }

    /// Type.
    pub const fn kind(&self) -> Icmpv4Type {
        Icmpv4Type(self.raw.kind)
    }

    /// Code.
    pub const fn code(&self) -> u8 {
        self.raw.code
    }

    /// Checksum field.
    pub fn checksum(&self) -> u16 {
        self.raw.checksum.get()
    }

    /// Whether the checksum is right.
    pub fn checksum_ok(&self) -> bool {
        checksum::sum(self.message) == 0xffff
    }

    /// What the header holds beside type, code and checksum; the type gives it its meaning.
    pub const fn rest_of_header(&self) -> [u8; 4] {
        self.raw.rest
    }

    /// What follows the header.
    pub fn payload(&self) -> &'a [u8] {
        self.message.get(HEADER_LEN..).unwrap_or_default()
    }

    /// The packet that an error embeds, perhaps cut, without what RFC 4884 appends.
    pub fn quoted(&self) -> Option<&'a [u8]> {
        if !self.kind().is_error() {
            return None;
        }
        let payload = self.payload();
        // RFC 4884 section 4: its length in 32-bit words, zero where nothing is appended.
        let [_, words, ..] = self.raw.rest;
        let extensible = !matches!(
            self.kind(),
            Icmpv4Type::REDIRECT | Icmpv4Type::SOURCE_QUENCH
        );
        let len = if extensible {
            usize::from(words) * 4
        } else {
            0
        };
        if len == 0 {
            Some(payload)
        } else {
            Some(payload.get(..len).unwrap_or(payload))
        }
    }
}

/// The part of `packet` that an error may embed.
#[must_use]
pub fn quote(packet: &[u8]) -> &[u8] {
    packet.get(..MAX_QUOTED_LEN).unwrap_or(packet)
}

/// Computes the checksum of a whole message.
///
/// # Errors
/// Where there is no whole header.
pub fn fill_checksum(message: &mut [u8]) -> Result<(), BufferTooSmall> {
    raw::fill_checksum(message, CHECKSUM_OFFSET, 0, checksum::finish)
}

/// Why bytes are no ICMPv4 message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Icmpv4Error {
    /// The header is cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// The checksum is wrong.
    #[error("icmp checksum at offset 2 is {got:#06x}, expected {expected:#06x}")]
    Checksum {
        /// The field.
        got: u16,
        /// What it should be.
        expected: u16,
    },
    /// A type that no repr has.
    #[error("icmp type at offset 0 is {got}, which has no meaning here")]
    Type {
        /// The type.
        got: Icmpv4Type,
    },
    /// A code that its type does not have.
    #[error("icmp code at offset 1 is {got}, unknown for {kind}")]
    Code {
        /// The type.
        kind: Icmpv4Type,
        /// The code.
        got: u8,
    },
}
