//! Ethernet II frames (IEEE 802.3 section 3.2; RFC 894, RFC 2464).
//!
//! [`EthernetView::parse`] fails when the header is cut; [`EthernetRepr::parse`] when the type
//! field is the length of an 802.3 frame. Accessors cannot fail. Preamble and frame check sequence are
//! never there.

use rackweave_types::MacAddr;
use thiserror::Error;
use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::{BufferTooSmall, Truncated};
use crate::protocol::EtherType;
use crate::raw;

/// Bytes of the header.
pub const HEADER_LEN: usize = size_of::<Raw>();

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    dst: MacAddr,
    src: MacAddr,
    ether_type: U16,
}

/// A frame whose header is whole.
#[derive(Clone, Copy, Debug)]
pub struct EthernetView<'a> {
    raw: &'a Raw,
    payload: &'a [u8],
}

impl<'a> EthernetView<'a> {
    /// Checks that the header is whole.
    ///
    /// # Errors
    /// Where it is cut.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EthernetError> {
        let (raw, payload) = raw::split("ethernet header", bytes)?;
        Ok(Self { raw, payload })
    }

    /// Destination address.
    pub const fn dst(&self) -> MacAddr {
        self.raw.dst
    }

    /// Source address.
    pub const fn src(&self) -> MacAddr {
        self.raw.src
    }

    /// Type or length field.
    pub fn ether_type(&self) -> EtherType {
        EtherType(self.raw.ether_type.get())
    }

    /// What follows the header, padding included.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// An Ethernet II header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EthernetRepr {
    /// Destination address.
    pub dst: MacAddr,
    /// Source address.
    pub src: MacAddr,
    /// What the frame carries.
    pub ether_type: EtherType,
}

impl EthernetRepr {
    /// The header of a frame.
    ///
    /// # Errors
    /// Where the type field is a length.
    pub fn parse(view: &EthernetView<'_>) -> Result<Self, EthernetError> {
        let ether_type = view.ether_type();
        if ether_type.is_length() {
            return Err(EthernetError::Length {
                got: ether_type.get(),
            });
        }
        Ok(Self {
            dst: view.dst(),
            src: view.src(),
            ether_type,
        })
    }

    /// Bytes of the header.
    pub const fn buffer_len(&self) -> usize {
        HEADER_LEN
    }

    /// Writes the header to the start of `buffer`.
    ///
    /// # Errors
    /// Where the buffer is too small.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let raw = Raw {
            dst: self.dst,
            src: self.src,
            ether_type: self.ether_type.get().into(),
        };
        raw::put(&raw, buffer).map(|_| ())
    }
}

/// Why bytes are no Ethernet II frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EthernetError {
    /// The header is cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// The field is a length: an 802.3 frame.
    #[error("ethernet type at offset 12 is {got:#06x}, a length, types begin at 0x0600")]
    Length {
        /// The field.
        got: u16,
    },
}

#[cfg(test)]
mod tests;
