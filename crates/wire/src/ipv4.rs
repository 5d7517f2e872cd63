//! IPv4 (RFC 791), with options and fragments.
//!
//! [`Ipv4View::parse`] fails when the version, the header length or the total length contradict the
//! bytes; [`Ipv4Repr::parse`] when the checksum is wrong, an option is malformed, or a fragment
//! ends beyond the greatest datagram. Accessors cannot fail.

mod options;
mod repr;
#[cfg(test)]
mod tests;

use core::net::Ipv4Addr;

use thiserror::Error;
use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub use self::options::Ipv4Option;
pub use self::repr::Ipv4Repr;
use crate::checksum;
use crate::error::Truncated;
use crate::fragment_offset::FragmentOffset;
use crate::options::OptionIter;
use crate::protocol::IpProtocol;
use crate::raw;
use crate::tos::{Dscp, Ecn};

/// Bytes of the header without options.
pub const MIN_HEADER_LEN: usize = size_of::<Raw>();
/// Bytes of the header with as many options as it can hold.
pub const MAX_HEADER_LEN: usize = 60;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    version_and_len: u8,
    tos: u8,
    total_len: U16,
    identification: U16,
    flags_and_offset: U16,
    ttl: u8,
    protocol: u8,
    checksum: U16,
    src: [u8; 4],
    dst: [u8; 4],
}

/// A packet whose lengths are consistent.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4View<'a> {
    raw: &'a Raw,
    header: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Ipv4View<'a> {
    /// Checks version and lengths; bytes behind the total length are padding and ignored.
    ///
    /// # Errors
    /// Where they contradict the bytes.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Ipv4Error> {
        let view = Self::parse_quoted(bytes)?;
        raw::prefix("ipv4 packet", bytes, usize::from(view.total_len()))?;
        Ok(view)
    }

    /// Like [`Self::parse`] for a packet that an ICMP error embeds: its end may be cut off.
    ///
    /// # Errors
    /// Where version and lengths contradict each other, or the header itself is cut.
    #[inline]
    pub fn parse_quoted(bytes: &'a [u8]) -> Result<Self, Ipv4Error> {
        let (raw, _) = raw::split::<Raw>("ipv4 header", bytes)?;
        if raw.version_and_len >> 4 != 4 {
            return Err(Ipv4Error::Version {
                got: raw.version_and_len >> 4,
            });
        }
        let header_len = usize::from(raw.version_and_len & 0x0f) * 4;
        if header_len < MIN_HEADER_LEN {
            return Err(Ipv4Error::HeaderLength { got: header_len });
        }
        let header = raw::prefix("ipv4 header", bytes, header_len)?;
        let total_len = usize::from(raw.total_len.get());
        if total_len < header_len {
            return Err(Ipv4Error::TotalLength {
                got: total_len,
                min: header_len,
            });
        }
        let payload = bytes
            .get(header_len..total_len.min(bytes.len()))
            .unwrap_or_default();
        Ok(Self {
            raw,
            header,
            payload,
        })
    }

    /// Differentiated services codepoint.
    pub const fn dscp(&self) -> Dscp {
        Dscp::of_octet(self.raw.tos)
    }

    /// Explicit congestion notification.
    pub const fn ecn(&self) -> Ecn {
        Ecn::of_octet(self.raw.tos)
    }

    /// Bytes of the header, options included.
    pub const fn header_len(&self) -> usize {
        self.header.len()
    }

    /// Bytes of header and payload, as the header says.
    pub fn total_len(&self) -> u16 {
        self.raw.total_len.get()
    }

    /// Identification of the datagram's fragments.
    pub fn identification(&self) -> u16 {
        self.raw.identification.get()
    }

    /// Whether the packet must not be fragmented.
    pub fn dont_fragment(&self) -> bool {
        self.raw.flags_and_offset.get() & DONT_FRAGMENT != 0
    }

    /// Whether more fragments follow.
    pub fn more_fragments(&self) -> bool {
        self.raw.flags_and_offset.get() & MORE_FRAGMENTS != 0
    }

    /// Where the payload lies in the datagram.
    pub fn fragment_offset(&self) -> FragmentOffset {
        FragmentOffset::of_low_bits(self.raw.flags_and_offset.get())
    }

    /// Whether the packet is a piece of a datagram.
    pub fn is_fragment(&self) -> bool {
        self.more_fragments() || self.fragment_offset() != FragmentOffset::ZERO
    }

    /// Time to live.
    pub const fn ttl(&self) -> u8 {
        self.raw.ttl
    }

    /// What the payload is.
    pub const fn protocol(&self) -> IpProtocol {
        IpProtocol(self.raw.protocol)
    }

    /// Header checksum field.
    pub fn checksum(&self) -> u16 {
        self.raw.checksum.get()
    }

    /// Whether the header checksum is right.
    pub fn checksum_ok(&self) -> bool {
        checksum::sum(self.header) == 0xffff
    }

    /// Source address.
    pub fn src(&self) -> Ipv4Addr {
        self.raw.src.into()
    }

    /// Destination address.
    pub fn dst(&self) -> Ipv4Addr {
        self.raw.dst.into()
    }

    /// Options.
    pub fn options(&self) -> OptionIter<'a, Ipv4Option<'a>> {
        OptionIter::new(self.option_area())
    }

    /// What follows the header, without padding.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Sum of the pseudo header before an upper layer of `length` bytes.
    pub fn pseudo_header(&self, length: u16) -> u16 {
        checksum::pseudo_header_v4(self.raw.src, self.raw.dst, self.raw.protocol, length)
    }

    fn option_area(&self) -> &'a [u8] {
        self.header.get(MIN_HEADER_LEN..).unwrap_or_default()
    }
}

