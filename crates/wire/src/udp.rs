//! UDP (RFC 768).
//!
//! [`UdpView::parse`] fails when the length contradicts the bytes. Accessors and [`UdpRepr::parse`]
//! cannot fail. The checksum covers addresses that the header does not hold: a view checks it with
//! [`UdpView::checksum_ok`], and whoever emits a datagram ends with [`fill_checksum`].

use thiserror::Error;
use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum;
use crate::error::{BufferTooSmall, Truncated};
use crate::number::bounded;
use crate::raw;

/// Bytes of the header.
pub const HEADER_LEN: usize = size_of::<Raw>();
/// Where the checksum field stands.
pub const CHECKSUM_OFFSET: usize = 6;

bounded! {
    /// Bytes behind a UDP header, whose length field counts the header too.
    UdpPayloadLen: u16, u16::MAX - 8, "udp payload length"
}

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    src_port: U16,
    dst_port: U16,
    length: U16,
    checksum: U16,
}

/// A datagram whose length is consistent.
#[derive(Clone, Copy, Debug)]
pub struct UdpView<'a> {
    raw: &'a Raw,
    datagram: &'a [u8],
}

impl<'a> UdpView<'a> {
    /// Checks the length; bytes behind it are ignored.
    ///
    /// # Errors
    /// Where it contradicts the bytes.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, UdpError> {
        let view = Self::parse_quoted(bytes)?;
        raw::prefix("udp datagram", bytes, usize::from(view.length()))?;
        Ok(view)
    }

    /// Like [`Self::parse`] for a datagram that an ICMP error embeds: its end may be cut off.
    ///
    /// # Errors
    /// Where the length is less than the header's, or the header itself is cut.
    #[inline]
    pub fn parse_quoted(bytes: &'a [u8]) -> Result<Self, UdpError> {
        let (raw, _) = raw::split::<Raw>("udp header", bytes)?;
        let length = usize::from(raw.length.get());
        if length < HEADER_LEN {
            return Err(UdpError::Length { got: length });
        }
        Ok(Self {
            raw,
            datagram: bytes.get(..length).unwrap_or(bytes),
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

    /// Bytes of header and payload, as the header says.
    pub fn length(&self) -> u16 {
        self.raw.length.get()
    }

    /// Checksum field; zero means that the sender computed none.
    pub fn checksum(&self) -> u16 {
        self.raw.checksum.get()
    }

    /// Whether the checksum is right, or was not computed. IPv6 allows the latter for tunnels alone
    /// (RFC 8200 section 8.1): whoever reads anything else asks [`Self::checksum`] for zero.
    pub fn checksum_ok(&self, pseudo_sum: u16) -> bool {
        self.checksum() == 0
            || checksum::combine(pseudo_sum, checksum::sum(self.datagram)) == 0xffff
    }

    /// What follows the header.
    pub fn payload(&self) -> &'a [u8] {
        self.datagram.get(HEADER_LEN..).unwrap_or_default()
    }
}

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpRepr {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Bytes of the payload.
    pub payload_len: UdpPayloadLen,
}

impl UdpRepr {
    /// The header of a datagram.
    pub fn parse(view: &UdpView<'_>) -> Self {
        Self {
            src_port: view.src_port(),
            dst_port: view.dst_port(),
            // The view holds no length below the header's.
            payload_len: UdpPayloadLen(view.length().saturating_sub(8)),
        }
    }

    /// Bytes of the header.
    pub const fn buffer_len(&self) -> usize {
        HEADER_LEN
    }

    /// Bytes of header and payload: the length of the pseudo header.
    pub const fn length(&self) -> u16 {
        self.payload_len.get() + 8
    }

    /// Writes the header, its checksum zero, to the start of `buffer`.
    ///
    /// # Errors
    /// Where the buffer is too small.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let raw = Raw {
            src_port: self.src_port.into(),
            dst_port: self.dst_port.into(),
            length: self.length().into(),
            checksum: 0.into(),
        };
        raw::put(&raw, buffer).map(|_| ())
    }
}

/// Computes the checksum of header and payload on top of the pseudo header's sum.
///
/// # Errors
/// Where there is no whole header.
pub fn fill_checksum(datagram: &mut [u8], pseudo_sum: u16) -> Result<(), BufferTooSmall> {
    raw::fill_checksum(datagram, CHECKSUM_OFFSET, pseudo_sum, checksum::finish_udp)
}

/// Why bytes are no UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UdpError {
    /// Header or payload are cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// The datagram ends inside its header.
    #[error("udp length at offset 4 is {got} bytes, expected at least 8")]
    Length {
        /// The length in bytes.
        got: usize,
    },
}

#[cfg(test)]
mod tests;
