//! Where a fragment's payload lies in its datagram; IPv4 and IPv6 count alike.

use crate::number::bounded;

bounded! {
    /// A fragment offset in units of eight octets: thirteen bits (RFC 791 section 3.1, RFC 8200
    /// section 4.5).
    FragmentOffset: u16, 0x1fff, "fragment offset"
}

impl FragmentOffset {
    /// The first fragment's, or that of a packet that is none.
    pub const ZERO: Self = Self(0);

    /// The offset in octets.
    #[inline]
    #[must_use]
    pub const fn octets(self) -> u16 {
        self.0 << 3
    }

    /// The offset in the low thirteen bits.
    #[inline]
    #[must_use]
    pub(crate) const fn of_low_bits(bits: u16) -> Self {
        Self(bits & Self::MAX)
    }
}
