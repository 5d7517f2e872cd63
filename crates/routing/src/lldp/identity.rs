//! Whose a message is: the chassis and the port that it was sent from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rackweave_types::MacAddr;
use serde::{Deserialize, Serialize};

use super::text::Plain;

/// Octets of the longest id (IEEE 802.1AB, 8.5.2.3 and 8.5.3.3).
const MAX_ID: usize = 255;

/// What an id is made of (IEEE 802.1AB, tables 8-2 and 8-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IdKind {
    /// `entPhysicalAlias` of a chassis (RFC 6933).
    ChassisComponent,
    /// `ifAlias` (RFC 2863).
    InterfaceAlias,
    /// `entPhysicalAlias` of a port or backplane (RFC 6933).
    PortComponent,
    /// An Ethernet address.
    Mac,
    /// A network address with its family.
    Network,
    /// `ifName` (RFC 2863).
    InterfaceName,
    /// The circuit of a DHCP relay (RFC 3046).
    AgentCircuit,
    /// Whatever the neighbour chose.
    Local,
    /// A kind that the standard keeps for later.
    Reserved,
}

/// The octets cannot be an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to {MAX_ID} octets behind its kind, not {got}")]
pub struct IdError {
    /// Octets behind the octet that says the kind.
    pub got: usize,
}

/// The system that a message comes from: unique among systems.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChassisId(Id);

/// The port that a message was sent from: unique in its system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(Id);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Id {
    subtype: u8,
    octets: Box<[u8]>,
}

impl Id {
    fn new(subtype: u8, octets: &[u8]) -> Result<Self, IdError> {
        if octets.is_empty() || octets.len() > MAX_ID {
            return Err(IdError { got: octets.len() });
        }
        let octets = octets.into();
        Ok(Self { subtype, octets })
    }

    fn text(&self, kind: IdKind) -> String {
        let octets = &self.octets[..];
        match kind {
            IdKind::Mac => mac(octets).map(|mac| mac.to_string()),
            IdKind::Network => network(octets).map(|address| address.to_string()),
            IdKind::AgentCircuit | IdKind::Reserved => None,
            _ => std::str::from_utf8(octets)
                .ok()
                .map(|text| Plain(text).to_string())
                .filter(|text| !text.is_empty()),
        }
        .unwrap_or_else(|| hexadecimal(octets))
    }
}

macro_rules! identity {
    ($name:ident, $mac:literal, $interface:literal, $kind:expr) => {
        impl $name {
            /// The id of this subtype.
            ///
            /// # Errors
            /// Where it has no octets or more than 255.
            pub fn new(subtype: u8, octets: &[u8]) -> Result<Self, IdError> {
                Id::new(subtype, octets).map(Self)
            }

            /// An Ethernet address as id.
            #[must_use]
            pub fn mac(mac: MacAddr) -> Self {
                let octets = Box::new(mac.octets());
                Self(Id {
                    subtype: $mac,
                    octets,
                })
            }

            /// The name of an interface as id.
            ///
            /// # Errors
            /// Where it has no octets or more than 255.
            pub fn interface(name: &str) -> Result<Self, IdError> {
                Self::new($interface, name.as_bytes())
            }

            /// The octet that says what it is made of.
            pub const fn subtype(&self) -> u8 {
                self.0.subtype
            }

            /// What it is made of.
            pub fn kind(&self) -> IdKind {
                let kind: fn(u8) -> IdKind = $kind;
                kind(self.0.subtype)
            }

            /// Its octets.
            pub const fn octets(&self) -> &[u8] {
                &self.0.octets
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0.text(self.kind()))
            }
        }
    };
}

identity!(ChassisId, 4, 6, |subtype| match subtype {
    1 => IdKind::ChassisComponent,
    2 => IdKind::InterfaceAlias,
    3 => IdKind::PortComponent,
    4 => IdKind::Mac,
    5 => IdKind::Network,
    6 => IdKind::InterfaceName,
    7 => IdKind::Local,
    _ => IdKind::Reserved,
});

identity!(PortId, 3, 5, |subtype| match subtype {
    1 => IdKind::InterfaceAlias,
    2 => IdKind::PortComponent,
    3 => IdKind::Mac,
    4 => IdKind::Network,
    5 => IdKind::InterfaceName,
    6 => IdKind::AgentCircuit,
    7 => IdKind::Local,
    _ => IdKind::Reserved,
});

fn mac(octets: &[u8]) -> Option<MacAddr> {
    <[u8; 6]>::try_from(octets).ok().map(MacAddr::new)
}

/// A network address behind the number of its family (IANA: 1 IPv4, 2 IPv6).
pub(super) fn network(octets: &[u8]) -> Option<IpAddr> {
    match octets {
        [1, octets @ ..] => <[u8; 4]>::try_from(octets)
            .ok()
            .map(|four| Ipv4Addr::from(four).into()),
        [2, octets @ ..] => <[u8; 16]>::try_from(octets)
            .ok()
            .map(|sixteen| Ipv6Addr::from(sixteen).into()),
        _ => None,
    }
}

pub(super) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold("0x".to_owned(), |text, octet| {
        text + &format!("{octet:02x}")
    })
}
