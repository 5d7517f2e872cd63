//! Tunnel options (RFC 8926 section 3.5).

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{GeneveError, MAX_HEADER_LEN, MIN_HEADER_LEN};
use crate::error::BufferTooSmall;
use crate::options::HeaderOption;
use crate::raw;

const HEADER_LEN: usize = size_of::<Raw>();
const MAX_DATA_LEN: usize = 31 * 4;
const CRITICAL: u8 = 0x80;

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    class: U16,
    kind: u8,
    words: u8,
}

/// An option with its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneveOption<'a> {
    /// Whose option it is.
    pub class: u16,
    /// Type within the class, critical bit included.
    pub kind: u8,
    /// Data: a multiple of four bytes, at most 124.
    pub data: &'a [u8],
}

impl GeneveOption<'_> {
    /// Whether who does not know the option must drop the packet.
    #[must_use]
    pub const fn is_critical(&self) -> bool {
        self.kind & CRITICAL != 0
    }
}

impl<'a> HeaderOption<'a> for GeneveOption<'a> {
    type Error = GeneveError;
    const LIMIT: usize = MAX_HEADER_LEN - MIN_HEADER_LEN;
    const ALIGN: usize = 4;

    fn read(area: &'a [u8], at: usize) -> Result<Option<(Self, usize)>, GeneveError> {
        let rest = area.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let (raw, tail) =
            raw::split::<Raw>("geneve option", rest).map_err(|_| GeneveError::OptionHeader {
                offset: at,
                left: rest.len(),
            })?;
        let (class, kind) = (raw.class.get(), raw.kind);
        let data_len = usize::from(raw.words & 0x1f) * 4;
        let got = HEADER_LEN + data_len;
        let cut = GeneveError::OptionLength {
            class,
            kind,
            offset: at,
            got,
            left: rest.len(),
        };
        let data = tail.get(..data_len).ok_or(cut)?;
        Ok(Some((Self { class, kind, data }, at + got)))
    }

    fn check(&self) -> Result<(), GeneveError> {
        let got = self.data.len();
        if got > MAX_DATA_LEN || !got.is_multiple_of(4) {
            return Err(GeneveError::OptionData {
                class: self.class,
                kind: self.kind,
                got,
            });
        }
        Ok(())
    }

    fn buffer_len(&self) -> usize {
        HEADER_LEN + self.data.len()
    }

    fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let room = raw::room(buffer, self.buffer_len())?;
        let raw = Raw {
            class: self.class.into(),
            kind: self.kind,
            // At most 31: the check saw to that.
            words: u8::try_from(self.data.len() / 4).unwrap_or(u8::MAX) & 0x1f,
        };
        raw::put_bytes(self.data, raw::put(&raw, room)?).map(|_| ())
    }

    fn too_long(len: usize) -> GeneveError {
        GeneveError::OptionsTooLong { got: len }
    }
}
