//! What Ethernet itself says of a port (IEEE 802.3, 79.3).

/// Subtypes of IEEE 802.3 (table 79-1): how the port talks to its cable, and the longest frame (79.3.4).
pub(super) const MAC_PHY: u8 = 1;
pub(super) const MAX_FRAME: u8 = 4;

/// How a port talks to its cable (IEEE 802.3, 79.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MacPhy {
    /// Bit 0: it can agree on a speed with the other end; bit 1: it does.
    pub autonegotiation: u8,
    /// What it offers there (`ifMauAutoNegCapAdvertisedBits`, RFC 4836).
    pub offered: u16,
    /// What it runs as: a number of `dot3MauType` (RFC 4836); zero where that is none of those.
    pub mau: u16,
}

impl MacPhy {
    /// Whether it can agree on a speed with the other end.
    pub const fn can_negotiate(self) -> bool {
        self.autonegotiation & 1 != 0
    }

    /// Whether it does agree on a speed with the other end.
    pub const fn negotiates(self) -> bool {
        self.autonegotiation & 2 != 0
    }

    pub(super) fn parse(octets: &[u8]) -> Option<Self> {
        let [autonegotiation, a, b, c, d] = <[u8; 5]>::try_from(octets).ok()?;
        Some(Self {
            autonegotiation,
            offered: u16::from_be_bytes([a, b]),
            mau: u16::from_be_bytes([c, d]),
        })
    }

    /// What its element says behind its head.
    pub(super) fn octets(self) -> [u8; 5] {
        let ([a, b], [c, d]) = (self.offered.to_be_bytes(), self.mau.to_be_bytes());
        [self.autonegotiation, a, b, c, d]
    }
}
