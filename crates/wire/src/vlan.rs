//! 802.1Q tags (IEEE 802.1Q section 9.6), without the type that announces them.
//!
//! [`VlanView::parse`] fails when the tag is cut; [`VlanRepr::parse`] when it holds the reserved
//! identifier or announces a length. Accessors cannot fail.

use rackweave_types::Vlan;
use thiserror::Error;
use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::{BufferTooSmall, Truncated};
use crate::number::bounded;
use crate::protocol::EtherType;
use crate::raw;

/// Bytes of the tag: control information and the type of what follows.
pub const HEADER_LEN: usize = size_of::<Raw>();

/// The identifier that no tag may carry (IEEE 802.1Q table 9-2).
const RESERVED: u16 = 0xfff;

bounded! {
    /// A priority code point: three bits (IEEE 802.1Q section 6.9.3).
    Priority: u8, 7, "priority"
}

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    control: U16,
    ether_type: U16,
}

/// A tag that is whole.
#[derive(Clone, Copy, Debug)]
pub struct VlanView<'a> {
    raw: &'a Raw,
    payload: &'a [u8],
}

impl<'a> VlanView<'a> {
    /// Checks that the tag is whole; `bytes` follow the type 0x8100.
    ///
    /// # Errors
    /// Where it is cut.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, VlanTagError> {
        let (raw, payload) = raw::split("802.1q tag", bytes)?;
        Ok(Self { raw, payload })
    }

    /// Priority code point.
    pub fn priority(&self) -> Priority {
        let [high, _] = self.raw.control.to_bytes();
        Priority(high >> 5)
    }

    /// Whether the frame may be dropped before others.
    pub fn drop_eligible(&self) -> bool {
        self.raw.control.get() & 0x1000 != 0
    }

    /// VLAN identifier, 0 and 4095 included.
    pub fn vid(&self) -> u16 {
        self.raw.control.get() & 0x0fff
    }

    /// Type or length field of what follows.
    pub fn ether_type(&self) -> EtherType {
        EtherType(self.raw.ether_type.get())
    }

    /// What follows the tag, padding included.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// A tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VlanRepr {
    /// Priority code point.
    pub priority: Priority,
    /// Whether the frame may be dropped before others.
    pub drop_eligible: bool,
    /// VLAN; none where the tag only marks the priority.
    pub vlan: Option<Vlan>,
    /// What follows the tag.
    pub ether_type: EtherType,
}

impl VlanRepr {
    /// The tag of a frame.
    ///
    /// # Errors
    /// Where the identifier is reserved, or a length follows.
    pub fn parse(view: &VlanView<'_>) -> Result<Self, VlanTagError> {
        let ether_type = view.ether_type();
        if ether_type.is_length() {
            return Err(VlanTagError::Length {
                got: ether_type.get(),
            });
        }
        let vlan = match view.vid() {
            0 => None,
            vid => Some(Vlan::new(vid).map_err(|_| VlanTagError::Reserved { got: RESERVED })?),
        };
        let (priority, drop_eligible) = (view.priority(), view.drop_eligible());
        Ok(Self {
            priority,
            drop_eligible,
            vlan,
            ether_type,
        })
    }

    /// Bytes of the tag.
    pub const fn buffer_len(&self) -> usize {
        HEADER_LEN
    }

    /// Writes the tag to the start of `buffer`.
    ///
    /// # Errors
    /// Where the buffer is too small.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let vid = self.vlan.map_or(0, Vlan::get);
        let dei = if self.drop_eligible { 0x1000 } else { 0 };
        let control = u16::from(self.priority.get()) << 13 | dei | vid;
        let raw = Raw {
            control: control.into(),
            ether_type: self.ether_type.get().into(),
        };
        raw::put(&raw, buffer).map(|_| ())
    }
}

/// Why bytes are no 802.1Q tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VlanTagError {
    /// The tag is cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// The identifier is reserved.
    #[error("802.1q vlan identifier at offset 0 is {got}, which is reserved")]
    Reserved {
        /// The identifier.
        got: u16,
    },
    /// The field is a length: an 802.3 frame.
    #[error("802.1q type at offset 2 is {got:#06x}, a length, types begin at 0x0600")]
    Length {
        /// The field.
        got: u16,
    },
}

#[cfg(test)]
mod tests;