/// Why bytes are no IPv4 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Ipv4Error {
    /// Header or payload are cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// Another version of IP.
    #[error("ipv4 version at offset 0 is {got}, expected 4")]
    Version {
        /// The version.
        got: u8,
    },
    /// The header ends inside its fixed part.
    #[error("ipv4 header length at offset 0 is {got} bytes, expected at least 20")]
    HeaderLength {
        /// The length in bytes.
        got: usize,
    },
    /// The packet ends inside its header.
    #[error("ipv4 total length at offset 2 is {got} bytes, expected at least {min}")]
    TotalLength {
        /// The length in bytes.
        got: usize,
        /// The header's length in bytes.
        min: usize,
    },
    /// The header checksum is wrong.
    #[error("ipv4 checksum at offset 10 is {got:#06x}, expected {expected:#06x}")]
    Checksum {
        /// The field.
        got: u16,
        /// What it should be.
        expected: u16,
    },
    /// The fragment ends beyond the greatest datagram.
    #[error("ipv4 fragment at offset 6 ends at byte {got} of its datagram, expected at most 65515")]
    FragmentEnd {
        /// Where it ends, in bytes of the datagram's payload.
        got: usize,
    },
    /// An option is longer than what is left, or shorter than its own header.
    #[error("ipv4 option {kind} at offset {offset} has length {got}, of {left} bytes left")]
    OptionLength {
        /// The option's type.
        kind: u8,
        /// Bytes from the start of the options.
        offset: usize,
        /// The length that it says.
        got: usize,
        /// Bytes from the option to the end of the header.
        left: usize,
    },
    /// The type stands for something that has no length.
    #[error("ipv4 option type {kind} has no data")]
    OptionKind {
        /// The option's type.
        kind: u8,
    },
    /// More options than the header can hold.
    #[error("ipv4 options of {got} bytes, expected at most 40")]
    OptionsTooLong {
        /// Bytes of all options.
        got: usize,
    },
    /// More payload than a packet can hold.
    #[error("ipv4 header and payload of {got} bytes, expected at most 65535")]
    TooLong {
        /// Bytes of header and payload.
        got: usize,
    },
}
