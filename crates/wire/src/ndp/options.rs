//! Options of neighbour discovery messages.

mod dns;
mod prefix;

use rackweave_types::MacAddr;
use zerocopy::network_endian::U32;
use zerocopy::{FromBytes, IntoBytes};

pub use self::prefix::{PrefixInformation, RouteInformation, RouterPreference};
use super::{Lifetime, NdpError};
use crate::error::BufferTooSmall;
use crate::options::HeaderOption;
use crate::raw;

/// Lengths count units of this many bytes.
const UNIT: usize = 8;
/// Bytes of type and length.
const HEADER_LEN: usize = 2;
/// Bytes of the longest option.
const MAX_LEN: usize = 255 * UNIT;

/// An option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NdpOption<'a> {
    /// The sender's link-layer address (RFC 4861 section 4.6.1).
    SourceLinkLayer(MacAddr),
    /// The target's link-layer address (RFC 4861 section 4.6.1).
    TargetLinkLayer(MacAddr),
    /// A prefix of the link (RFC 4861 section 4.6.2).
    PrefixInformation(PrefixInformation),
    /// The packet that a redirect is about (RFC 4861 section 4.6.3): a multiple of eight bytes,
    /// perhaps cut or padded.
    RedirectedHeader(&'a [u8]),
    /// Bytes of the link's MTU (RFC 4861 section 4.6.4).
    Mtu(u32),
    /// A more specific route (RFC 4191 section 2.3).
    RouteInformation(RouteInformation),
    /// Recursive DNS servers (RFC 8106 section 5.1), at least one.
    RecursiveDns {
        /// For how long they may be used.
        lifetime: Lifetime,
        /// Their addresses.
        servers: &'a [[u8; 16]],
    },
    /// DNS search list (RFC 8106 section 5.2), at least one name.
    SearchList {
        /// For how long it may be used.
        lifetime: Lifetime,
        /// Encoded names one after another, without padding: [`crate::domain::put`] writes them,
        /// [`crate::domain::Names`] reads them.
        names: &'a [u8],
    },
    /// Any other, or one that must be ignored.
    Unknown {
        /// The option's type.
        kind: u8,
        /// What follows type and length: six bytes and a multiple of eight.
        data: &'a [u8],
    },
}

impl<'a> NdpOption<'a> {
    const SOURCE_LINK_LAYER: u8 = 1;
    const TARGET_LINK_LAYER: u8 = 2;
    const PREFIX_INFORMATION: u8 = 3;
    const REDIRECTED_HEADER: u8 = 4;
    const MTU: u8 = 5;
    const ROUTE_INFORMATION: u8 = 24;
    const RECURSIVE_DNS: u8 = 25;
    const SEARCH_LIST: u8 = 31;

    /// The type octet.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::SourceLinkLayer(_) => Self::SOURCE_LINK_LAYER,
            Self::TargetLinkLayer(_) => Self::TARGET_LINK_LAYER,
            Self::PrefixInformation(_) => Self::PREFIX_INFORMATION,
            Self::RedirectedHeader(_) => Self::REDIRECTED_HEADER,
            Self::Mtu(_) => Self::MTU,
            Self::RouteInformation(_) => Self::ROUTE_INFORMATION,
            Self::RecursiveDns { .. } => Self::RECURSIVE_DNS,
            Self::SearchList { .. } => Self::SEARCH_LIST,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    fn of_data(kind: u8, data: &'a [u8]) -> Result<Self, NdpError> {
        let wrong = NdpError::OptionData {
            kind,
            got: HEADER_LEN + data.len(),
        };
        match kind {
            Self::SOURCE_LINK_LAYER | Self::TARGET_LINK_LAYER => {
                let mac = MacAddr::read_from_bytes(data).map_err(|_| wrong)?;
                Ok(if kind == Self::SOURCE_LINK_LAYER {
                    Self::SourceLinkLayer(mac)
                } else {
                    Self::TargetLinkLayer(mac)
                })
            }
            Self::PREFIX_INFORMATION => {
                PrefixInformation::parse(kind, data).map(Self::PrefixInformation)
            }
            Self::REDIRECTED_HEADER => data.get(6..).map(Self::RedirectedHeader).ok_or(wrong),
            Self::MTU => match data {
                [_, _, mtu @ ..] => {
                    let octets = mtu.try_into().map_err(|_| wrong)?;
                    Ok(Self::Mtu(u32::from_be_bytes(octets)))
                }
                _ => Err(wrong),
            },
            Self::ROUTE_INFORMATION => Ok(RouteInformation::parse(kind, data)?
                .map_or(Self::Unknown { kind, data }, Self::RouteInformation)),
            Self::RECURSIVE_DNS => {
                let (lifetime, servers) = dns::servers(kind, data)?;
                Ok(Self::RecursiveDns { lifetime, servers })
            }
            Self::SEARCH_LIST => {
                let (lifetime, names) = dns::names(kind, data)?;
                Ok(Self::SearchList { lifetime, names })
            }
            _ => Ok(Self::Unknown { kind, data }),
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Self::SourceLinkLayer(_) | Self::TargetLinkLayer(_) | Self::Mtu(_) => 6,
            Self::PrefixInformation(_) => PrefixInformation::DATA_LEN,
            Self::RedirectedHeader(packet) => 6 + packet.len(),
            Self::RouteInformation(route) => route.data_len(),
            Self::RecursiveDns { servers, .. } => 6 + size_of_val(*servers),
            Self::SearchList { names, .. } => 6 + names.len(),
            Self::Unknown { data, .. } => data.len(),
        }
    }
}

