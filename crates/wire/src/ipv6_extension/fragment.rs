//! The fragment header (RFC 8200 section 4.5).

use zerocopy::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::{BufferTooSmall, Truncated};
use crate::fragment_offset::FragmentOffset;
use crate::protocol::IpProtocol;
use crate::raw;

/// Bytes of the header.
pub(super) const HEADER_LEN: usize = size_of::<Raw>();

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    next_header: u8,
    reserved: u8,
    offset_and_more: U16,
    identification: U32,
}

/// A fragment header that is whole.
#[derive(Clone, Copy, Debug)]
pub struct FragmentView<'a> {
    raw: &'a Raw,
}

impl<'a> FragmentView<'a> {
    /// Checks that the header is whole.
    ///
    /// # Errors
    /// Where it is cut.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Truncated> {
        let (raw, _) = raw::split("ipv6 fragment header", bytes)?;
        Ok(Self { raw })
    }

    /// What the datagram's fragmentable part begins with.
    pub const fn next_header(&self) -> IpProtocol {
        IpProtocol(self.raw.next_header)
    }

    /// Where the payload lies in the fragmentable part.
    pub fn offset(&self) -> FragmentOffset {
        FragmentOffset::of_low_bits(self.raw.offset_and_more.get() >> 3)
    }

    /// Whether more fragments follow.
    pub fn more_fragments(&self) -> bool {
        self.raw.offset_and_more.get() & 1 != 0
    }

    /// Identification of the datagram's fragments.
    pub fn identification(&self) -> u32 {
        self.raw.identification.get()
    }
}

/// A fragment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentRepr {
    /// What the datagram's fragmentable part begins with.
    pub next_header: IpProtocol,
    /// Where the payload lies in the fragmentable part.
    pub offset: FragmentOffset,
    /// Whether more fragments follow.
    pub more_fragments: bool,
    /// Identification of the datagram's fragments.
    pub identification: u32,
}

impl FragmentRepr {
    /// The header that a view shows.
    pub fn parse(view: &FragmentView<'_>) -> Self {
        Self {
            next_header: view.next_header(),
            offset: view.offset(),
            more_fragments: view.more_fragments(),
            identification: view.identification(),
        }
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
            next_header: self.next_header.get(),
            reserved: 0,
            offset_and_more: (self.offset.get() << 3 | u16::from(self.more_fragments)).into(),
            identification: self.identification.into(),
        };
        raw::put(&raw, buffer).map(|_| ())
    }
}
