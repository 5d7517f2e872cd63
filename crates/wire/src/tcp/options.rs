//! TCP options.

use zerocopy::network_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{MAX_HEADER_LEN, MIN_HEADER_LEN, TcpError};
use crate::error::BufferTooSmall;
use crate::kind_length;
use crate::number::bounded;
use crate::options::HeaderOption;
use crate::raw;

bounded! {
    /// A window scale: a shift of at most fourteen bits (RFC 7323 section 2.3).
    WindowScale: u8, 14, "window scale"
}

/// A block of data that arrived (RFC 2018 section 3).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct SackBlock {
    left: U32,
    right: U32,
}

impl SackBlock {
    /// The block from sequence number `left` up to, not including, `right`.
    #[must_use]
    pub const fn new(left: u32, right: u32) -> Self {
        Self {
            left: U32::new(left),
            right: U32::new(right),
        }
    }

    /// The first sequence number.
    #[must_use]
    pub const fn left(&self) -> u32 {
        self.left.get()
    }

    /// The sequence number behind the last.
    #[must_use]
    pub const fn right(&self) -> u32 {
        self.right.get()
    }
}

/// An option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TcpOption<'a> {
    /// Maximum segment size in bytes (RFC 9293 section 3.2).
    MaxSegmentSize(u16),
    /// Window scale (RFC 7323 section 2); a greater shift is read as the greatest, as section 2.3
    /// demands.
    WindowScale(WindowScale),
    /// Selective acknowledgment permitted (RFC 2018 section 2).
    SackPermitted,
    /// Selective acknowledgment (RFC 2018 section 3).
    Sack(&'a [SackBlock]),
    /// Timestamps (RFC 7323 section 3).
    Timestamps {
        /// The sender's clock.
        value: u32,
        /// What it heard of the other's clock.
        echo: u32,
    },
    /// Any other.
    Unknown {
        /// The option's kind.
        kind: u8,
        /// What follows kind and length.
        data: &'a [u8],
    },
}

impl<'a> TcpOption<'a> {
    const MAX_SEGMENT_SIZE: u8 = 2;
    const WINDOW_SCALE: u8 = 3;
    const SACK_PERMITTED: u8 = 4;
    const SACK: u8 = 5;
    const TIMESTAMPS: u8 = 8;

    /// The kind octet.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::MaxSegmentSize(_) => Self::MAX_SEGMENT_SIZE,
            Self::WindowScale(_) => Self::WINDOW_SCALE,
            Self::SackPermitted => Self::SACK_PERMITTED,
            Self::Sack(_) => Self::SACK,
            Self::Timestamps { .. } => Self::TIMESTAMPS,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    fn of_item(kind: u8, data: &'a [u8]) -> Result<Self, TcpError> {
        let wrong = |expected| TcpError::OptionData {
            kind,
            got: data.len(),
            expected,
        };
        match kind {
            Self::MAX_SEGMENT_SIZE => {
                let octets = data.try_into().map_err(|_| wrong(2))?;
                Ok(Self::MaxSegmentSize(u16::from_be_bytes(octets)))
            }
            Self::WINDOW_SCALE => match *data {
                // RFC 7323 section 2.3: a shift above 14 is logged and 14 is used.
                [shift] => Ok(Self::WindowScale(WindowScale(shift.min(WindowScale::MAX)))),
                _ => Err(wrong(1)),
            },
            Self::SACK_PERMITTED if data.is_empty() => Ok(Self::SackPermitted),
            Self::SACK_PERMITTED => Err(wrong(0)),
            Self::SACK => {
                let blocks = <[SackBlock]>::ref_from_bytes(data);
                blocks
                    .map(Self::Sack)
                    .map_err(|_| wrong(data.len() / 8 * 8))
            }
            Self::TIMESTAMPS => match <[U32; 2]>::ref_from_bytes(data) {
                Ok([value, echo]) => Ok(Self::Timestamps {
                    value: value.get(),
                    echo: echo.get(),
                }),
                Err(_) => Err(wrong(8)),
            },
            _ => Ok(Self::Unknown { kind, data }),
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Self::MaxSegmentSize(_) => 2,
            Self::WindowScale(_) => 1,
            Self::SackPermitted => 0,
            Self::Sack(blocks) => size_of_val(*blocks),
            Self::Timestamps { .. } => 8,
            Self::Unknown { data, .. } => data.len(),
        }
    }
}

impl<'a> HeaderOption<'a> for TcpOption<'a> {
    type Error = TcpError;
    const LIMIT: usize = MAX_HEADER_LEN - MIN_HEADER_LEN;
    const ALIGN: usize = 4;

    fn read(area: &'a [u8], at: usize) -> Result<Option<(Self, usize)>, TcpError> {
        match kind_length::read(area, at) {
            Ok(Some(item)) => Ok(Some((Self::of_item(item.kind, item.data)?, item.next))),
            Ok(None) => Ok(None),
            Err(bad) => Err(TcpError::OptionLength {
                kind: bad.kind,
                offset: bad.offset,
                got: bad.got,
                left: bad.left,
            }),
        }
    }

    fn check(&self) -> Result<(), TcpError> {
        match *self {
            Self::Unknown { kind, .. } => match kind {
                kind_length::END
                | kind_length::NOP
                | Self::MAX_SEGMENT_SIZE..=Self::SACK
                | Self::TIMESTAMPS => Err(TcpError::OptionKind { kind }),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn buffer_len(&self) -> usize {
        kind_length::HEADER_LEN + self.data_len()
    }

    fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let room = kind_length::put(self.kind(), self.data_len(), buffer)?;
        match self {
            Self::MaxSegmentSize(size) => raw::put_bytes(&size.to_be_bytes(), room),
            Self::WindowScale(shift) => raw::put_bytes(&[shift.get()], room),
            Self::SackPermitted => Ok(room),
            Self::Sack(blocks) => raw::put_bytes(blocks.as_bytes(), room),
            Self::Timestamps { value, echo } => {
                raw::put(&[U32::new(*value), U32::new(*echo)], room)
            }
            Self::Unknown { data, .. } => raw::put_bytes(data, room),
        }
        .map(|_| ())
    }

    fn too_long(len: usize) -> TcpError {
        TcpError::OptionsTooLong { got: len }
    }
}