impl<'a> HeaderOption<'a> for NdpOption<'a> {
    type Error = NdpError;
    const LIMIT: usize = 65535 - 40;
    const ALIGN: usize = UNIT;

    fn read(area: &'a [u8], at: usize) -> Result<Option<(Self, usize)>, NdpError> {
        let rest = area.get(at..).unwrap_or_default();
        let (kind, units) = match *rest {
            [] => return Ok(None),
            [kind] => (kind, 0),
            [kind, units, ..] => (kind, usize::from(units)),
        };
        let got = units * UNIT;
        // RFC 4861 section 4.6: a message with an option of length zero is discarded.
        let wrong = NdpError::OptionLength {
            kind,
            offset: at,
            got,
            left: rest.len(),
        };
        let data = rest.get(HEADER_LEN..got).ok_or(wrong)?;
        Ok(Some((Self::of_data(kind, data)?, at + got)))
    }

    fn check(&self) -> Result<(), NdpError> {
        let (kind, got) = (self.kind(), self.buffer_len());
        let sound = match *self {
            Self::RedirectedHeader(packet) => packet.len().is_multiple_of(UNIT),
            Self::RecursiveDns { servers, .. } => !servers.is_empty(),
            Self::SearchList { names, .. } => {
                let end = dns::names_end(kind, names)?;
                !names.is_empty() && end == names.len()
            }
            Self::Unknown { data, .. } => {
                // What would be read as something else is not unknown.
                if !matches!(Self::of_data(kind, data), Ok(Self::Unknown { .. })) {
                    return Err(NdpError::OptionKind { kind });
                }
                (HEADER_LEN + data.len()).is_multiple_of(UNIT) && !data.is_empty()
            }
            _ => true,
        };
        if sound && got <= MAX_LEN {
            Ok(())
        } else {
            Err(NdpError::OptionData { kind, got })
        }
    }

    fn buffer_len(&self) -> usize {
        (HEADER_LEN + self.data_len()).next_multiple_of(UNIT)
    }

    fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let room = raw::room(buffer, self.buffer_len())?;
        room.fill(0);
        // At most 255: the check saw to that.
        let units = u8::try_from(room.len() / UNIT).unwrap_or(u8::MAX);
        let room = raw::put_bytes(&[self.kind(), units], room)?;
        match *self {
            Self::SourceLinkLayer(mac) | Self::TargetLinkLayer(mac) => raw::put(&mac, room),
            Self::PrefixInformation(prefix) => return prefix.emit(room),
            Self::RouteInformation(route) => return route.emit(room),
            Self::RedirectedHeader(packet) => {
                raw::put_bytes(packet, raw::put_bytes(&[0; 6], room)?)
            }
            Self::Mtu(mtu) => raw::put(&U32::new(mtu), raw::put_bytes(&[0; 2], room)?),
            Self::RecursiveDns { lifetime, servers } => {
                raw::put_bytes(servers.as_bytes(), dns::put_lifetime(lifetime, room)?)
            }
            Self::SearchList { lifetime, names } => {
                raw::put_bytes(names, dns::put_lifetime(lifetime, room)?)
            }
            Self::Unknown { data, .. } => raw::put_bytes(data, room),
        }
        .map(|_| ())
    }

    fn too_long(len: usize) -> NdpError {
        NdpError::OptionsTooLong {
            got: len,
            max: Self::LIMIT,
        }
    }
}
