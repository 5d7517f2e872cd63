//! Identities of clients and servers (RFC 8415 section 11).

use rackweave_types::MacAddr;

use crate::dhcpv6::error::Dhcpv6Error;
use crate::dhcpv6::option::Dhcpv6Option;

/// The hardware type of Ethernet (IANA, "Hardware Types").
const ETHERNET: u16 = 1;
/// Octets of the DUID-LL of an Ethernet address: type, hardware type, address.
const LINK_LAYER_LEN: usize = 10;

/// A DHCP unique identifier: a type and what makes it unique, compared as a whole.
///
/// RFC 8415 section 11: "Clients and servers MUST treat DUIDs as opaque values".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Duid<'a>(&'a [u8]);

/// How a DUID was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuidKind {
    /// From a link-layer address and the time (DUID-LLT).
    LinkLayerTime,
    /// By the vendor (DUID-EN).
    Enterprise,
    /// From a link-layer address (DUID-LL).
    LinkLayer,
    /// From a UUID (DUID-UUID).
    Uuid,
    /// Otherwise.
    Other(u16),
}

impl<'a> Duid<'a> {
    /// The most octets, those of the type included (RFC 8415 section 11.1: "no more than 130").
    pub const MAX_LEN: usize = 130;

    /// The DUID with these octets; `None` where there is nothing behind the type, or too much.
    #[must_use]
    pub fn new(octets: &'a [u8]) -> Option<Self> {
        (3..=Self::MAX_LEN)
            .contains(&octets.len())
            .then_some(Self(octets))
    }

    /// The octets of the DUID-LL of an Ethernet address (RFC 8415 section 11.4).
    #[must_use]
    pub fn link_layer(mac: MacAddr) -> [u8; LINK_LAYER_LEN] {
        let mut octets = [0; LINK_LAYER_LEN];
        octets[..2].copy_from_slice(&3_u16.to_be_bytes());
        octets[2..4].copy_from_slice(&ETHERNET.to_be_bytes());
        octets[4..].copy_from_slice(&mac.octets());
        octets
    }

    pub(super) fn read(option: &Dhcpv6Option<'a>) -> Result<Self, Dhcpv6Error> {
        Self::new(option.value).ok_or_else(|| option.wrong_len("3 to 130"))
    }

    /// The octets.
    #[must_use]
    pub const fn octets(self) -> &'a [u8] {
        self.0
    }

    /// How it was made, for people to read.
    #[must_use]
    pub fn kind(self) -> DuidKind {
        match self
            .0
            .first_chunk()
            .map_or(0, |octets| u16::from_be_bytes(*octets))
        {
            1 => DuidKind::LinkLayerTime,
            2 => DuidKind::Enterprise,
            3 => DuidKind::LinkLayer,
            4 => DuidKind::Uuid,
            number => DuidKind::Other(number),
        }
    }
}
