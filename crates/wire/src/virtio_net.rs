//! The virtio-net header (Virtio 1.3 section 5.1.6), little endian.
//!
//! It stands in front of every frame that a guest, a TAP device or a vhost-user peer exchanges, and
//! says what is still to be done to it. It has no view: all of it is one small [`NetHeader`], in one
//! of three [`Form`]s. Any bytes give a value or a typed error; flags that no form here knows are
//! ignored, as the standard asks of devices.

use core::num::NonZeroU16;

use thiserror::Error;
use zerocopy::little_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::{BufferTooSmall, Truncated};
use crate::raw;

/// Bytes of the longest form.
pub const MAX_LEN: usize = Form::Tunnel.header_len();

const NEEDS_CSUM: u8 = 0x01;
const DATA_VALID: u8 = 0x02;
const UDP_TUNNEL_CSUM: u8 = 0x08;

const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_TUNNEL_IPV4: u8 = 0x20;
const GSO_TUNNEL_IPV6: u8 = 0x40;
const GSO_ECN: u8 = 0x80;

/// Bytes between `num_buffers` and the tunnel's offsets: hash value, hash report, padding.
const HASH_LEN: usize = 8;

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    flags: u8,
    gso_type: u8,
    hdr_len: U16,
    gso_size: U16,
    csum_start: U16,
    csum_offset: U16,
}

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawTunnel {
    hash: [u8; HASH_LEN],
    outer_transport: U16,
    inner_network: U16,
}

/// How much of the header there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// 10 bytes: before Virtio 1.0, and of a TAP device whose header size nobody set.
    Legacy,
    /// 12 bytes: with the number of buffers.
    Mergeable,
    /// 24 bytes: with the hash, which is not read, and where the headers of a tunnel are (Linux since 6.17).
    Tunnel,
}

impl Form {
    /// Bytes of the header.
    #[inline]
    pub const fn header_len(self) -> usize {
        match self {
            Self::Legacy => size_of::<Raw>(),
            Self::Mergeable => size_of::<Raw>() + 2,
            Self::Tunnel => size_of::<Raw>() + 2 + size_of::<RawTunnel>(),
        }
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetHeader {
    /// State of the transport checksum.
    pub checksum: Checksum,
    /// How the frame is to be cut, where it is larger than a packet.
    pub gso: Option<Gso>,
    /// How many receive buffers the frame fills; not in [`Form::Legacy`], where it reads as 0.
    pub num_buffers: u16,
}

/// State of the transport checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// Nothing is said about it.
    #[default]
    None,
    /// It was found to be right.
    Valid,
    /// The field holds the sum over the pseudo header; the rest is to be added.
    Needed {
        /// Where summing begins, in bytes from the start of the frame.
        start: u16,
        /// Where the field is, in bytes from `start`.
        offset: u16,
    },
}

/// How a large frame is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gso {
    /// What it becomes.
    pub kind: GsoKind,
    /// Bytes of the headers that every segment repeats; a hint that a receiver must not trust.
    pub hdr_len: u16,
    /// Bytes of payload in each segment but the last.
    pub size: NonZeroU16,
    /// The first segment alone carries CWR; of no meaning for UDP.
    pub ecn: bool,
    /// Where the frame is in a UDP tunnel: how its outer headers are cut. Only in [`Form::Tunnel`].
    pub tunnel: Option<GsoTunnel>,
}

/// What a large frame becomes when it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GsoKind {
    /// TCP segments in IPv4.
    TcpV4,
    /// TCP segments in IPv6.
    TcpV6,
    /// UDP datagrams.
    UdpL4,
}

/// The UDP tunnel that a large frame is in; checksum and kind of the header then speak of the inner packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GsoTunnel {
    /// Whether the outer packet is IPv6, else IPv4.
    pub outer_ipv6: bool,
    /// The outer UDP checksum is to be filled in for every segment.
    pub checksum: bool,
    /// Where the outer UDP header is, in bytes from the start of the frame.
    pub outer_transport: u16,
    /// Where the inner IP header is, in bytes from the start of the frame.
    pub inner_network: u16,
}

impl NetHeader {
    /// Reads the header at the start of `bytes`.
    ///
    /// Offsets are not compared with the frame, which this does not see.
    ///
    /// # Errors
    /// Where it is cut, or asks for a segmentation that does not exist.
    #[inline]
    pub fn parse(form: Form, bytes: &[u8]) -> Result<Self, NetHeaderError> {
        let bytes = raw::prefix("virtio-net header", bytes, form.header_len())?;
        let (raw, rest) = raw::split::<Raw>("virtio-net header", bytes)?;
        let checksum = if raw.flags & NEEDS_CSUM != 0 {
            Checksum::Needed {
                start: raw.csum_start.get(),
                offset: raw.csum_offset.get(),
            }
        } else if raw.flags & DATA_VALID != 0 {
            Checksum::Valid
        } else {
            Checksum::None
        };
        let (num_buffers, rest) = match U16::read_from_prefix(rest) {
            Ok((number, rest)) => (number.get(), rest),
            Err(_) => (0, rest),
        };
        let gso = if raw.gso_type == GSO_NONE {
            None
        } else {
            Some(Gso::parse(raw, rest)?)
        };
        Ok(Self {
            checksum,
            gso,
            num_buffers,
        })
    }

