//! The features of virtio-net (Virtio 1.3 sections 5.1.3 and 6) that a device offers and a driver takes.

use std::ops::BitOr;

use crate::Offloads;

/// A set of feature bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(u64);

impl Features {
    /// The driver may leave transport checksums to us.
    pub const CSUM: Self = Self(1 << 0);
    /// The driver takes frames whose checksum is not computed.
    pub const GUEST_CSUM: Self = Self(1 << 1);
    /// The device can say its MTU.
    pub const MTU: Self = Self(1 << 3);
    /// The driver takes large TCP segments in IPv4.
    pub const GUEST_TSO4: Self = Self(1 << 7);
    /// The driver takes large TCP segments in IPv6.
    pub const GUEST_TSO6: Self = Self(1 << 8);
    /// The driver takes large TCP segments with CWR.
    pub const GUEST_ECN: Self = Self(1 << 9);
    /// The driver may send large TCP segments in IPv4.
    pub const HOST_TSO4: Self = Self(1 << 11);
    /// The driver may send large TCP segments in IPv6.
    pub const HOST_TSO6: Self = Self(1 << 12);
    /// The driver may send large TCP segments with CWR.
    pub const HOST_ECN: Self = Self(1 << 13);
    /// A frame may fill several receive buffers.
    pub const MRG_RXBUF: Self = Self(1 << 15);
    /// The device can say whether its link is up.
    pub const STATUS: Self = Self(1 << 16);
    /// The machine may give the driver a control queue.
    pub const CTRL_VQ: Self = Self(1 << 17);
    /// Several queue pairs.
    pub const MQ: Self = Self(1 << 22);
    /// Legacy drivers too may lay out frames as they like.
    pub const ANY_LAYOUT: Self = Self(1 << 27);
    /// Chains may go on in indirect tables.
    pub const INDIRECT_DESC: Self = Self(1 << 28);
    /// Each side says at which index it wants to be told.
    pub const EVENT_IDX: Self = Self(1 << 29);
    /// vhost-user itself: the protocol features are negotiated.
    pub const PROTOCOL: Self = Self(1 << 30);
    /// The standard of 2016 and later.
    pub const VERSION_1: Self = Self(1 << 32);
    /// Chains are given back in the order in which they came.
    pub const IN_ORDER: Self = Self(1 << 35);
    /// The driver takes trains of UDP datagrams in IPv4.
    pub const GUEST_USO4: Self = Self(1 << 54);
    /// The driver takes trains of UDP datagrams in IPv6.
    pub const GUEST_USO6: Self = Self(1 << 55);
    /// The driver may send trains of UDP datagrams.
    pub const HOST_USO: Self = Self(1 << 56);

    /// What a ring needs, and no offloads: for a port that serves as a wire between machines that do not trust each
    /// other's checksums.
    pub const PLAIN: Self = Self(
        Self::MRG_RXBUF.0
            | Self::MQ.0
            | Self::CTRL_VQ.0
            | Self::STATUS.0
            | Self::ANY_LAYOUT.0
            | Self::INDIRECT_DESC.0
            | Self::EVENT_IDX.0
            | Self::PROTOCOL.0
            | Self::VERSION_1.0
            | Self::IN_ORDER.0,
    );

    /// Everything, for a guest.
    pub const GUEST: Self = Self(
        Self::PLAIN.0
            | Self::CSUM.0
            | Self::GUEST_CSUM.0
            | Self::MTU.0
            | Self::GUEST_TSO4.0
            | Self::GUEST_TSO6.0
            | Self::GUEST_ECN.0
            | Self::HOST_TSO4.0
            | Self::HOST_TSO6.0
            | Self::HOST_ECN.0
            | Self::GUEST_USO4.0
            | Self::GUEST_USO6.0
            | Self::HOST_USO.0,
    );

    /// The features with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether all of `other` are in here.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What a driver that took these can be handed.
    pub(super) const fn offloads(self) -> Offloads {
        let checksum = self.has(Self::GUEST_CSUM);
        Offloads {
            checksum,
            tcp4: checksum && self.has(Self::GUEST_TSO4),
            tcp6: checksum && self.has(Self::GUEST_TSO6),
            udp: checksum && self.has(Self::GUEST_USO4) && self.has(Self::GUEST_USO6),
        }
    }
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
