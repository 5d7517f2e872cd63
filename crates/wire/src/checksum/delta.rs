//! Incremental update (RFC 1624).

use core::ops::{Add, AddAssign};

use crate::checksum::{combine, sum};

/// What a change of the covered bytes adds to their sum: `~m + m'` of RFC 1624 section 3.
///
/// Deltas add up, in any order, and have an inverse, so a header transform is compiled to one delta
/// and undone by its inverse. `0x0000` and `0xffff` both mean "no change".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Delta(u16);

impl Delta {
    /// Changes nothing.
    pub const IDENTITY: Self = Self(0);

    /// From `old` to `new` bytes; both start at an even offset of what the checksum covers.
    #[inline]
    #[must_use]
    pub fn between(old: &[u8], new: &[u8]) -> Self {
        Self::between_sums(sum(old), sum(new))
    }

    /// From one 16-bit word to another.
    #[inline]
    #[must_use]
    pub const fn between_u16(old: u16, new: u16) -> Self {
        Self::between_sums(old, new)
    }

    /// From one aligned 32-bit field to another, an IPv4 address for instance.
    #[inline]
    #[must_use]
    pub const fn between_u32(old: u32, new: u32) -> Self {
        Self::between_sums(words(&old.to_be_bytes()), words(&new.to_be_bytes()))
    }

    /// From one aligned 16-byte field to another, an IPv6 address for instance.
    #[inline]
    #[must_use]
    pub const fn between_octets16(old: [u8; 16], new: [u8; 16]) -> Self {
        Self::between_sums(words(&old), words(&new))
    }

    /// From bytes that sum to `old` to bytes that sum to `new`.
    #[inline]
    #[must_use]
    pub const fn between_sums(old: u16, new: u16) -> Self {
        Self(combine(!old, new))
    }

    /// The delta that [`Delta::raw`] gave.
    #[inline]
    #[must_use]
    pub const fn from_raw(raw: u16) -> Self {
        Self(raw)
    }

    /// The number to add to a sum.
    #[inline]
    #[must_use]
    pub const fn raw(self) -> u16 {
        self.0
    }

    /// Whether applying it changes no checksum.
    #[inline]
    #[must_use]
    pub const fn is_identity(self) -> bool {
        matches!(self.0, 0 | 0xffff)
    }

    /// Undoes this delta.
    #[inline]
    #[must_use]
    pub const fn inverse(self) -> Self {
        Self(!self.0)
    }

    /// Both changes.
    #[inline]
    #[must_use]
    pub const fn then(self, other: Self) -> Self {
        Self(combine(self.0, other.0))
    }

    /// The checksum field after the change.
    ///
    /// RFC 1624 section 3, equation 3: "HC' = ~(~HC + ~m + m')".
    #[inline]
    #[must_use]
    pub const fn apply(self, checksum_field: u16) -> u16 {
        !combine(!checksum_field, self.0)
    }

    /// The UDP checksum field after the change: none stays none, and a computed zero is sent as
    /// `0xffff` (RFC 768).
    #[inline]
    #[must_use]
    pub const fn apply_to_udp(self, checksum_field: u16) -> u16 {
        if checksum_field == 0 {
            return 0;
        }
        match self.apply(checksum_field) {
            0 => 0xffff,
            field => field,
        }
    }

    /// The sum after the change. A frame whose checksum is left to the next stage carries the sum
    /// of its pseudo header, not complemented, in the checksum field.
    #[inline]
    #[must_use]
    pub const fn apply_to_partial(self, partial_sum: u16) -> u16 {
        combine(partial_sum, self.0)
    }
}

/// The sum of a short field of even length, also in constants.
#[inline]
const fn words(field: &[u8]) -> u16 {
    super::fold32(super::word_sum(field))
}

impl Add for Delta {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        self.then(other)
    }
}

impl AddAssign for Delta {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = self.then(other);
    }
}
