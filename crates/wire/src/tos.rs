//! The octet that IPv4 calls type of service and IPv6 traffic class: DSCP (RFC 2474 section 3) and
//! ECN (RFC 3168 section 5), and how ECN crosses a tunnel (RFC 6040).
//!
//! Reading cannot fail: every octet is a DSCP and an ECN codepoint. Leaving a tunnel can: see
//! [`Ecn::decapsulate`].

use crate::number::bounded;

bounded! {
    /// A differentiated services codepoint: six bits.
    Dscp: u8, 0x3f, "dscp"
}

impl Dscp {
    /// The codepoint in the high bits of the octet.
    #[inline]
    #[must_use]
    pub const fn of_octet(octet: u8) -> Self {
        Self(octet >> 2)
    }
}

/// An explicit congestion notification codepoint (RFC 3168 section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// The transport does not know ECN.
    #[default]
    NotEct = 0b00,
    /// ECN-capable transport, ECT(1).
    Ect1 = 0b01,
    /// ECN-capable transport, ECT(0).
    Ect0 = 0b10,
    /// Congestion experienced.
    Ce = 0b11,
}

impl Ecn {
    /// The codepoint in the low bits of the octet.
    #[inline]
    #[must_use]
    pub const fn of_octet(octet: u8) -> Self {
        match octet & 0b11 {
            0b00 => Self::NotEct,
            0b01 => Self::Ect1,
            0b10 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    /// The two bits.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotEct => 0b00,
            Self::Ect1 => 0b01,
            Self::Ect0 => 0b10,
            Self::Ce => 0b11,
        }
    }

    /// The outer codepoint for this inner one.
    ///
    /// RFC 6040 section 4.1, figure 3: normal mode copies the inner field, compatibility mode sends
    /// Not-ECT.
    #[inline]
    #[must_use]
    pub const fn encapsulate(self, mode: TunnelMode) -> Self {
        match mode {
            TunnelMode::Normal => self,
            TunnelMode::Compatibility => Self::NotEct,
        }
    }

    /// The codepoint to forward when this inner packet arrived under `outer`; `None` where the
    /// packet must be dropped.
    ///
    /// RFC 6040 section 4.2, figure 4. A congestion mark on a packet whose transport would not
    /// understand it is told by dropping the packet.
    #[inline]
    #[must_use]
    pub const fn decapsulate(self, outer: Self) -> Option<Self> {
        match (self, outer) {
            (Self::NotEct, Self::Ce) => None,
            (Self::NotEct, _) => Some(Self::NotEct),
            (Self::Ce, _) | (_, Self::Ce) => Some(Self::Ce),
            (Self::Ect1, _) | (_, Self::Ect1) => Some(Self::Ect1),
            (Self::Ect0, _) => Some(Self::Ect0),
        }
    }
}

/// How a tunnel ingress sets the outer ECN field (RFC 6040 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelMode {
    /// The egress is known to obey RFC 6040.
    Normal,
    /// Nothing is known of the egress.
    Compatibility,
}

/// The octet with these codepoints.
#[inline]
#[must_use]
pub const fn octet(dscp: Dscp, ecn: Ecn) -> u8 {
    dscp.get() << 2 | ecn.bits()
}

#[cfg(test)]
impl proptest::arbitrary::Arbitrary for Ecn {
    type Parameters = ();
    type Strategy = proptest::strategy::BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        use proptest::strategy::Strategy;
        (0..=0b11_u8).prop_map(Self::of_octet).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6040 section 4.2, figure 4: rows are the inner field, columns the outer.
    #[test]
    fn decapsulation_is_figure_4() {
        use Ecn::{Ce, Ect0, Ect1, NotEct};
        let outer = [NotEct, Ect0, Ect1, Ce];
        let table = [
            (NotEct, [Some(NotEct), Some(NotEct), Some(NotEct), None]),
            (Ect0, [Some(Ect0), Some(Ect0), Some(Ect1), Some(Ce)]),
            (Ect1, [Some(Ect1), Some(Ect1), Some(Ect1), Some(Ce)]),
            (Ce, [Some(Ce), Some(Ce), Some(Ce), Some(Ce)]),
        ];
        for (inner, row) in table {
            for (outer, expected) in outer.into_iter().zip(row) {
                assert_eq!(
                    inner.decapsulate(outer),
                    expected,
                    "inner {inner:?}, outer {outer:?}"
                );
            }
        }
    }

    /// RFC 6040 section 4.1, figure 3.
    #[test]
    fn encapsulation_is_figure_3() {
        for ecn in [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce] {
            assert_eq!(ecn.encapsulate(TunnelMode::Normal), ecn);
            assert_eq!(ecn.encapsulate(TunnelMode::Compatibility), Ecn::NotEct);
        }
    }

    #[test]
    fn every_octet_is_both_codepoints() {
        for value in 0..=u8::MAX {
            assert_eq!(octet(Dscp::of_octet(value), Ecn::of_octet(value)), value);
        }
    }

    #[test]
    fn dscp_has_six_bits() {
        assert_eq!(Dscp::new(63).map(Dscp::get), Ok(63));
        let error = Dscp::new(64).unwrap_err();
        assert_eq!((error.what, error.value, error.max), ("dscp", 64, 63));
    }
}
