//! TCP (RFC 9293) with its options.
//!
//! [`TcpView::parse`] fails when the data offset contradicts the bytes; [`TcpRepr::parse`] when an
//! option is malformed. Accessors cannot fail. The checksum covers addresses that the header does
//! not hold: a view checks it with [`TcpView::checksum_ok`], and whoever emits a segment ends with
//! [`fill_checksum`].

mod flags;
mod options;
mod repr;
#[cfg(test)]
mod tests;

use thiserror::Error;
use zerocopy::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub use self::flags::TcpFlags;
pub use self::options::{SackBlock, TcpOption, WindowScale};
pub use self::repr::TcpRepr;
use crate::checksum;
use crate::error::{BufferTooSmall, Truncated};
use crate::options::OptionIter;
use crate::raw;

/// Bytes of the header without options.
pub const MIN_HEADER_LEN: usize = size_of::<Raw>();
/// Bytes of the header with as many options as it can hold.
pub const MAX_HEADER_LEN: usize = 60;
/// Where the checksum field stands.
pub const CHECKSUM_OFFSET: usize = 16;

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    src_port: U16,
    dst_port: U16,
    sequence: U32,
    acknowledgment: U32,
    offset_and_flags: U16,
    window: U16,
    checksum: U16,
    urgent: U16,
}

/// A segment whose header is whole.
#[derive(Clone, Copy, Debug)]
pub struct TcpView<'a> {
    raw: &'a Raw,
    segment: &'a [u8],
    header_len: usize,
}

impl<'a> TcpView<'a> {
    /// Checks the data offset; `bytes` end where the IP packet ends.
    ///
    /// # Errors
    /// Where it contradicts the bytes.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TcpError> {
        let (raw, _) = raw::split::<Raw>("tcp header", bytes)?;
        let [first, _] = raw.offset_and_flags.to_bytes();
        let header_len = usize::from(first >> 4) * 4;
        if header_len < MIN_HEADER_LEN {
            return Err(TcpError::DataOffset { got: header_len });
        }
        raw::prefix("tcp header", bytes, header_len)?;
        Ok(Self {
            raw,
            segment: bytes,
            header_len,
        })
    }

    /// Source port.
    pub fn src_port(&self) -> u16 {
        self.raw.src_port.get()
    }

    /// Destination port.
    pub fn dst_port(&self) -> u16 {
        self.raw.dst_port.get()
    }

    /// Sequence number.
    pub fn sequence(&self) -> u32 {
        self.raw.sequence.get()
    }

    /// Acknowledgment number, of no meaning without the ACK flag.
    pub fn acknowledgment(&self) -> u32 {
        self.raw.acknowledgment.get()
    }

    /// Bytes of the header, options included.
    pub const fn header_len(&self) -> usize {
        self.header_len
    }

    /// Control bits.
    pub fn flags(&self) -> TcpFlags {
        TcpFlags::of_low_bits(self.raw.offset_and_flags.get())
    }

    /// Window, not scaled.
    pub fn window(&self) -> u16 {
        self.raw.window.get()
    }

    /// Checksum field.
    pub fn checksum(&self) -> u16 {
        self.raw.checksum.get()
    }

    /// Whether the checksum is right.
    pub fn checksum_ok(&self, pseudo_sum: u16) -> bool {
        checksum::combine(pseudo_sum, checksum::sum(self.segment)) == 0xffff
    }

    /// Urgent pointer, of no meaning without the URG flag.
    pub fn urgent(&self) -> u16 {
        self.raw.urgent.get()
    }

    /// Options.
    pub fn options(&self) -> OptionIter<'a, TcpOption<'a>> {
        OptionIter::new(self.option_area())
    }

    /// What follows the header.
    pub fn payload(&self) -> &'a [u8] {
        self.segment.get(self.header_len..).unwrap_or_default()
    }

    fn option_area(&self) -> &'a [u8] {
        self.segment
            .get(MIN_HEADER_LEN..self.header_len)
            .unwrap_or_default()
    }
}

/// Computes the checksum of header and payload on top of the pseudo header's sum.
///
/// # Errors
/// Where there is no whole header.
pub fn fill_checksum(segment: &mut [u8], pseudo_sum: u16) -> Result<(), BufferTooSmall> {
    raw::fill_checksum(segment, CHECKSUM_OFFSET, pseudo_sum, checksum::finish)
}

/// Why bytes are no TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TcpError {
    /// The header is cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// The header ends inside its fixed part.
    #[error("tcp data offset at offset 12 is {got} bytes, expected at least 20")]
    DataOffset {
        /// The offset in bytes.
        got: usize,
    },
    /// An option is longer than what is left, or shorter than its own header.
    #[error("tcp option {kind} at offset {offset} has length {got}, of {left} bytes left")]
    OptionLength {
        /// The option's kind.
        kind: u8,
        /// Bytes from the start of the options.
        offset: usize,
        /// The length that it says.
        got: usize,
        /// Bytes from the option to the end of the header.
        left: usize,
    },
    /// An option whose kind has another length.
    #[error("tcp option {kind} has {got} bytes of data, expected {expected}")]
    OptionData {
        /// The option's kind.
        kind: u8,
        /// Bytes of its data.
        got: usize,
        /// Bytes of data that the kind has.
        expected: usize,
    },
    /// The kind stands for something else.
    #[error("tcp option kind {kind} has a form of its own")]
    OptionKind {
        /// The option's kind.
        kind: u8,
    },
    /// More options than the header can hold.
    #[error("tcp options of {got} bytes, expected at most 40")]
    OptionsTooLong {
        /// Bytes of all options.
        got: usize,
    },
}
