//! Options that carry a prefix. What a prefix has behind its length is neither read nor written
//! (RFC 4861 section 4.6.2: "reserved and MUST be initialized to zero by the sender and ignored by
//! the receiver").

use core::net::Ipv6Addr;

use ipnet::Ipv6Net;
use zerocopy::network_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::HEADER_LEN;
use crate::error::BufferTooSmall;
use crate::ndp::{Lifetime, NdpError};
use crate::raw;

const ON_LINK: u8 = 0x80;
const AUTONOMOUS: u8 = 0x40;

/// A prefix of the link (RFC 4861 section 4.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixInformation {
    /// The prefix.
    pub prefix: Ipv6Net,
    /// Whether its addresses are on the link (L).
    pub on_link: bool,
    /// Whether hosts may make an address from it (A).
    pub autonomous: bool,
    /// For how long both hold.
    pub valid: Lifetime,
    /// For how long addresses made from it are preferred.
    pub preferred: Lifetime,
}

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawPrefix {
    prefix_len: u8,
    flags: u8,
    valid: U32,
    preferred: U32,
    reserved: [u8; 4],
    prefix: [u8; 16],
}

impl PrefixInformation {
    pub(super) const DATA_LEN: usize = size_of::<RawPrefix>();

    pub(super) fn parse(kind: u8, data: &[u8]) -> Result<Self, NdpError> {
        let wrong = NdpError::OptionData {
            kind,
            got: HEADER_LEN + data.len(),
        };
        let raw = RawPrefix::ref_from_bytes(data).map_err(|_| wrong)?;
        Ok(Self {
            prefix: net(kind, raw.prefix, raw.prefix_len)?,
            on_link: raw.flags & ON_LINK != 0,
            autonomous: raw.flags & AUTONOMOUS != 0,
            valid: Lifetime::from_secs(raw.valid.get()),
            preferred: Lifetime::from_secs(raw.preferred.get()),
        })
    }

    pub(super) fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let on_link = if self.on_link { ON_LINK } else { 0 };
        let autonomous = if self.autonomous { AUTONOMOUS } else { 0 };
        let raw = RawPrefix {
            prefix_len: self.prefix.prefix_len(),
            flags: on_link | autonomous,
            valid: self.valid.as_secs().into(),
            preferred: self.preferred.as_secs().into(),
            reserved: [0; 4],
            prefix: self.prefix.network().octets(),
        };
        raw::put(&raw, buffer).map(|_| ())
    }
}

/// How much a router is preferred to others (RFC 4191 section 2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouterPreference {
    /// Less than others.
    Low,
    /// Like any.
    #[default]
    Medium,
    /// More than others.
    High,
}

impl RouterPreference {
    /// The two bits of an octet that also holds flags; none where they are reserved.
    pub(in crate::ndp) const fn of_octet(octet: u8) -> Option<Self> {
        match octet >> 3 & 0b11 {
            0b00 => Some(Self::Medium),
            0b01 => Some(Self::High),
            0b11 => Some(Self::Low),
            _ => None,
        }
    }

    pub(in crate::ndp) const fn octet(self) -> u8 {
        match self {
            Self::Medium => 0,
            Self::High => 0b01 << 3,
            Self::Low => 0b11 << 3,
        }
    }
}

/// A more specific route (RFC 4191 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteInformation {
    /// The destinations.
    pub prefix: Ipv6Net,
    /// How much the router is preferred to others with the same route.
    pub preference: RouterPreference,
    /// For how long the route holds.
    pub lifetime: Lifetime,
}

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawRoute {
    prefix_len: u8,
    preference: u8,
    lifetime: U32,
}

impl RouteInformation {
    /// None where the preference is the reserved one: the option must be ignored then.
    pub(super) fn parse(kind: u8, data: &[u8]) -> Result<Option<Self>, NdpError> {
        let wrong = NdpError::OptionData {
            kind,
            got: HEADER_LEN + data.len(),
        };
        let (raw, rest) = RawRoute::ref_from_prefix(data).map_err(|_| wrong)?;
        let mut octets = [0; 16];
        octets
            .get_mut(..rest.len())
            .ok_or(wrong)?
            .copy_from_slice(rest);
        if usize::from(raw.prefix_len) > rest.len() * 8 {
            return Err(NdpError::PrefixLength {
                kind,
                got: raw.prefix_len,
            });
        }
        let prefix = net(kind, octets, raw.prefix_len)?;
        let lifetime = Lifetime::from_secs(raw.lifetime.get());
        let preference = RouterPreference::of_octet(raw.preference);
        Ok(preference.map(|preference| Self {
            prefix,
            preference,
            lifetime,
        }))
    }

    /// Bytes of the prefix: the fewest units that hold it.
    fn prefix_bytes(&self) -> usize {
        match self.prefix.prefix_len() {
            0 => 0,
            1..=64 => 8,
            _ => 16,
        }
    }

    pub(super) fn data_len(&self) -> usize {
        size_of::<RawRoute>() + self.prefix_bytes()
    }

    pub(super) fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let raw = RawRoute {
            prefix_len: self.prefix.prefix_len(),
            preference: self.preference.octet(),
            lifetime: self.lifetime.as_secs().into(),
        };
        let octets = self.prefix.network().octets();
        let prefix = octets.get(..self.prefix_bytes()).unwrap_or_default();
        raw::put_bytes(prefix, raw::put(&raw, buffer)?).map(|_| ())
    }
}

fn net(kind: u8, octets: [u8; 16], len: u8) -> Result<Ipv6Net, NdpError> {
    let net = Ipv6Net::new(Ipv6Addr::from(octets), len);
    net.map(|net| net.trunc())
        .map_err(|_| NdpError::PrefixLength { kind, got: len })
}
