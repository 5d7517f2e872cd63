//! What a system can do, and what of it is switched on (IEEE 802.1AB, 8.5.8).

use serde::{Deserialize, Serialize};

/// Something that a system can do (IEEE 802.1AB, table 8-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// None of the others.
    Other,
    /// Repeats frames (IETF RFC 2108).
    Repeater,
    /// Bridges frames (RFC 4188).
    Bridge,
    /// Is a wireless access point.
    AccessPoint,
    /// Routes packets (RFC 1812).
    Router,
    /// Is a telephone.
    Telephone,
    /// Is a cable modem.
    CableModem,
    /// Is a host and nothing else.
    Station,
    /// Bridges customers' VLANs.
    CustomerVlan,
    /// Bridges providers' VLANs.
    ServiceVlan,
    /// Is a two-port relay.
    TwoPortRelay,
}

impl Capability {
    /// All of them, in the order of their bits.
    pub const ALL: [Self; 11] = [
        Self::Other,
        Self::Repeater,
        Self::Bridge,
        Self::AccessPoint,
        Self::Router,
        Self::Telephone,
        Self::CableModem,
        Self::Station,
        Self::CustomerVlan,
        Self::ServiceVlan,
        Self::TwoPortRelay,
    ];

    const fn bit(self) -> u16 {
        match self {
            Self::Other => 1,
            Self::Repeater => 1 << 1,
            Self::Bridge => 1 << 2,
            Self::AccessPoint => 1 << 3,
            Self::Router => 1 << 4,
            Self::Telephone => 1 << 5,
            Self::CableModem => 1 << 6,
            Self::Station => 1 << 7,
            Self::CustomerVlan => 1 << 8,
            Self::ServiceVlan => 1 << 9,
            Self::TwoPortRelay => 1 << 10,
        }
    }
}

/// Several of them, as the bits on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CapabilitySet(pub u16);

impl CapabilitySet {
    /// Just this one.
    #[must_use]
    pub const fn only(capability: Capability) -> Self {
        Self(capability.bit())
    }

    /// Those of it that have a name, in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL
            .into_iter()
            .filter(move |capability| self.0 & capability.bit() != 0)
    }
}

/// What a system can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// What it could do.
    pub able: CapabilitySet,
    /// What it does.
    pub enabled: CapabilitySet,
}

impl Capabilities {
    /// A system that does one thing.
    #[must_use]
    pub const fn only(capability: Capability) -> Self {
        let set = CapabilitySet::only(capability);
        Self {
            able: set,
            enabled: set,
        }
    }

    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        let [a, b, c, d] = <[u8; 4]>::try_from(content).ok()?;
        Some(Self {
            able: CapabilitySet(u16::from_be_bytes([a, b])),
            enabled: CapabilitySet(u16::from_be_bytes([c, d])),
        })
    }
}
