//! ICMPv6 (RFC 4443); neighbour discovery is in [`crate::ndp`].
//!
//! [`Icmpv6View::parse`] fails when the header is cut; [`Icmpv6Repr::parse`] when the type is none
//! of the repr's or the code is unknown for its type. Accessors cannot fail. The checksum covers
//! addresses that the message does not hold: a view checks it with [`Icmpv6View::checksum_ok`], and
//! whoever emits a message ends with [`fill_checksum`].

mod repr;
#[cfg(test)]
mod tests;

use core::net::Ipv6Addr;

use thiserror::Error;
use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub use self::repr::{Icmpv6ParameterProblem, Icmpv6Repr, Icmpv6TimeExceeded, Icmpv6Unreachable};
use crate::checksum;
use crate::error::{BufferTooSmall, Truncated};
use crate::ipv6;
use crate::number::registry;
use crate::protocol::IpProtocol;
use crate::raw;

/// Bytes of the header, which every type shares.
pub const HEADER_LEN: usize = size_of::<Raw>();
/// Where the checksum field stands.
pub const CHECKSUM_OFFSET: usize = 2;
/// Bytes of a packet that an error embeds at most: RFC 4443 section 2.4 (c) bounds the error with
/// its IPv6 header to the least MTU.
pub const MAX_QUOTED_LEN: usize = ipv6::MIN_MTU - ipv6::HEADER_LEN - HEADER_LEN;

registry! {
    /// The type of a message.
    Icmpv6Type: u8, "{}" {
        /// Destination unreachable.
        DESTINATION_UNREACHABLE = 1, "destination unreachable";
        /// Packet too big.
        PACKET_TOO_BIG = 2, "packet too big";
        /// Time exceeded.
        TIME_EXCEEDED = 3, "time exceeded";
        /// Parameter problem.
        PARAMETER_PROBLEM = 4, "parameter problem";
        /// Echo request.
        ECHO_REQUEST = 128, "echo request";
        /// Echo reply.
        ECHO_REPLY = 129, "echo reply";
        /// Router solicitation (RFC 4861 section 4.1).
        ROUTER_SOLICITATION = 133, "router solicitation";
        /// Router advertisement (RFC 4861 section 4.2).
        ROUTER_ADVERTISEMENT = 134, "router advertisement";
        /// Neighbour solicitation (RFC 4861 section 4.3).
        NEIGHBOR_SOLICITATION = 135, "neighbor solicitation";
        /// Neighbour advertisement (RFC 4861 section 4.4).
        NEIGHBOR_ADVERTISEMENT = 136, "neighbor advertisement";
        /// Redirect (RFC 4861 section 4.5).
        REDIRECT = 137, "redirect";
    }
}

impl Icmpv6Type {
    /// Whether the message embeds the packet it is about (RFC 4443 section 2.1: below 128).
    #[inline]
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 < 128
    }

    /// Whether the message belongs to neighbour discovery.
    #[inline]
    #[must_use]
    pub const fn is_ndp(self) -> bool {
        matches!(self.0, 133..=137)
    }
}

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Raw {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    pub(crate) checksum: U16,
    pub(crate) rest: [u8; 4],
}

/// A message whose header is whole.
#[derive(Clone, Copy, Debug)]
pub struct Icmpv6View<'a> {
    raw: &'a Raw,
    message: &'a [u8],
}

impl<'a> Icmpv6View<'a> {
    /// Checks that the header is whole; `bytes` end where the IP packet ends.
    ///
    /// # Errors
    /// Where it is cut.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Icmpv6Error> {
        let (raw, _) = raw::split("icmpv6 header", bytes)?;
        Ok(Self {
            raw,
            message: bytes,
        })
    }

    /// Type.
    pub const fn kind(&self) -> Icmpv6Type {
        Icmpv6Type(self.raw.kind)
    }

    /// Code.
    pub const fn code(&self) -> u8 {
        self.raw.code
    }

    /// Checksum field.
    pub fn checksum(&self) -> u16 {
        self.raw.checksum.get()
    }

    /// Whether the checksum is right for a packet between these addresses: for a packet with a
    /// routing header, `dst` is the last one.
    pub fn checksum_ok(&self, src: Ipv6Addr, dst: Ipv6Addr) -> bool {
        let pseudo = pseudo_header(src, dst, self.message.len());
        checksum::combine(pseudo, checksum::sum(self.message)) == 0xffff
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
        // RFC 4884 section 4: its length in 64-bit words, zero where nothing is appended.
        let [words, ..] = self.raw.rest;
        let extensible = matches!(
            self.kind(),
            Icmpv6Type::DESTINATION_UNREACHABLE | Icmpv6Type::TIME_EXCEEDED
        );
        let len = if extensible {
            usize::from(words) * 8
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

/// Computes the checksum of a whole message of a packet between these addresses.
///
/// # Errors
/// Where there is no whole header.
pub fn fill_checksum(
    message: &mut [u8],
    src: Ipv6Addr,
    dst: Ipv6Addr,
) -> Result<(), BufferTooSmall> {
    let pseudo = pseudo_header(src, dst, message.len());
    raw::fill_checksum(message, CHECKSUM_OFFSET, pseudo, checksum::finish)
}

fn pseudo_header(src: Ipv6Addr, dst: Ipv6Addr, len: usize) -> u16 {
    // No packet is longer than 32 bits can say.
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    checksum::pseudo_header_v6(src.octets(), dst.octets(), IpProtocol::ICMPV6.get(), len)
}

/// Why bytes are no ICMPv6 message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Icmpv6Error {
    /// The header is cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// A type that no repr has.
    #[error("icmpv6 type at offset 0 is {got}, which has no meaning here")]
    Type {
        /// The type.
        got: Icmpv6Type,
    },
    /// A code that its type does not have.
    #[error("icmpv6 code at offset 1 is {got}, unknown for {kind}")]
    Code {
        /// The type.
        kind: Icmpv6Type,
        /// The code.
        got: u8,
    },
}
