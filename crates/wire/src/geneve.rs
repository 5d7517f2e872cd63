//! Geneve (RFC 8926), with options.
//!
//! [`GeneveView::parse`] fails when the version is unknown or the option length contradicts the
//! bytes; [`GeneveRepr::parse`] when an option is malformed. Accessors cannot fail. Reserved bits
//! are written as zero and ignored (section 3.4).

mod options;
#[cfg(test)]
mod tests;

use rackweave_types::{Vni, VniOutOfRange};
use thiserror::Error;
use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub use self::options::GeneveOption;
use crate::error::{BufferTooSmall, Truncated};
use crate::options::{OptionIter, Options};
use crate::protocol::EtherType;
use crate::raw;

/// The UDP destination port (RFC 8926 section 3.3).
pub const UDP_PORT: u16 = rackweave_types::reserved::GENEVE_PORT;
/// Bytes of the header without options.
pub const MIN_HEADER_LEN: usize = size_of::<Raw>();
/// Bytes of the header with as many options as it can hold.
pub const MAX_HEADER_LEN: usize = MIN_HEADER_LEN + 252;

const CONTROL: u8 = 0x80;
const CRITICAL: u8 = 0x40;

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    version_and_len: u8,
    flags: u8,
    protocol: U16,
    vni: [u8; 3],
    reserved: u8,
}

/// A tunnel packet whose header is whole.
#[derive(Clone, Copy, Debug)]
pub struct GeneveView<'a> {
    raw: &'a Raw,
    vni: Vni,
    options: &'a [u8],
    payload: &'a [u8],
}

impl<'a> GeneveView<'a> {
    /// Checks version and option length.
    ///
    /// # Errors
    /// Where the version is unknown, or the options are cut.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, GeneveError> {
        let (raw, rest) = raw::split::<Raw>("geneve header", bytes)?;
        // RFC 8926 section 3.4: a packet of an unknown version must be dropped.
        if raw.version_and_len >> 6 != 0 {
            return Err(GeneveError::Version {
                got: raw.version_and_len >> 6,
            });
        }
        let [high, middle, low] = raw.vni;
        let vni = Vni::new(u32::from_be_bytes([0, high, middle, low])).map_err(GeneveError::Vni)?;
        let options_len = usize::from(raw.version_and_len & 0x3f) * 4;
        let options = raw::prefix("geneve option list", rest, options_len)?;
        let payload = rest.get(options_len..).unwrap_or_default();
        Ok(Self {
            raw,
            vni,
            options,
            payload,
        })
    }

    /// Bytes of the header, options included.
    pub const fn header_len(&self) -> usize {
        MIN_HEADER_LEN + self.options.len()
    }

    /// Whether the packet is for the tunnel's control and not for a guest (O bit).
    pub const fn is_control(&self) -> bool {
        self.raw.flags & CONTROL != 0
    }

    /// Whether the header announces critical options (C bit).
    pub const fn has_critical_options(&self) -> bool {
        self.raw.flags & CRITICAL != 0
    }

    /// What the payload is.
    pub fn protocol(&self) -> EtherType {
        EtherType(self.raw.protocol.get())
    }

    /// Virtual network identifier.
    pub const fn vni(&self) -> Vni {
        self.vni
    }

    /// Options.
    pub fn options(&self) -> OptionIter<'a, GeneveOption<'a>> {
        OptionIter::new(self.options)
    }

    /// What follows the header.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// A header. Its C bit is set when one of the options is critical.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeneveRepr<'a> {
    /// Virtual network identifier.
    pub vni: Vni,
    /// What the payload is.
    pub protocol: EtherType,
    /// Whether the packet is for the tunnel's control and not for a guest (O bit).
    pub control: bool,
    /// Options.
    pub options: Options<'a, GeneveOption<'a>>,
}

impl<'a> GeneveRepr<'a> {
    /// The header of a packet.
    ///
    /// # Errors
    /// Where an option is malformed.
    pub fn parse(view: &GeneveView<'a>) -> Result<Self, GeneveError> {
        Ok(Self {
            vni: view.vni(),
            protocol: view.protocol(),
            control: view.is_control(),
            options: Options::parse(view.options)?,
        })
    }

    /// Bytes of the header.
    pub fn buffer_len(&self) -> usize {
        MIN_HEADER_LEN + self.options.buffer_len()
    }

    /// Writes the header to the start of `buffer`.
    ///
    /// # Errors
    /// Where the buffer is too small.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let header = raw::room(buffer, self.buffer_len())?;
        let critical = self.options.iter().any(|option| option.is_critical());
        let flags = if self.control { CONTROL } else { 0 } | if critical { CRITICAL } else { 0 };
        let [_, high, middle, low] = self.vni.get().to_be_bytes();
        let raw = Raw {
            // At most 63 words: the options are checked to fit.
            version_and_len: u8::try_from((header.len() - MIN_HEADER_LEN) / 4).unwrap_or(u8::MAX),
            flags,
            protocol: self.protocol.get().into(),
            vni: [high, middle, low],
            reserved: 0,
        };
        self.options.emit(raw::put(&raw, header)?)
    }
}

/// Why bytes are no Geneve packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GeneveError {
    /// The header is cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// An unknown version.
    #[error("geneve version at offset 0 is {got}, expected 0")]
    Version {
        /// The version.
        got: u8,
    },
    /// The identifier is none.
    #[error(transparent)]
    Vni(#[from] VniOutOfRange),
    /// An option is cut.
    #[error(
        "geneve option {class:#06x}/{kind:#04x} at offset {offset} has length {got}, {left} are left"
    )]
    OptionLength {
        /// The option's class.
        class: u16,
        /// The option's type.
        kind: u8,
        /// Bytes from the start of the options.
        offset: usize,
        /// Bytes of the option.
        got: usize,
        /// Bytes from the option to the end of the header.
        left: usize,
    },
    /// The rest of the options is shorter than an option's header.
    #[error("geneve options end at offset {offset} with {left} bytes, expected at least 4")]
    OptionHeader {
        /// Bytes from the start of the options.
        offset: usize,
        /// Bytes left.
        left: usize,
    },
    /// Option data that an option cannot hold.
    #[error(
        "geneve option {class:#06x}/{kind:#04x} has {got} bytes, expected a multiple of 4 up to 124"
    )]
    OptionData {
        /// The option's class.
        class: u16,
        /// The option's type.
        kind: u8,
        /// Bytes of data.
        got: usize,
    },
    /// More options than the header can hold.
    #[error("geneve options of {got} bytes, expected at most 252")]
    OptionsTooLong {
        /// Bytes of all options.
        got: usize,
    },
}