    /// Writes the header to the start of `buffer`; hash fields are zero.
    ///
    /// # Errors
    /// Where the buffer is too small, or the form has no room for the tunnel. Nothing was written then.
    #[inline]
    pub fn emit(&self, form: Form, buffer: &mut [u8]) -> Result<(), EmitError> {
        let buffer = raw::room(buffer, form.header_len())?;
        let mut flags = 0;
        let (mut start, mut offset) = (0, 0);
        match self.checksum {
            Checksum::None => {}
            Checksum::Valid => flags = DATA_VALID,
            Checksum::Needed {
                start: s,
                offset: o,
            } => {
                flags = NEEDS_CSUM;
                (start, offset) = (s, o);
            }
        }
        let mut tunnel = RawTunnel {
            hash: [0; HASH_LEN],
            outer_transport: 0.into(),
            inner_network: 0.into(),
        };
        let (mut gso_type, mut hdr_len, mut gso_size) = (GSO_NONE, 0, 0);
        if let Some(gso) = self.gso {
            (gso_type, hdr_len, gso_size) = (gso.kind_bits(), gso.hdr_len, gso.size.get());
            if let Some(outer) = gso.tunnel {
                if form != Form::Tunnel {
                    return Err(EmitError::TunnelInShortForm);
                }
                if outer.checksum {
                    flags |= UDP_TUNNEL_CSUM;
                }
                tunnel.outer_transport = outer.outer_transport.into();
                tunnel.inner_network = outer.inner_network.into();
            }
        }
        let raw = Raw {
            flags,
            gso_type,
            hdr_len: hdr_len.into(),
            gso_size: gso_size.into(),
            csum_start: start.into(),
            csum_offset: offset.into(),
        };
        let rest = raw::put(&raw, buffer)?;
        if form == Form::Legacy {
            return Ok(());
        }
        let rest = raw::put(&U16::new(self.num_buffers), rest)?;
        if form == Form::Tunnel {
            raw::put(&tunnel, rest)?;
        }
        Ok(())
    }
}

impl Gso {
    /// What a header whose type is not `GSO_NONE` asks for; `rest` is what its form has behind the number of buffers.
    fn parse(raw: &Raw, rest: &[u8]) -> Result<Self, NetHeaderError> {
        let kind = match raw.gso_type & !(GSO_TUNNEL_IPV4 | GSO_TUNNEL_IPV6 | GSO_ECN) {
            GSO_TCPV4 => GsoKind::TcpV4,
            GSO_TCPV6 => GsoKind::TcpV6,
            GSO_UDP_L4 => GsoKind::UdpL4,
            _ => return Err(NetHeaderError::GsoType { got: raw.gso_type }),
        };
        let size = NonZeroU16::new(raw.gso_size.get()).ok_or(NetHeaderError::GsoSizeZero)?;
        let outer_ipv6 = match raw.gso_type & (GSO_TUNNEL_IPV4 | GSO_TUNNEL_IPV6) {
            0 => None,
            GSO_TUNNEL_IPV4 => Some(false),
            GSO_TUNNEL_IPV6 => Some(true),
            _ => return Err(NetHeaderError::GsoType { got: raw.gso_type }),
        };
        let tunnel = match outer_ipv6 {
            None => None,
            Some(outer_ipv6) => {
                let (offsets, _) = RawTunnel::ref_from_prefix(rest)
                    .map_err(|_| NetHeaderError::TunnelInShortForm)?;
                Some(GsoTunnel {
                    outer_ipv6,
                    checksum: raw.flags & UDP_TUNNEL_CSUM != 0,
                    outer_transport: offsets.outer_transport.get(),
                    inner_network: offsets.inner_network.get(),
                })
            }
        };
        Ok(Self {
            kind,
            hdr_len: raw.hdr_len.get(),
            size,
            ecn: kind != GsoKind::UdpL4 && raw.gso_type & GSO_ECN != 0,
            tunnel,
        })
    }

    /// The header's type field.
    fn kind_bits(self) -> u8 {
        let kind = match self.kind {
            GsoKind::TcpV4 => GSO_TCPV4,
            GsoKind::TcpV6 => GSO_TCPV6,
            GsoKind::UdpL4 => GSO_UDP_L4,
        };
        let ecn = if self.ecn && self.kind != GsoKind::UdpL4 {
            GSO_ECN
        } else {
            0
        };
        let tunnel = match self.tunnel {
            None => 0,
            Some(tunnel) if tunnel.outer_ipv6 => GSO_TUNNEL_IPV6,
            Some(_) => GSO_TUNNEL_IPV4,
        };
        kind | ecn | tunnel
    }
}

/// Why bytes are no virtio-net header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NetHeaderError {
    /// The header is cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// A segmentation that does not exist, or that nobody offers (UFO).
    #[error("virtio-net gso type {got:#04x} is not known")]
    GsoType {
        /// The field.
        got: u8,
    },
    /// Segments without payload.
    #[error("virtio-net gso size is 0")]
    GsoSizeZero,
    /// A tunnel is named in a form that cannot say where its headers are.
    #[error("virtio-net gso type names a tunnel in a header without tunnel offsets")]
    TunnelInShortForm,
}

/// Why a virtio-net header was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The buffer is too small.
    #[error(transparent)]
    Buffer(#[from] BufferTooSmall),
    /// Only [`Form::Tunnel`] can say where a tunnel's headers are.
    #[error("a tunnel needs the 24-byte virtio-net header")]
    TunnelInShortForm,
}

#[cfg(test)]
mod tests;
