//! The IPv6 header (RFC 8200 section 3); what stands between it and the upper layer is in
//! [`crate::ipv6_extension`].
//!
//! [`Ipv6View::parse`] fails when the version or the payload length contradict the bytes. Accessors
//! and [`Ipv6Repr::parse`] cannot fail. A jumbogram (RFC 2675) is read as a packet without payload.

use core::net::Ipv6Addr;

use thiserror::Error;
use zerocopy::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum;
use crate::error::{BufferTooSmall, Truncated};
use crate::ipv6_extension::{self, ExtensionError, UpperLayer};
use crate::number::bounded;
use crate::protocol::IpProtocol;
use crate::raw;
use crate::tos::{self, Dscp, Ecn};

/// Bytes of the header.
pub const HEADER_LEN: usize = size_of::<Raw>();
/// Bytes that every link carries in one packet (RFC 8200 section 5).
pub const MIN_MTU: usize = 1280;

bounded! {
    /// A flow label: twenty bits (RFC 6437 section 2).
    FlowLabel: u32, 0x000f_ffff, "flow label"
}

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    version_class_label: U32,
    payload_len: U16,
    next_header: u8,
    hop_limit: u8,
    src: [u8; 16],
    dst: [u8; 16],
}

/// A packet whose lengths are consistent.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6View<'a> {
    raw: &'a Raw,
    payload: &'a [u8],
}

impl<'a> Ipv6View<'a> {
    /// Checks version and length; bytes behind the payload are padding and ignored.
    ///
    /// # Errors
    /// Where they contradict the bytes.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Ipv6Error> {
        let view = Self::parse_quoted(bytes)?;
        raw::prefix(
            "ipv6 packet",
            bytes,
            HEADER_LEN + usize::from(view.payload_len()),
        )?;
        Ok(view)
    }

    /// Like [`Self::parse`] for a packet that an ICMP error embeds: its end may be cut off.
    ///
    /// # Errors
    /// Where the version is wrong or the header itself is cut.
    #[inline]
    pub fn parse_quoted(bytes: &'a [u8]) -> Result<Self, Ipv6Error> {
        let (raw, rest) = raw::split::<Raw>("ipv6 header", bytes)?;
        let [first, ..] = raw.version_class_label.to_bytes();
        if first >> 4 != 6 {
            return Err(Ipv6Error::Version { got: first >> 4 });
        }
        let len = usize::from(raw.payload_len.get()).min(rest.len());
        Ok(Self {
            raw,
            payload: rest.get(..len).unwrap_or_default(),
        })
    }

    /// Differentiated services codepoint.
    pub fn dscp(&self) -> Dscp {
        Dscp::of_octet(self.traffic_class())
    }

    /// Explicit congestion notification.
    pub fn ecn(&self) -> Ecn {
        Ecn::of_octet(self.traffic_class())
    }

    /// Flow label.
    pub fn flow_label(&self) -> FlowLabel {
        FlowLabel(self.raw.version_class_label.get() & FlowLabel::MAX)
    }

    /// Bytes of the payload, extension headers included, as the header says.
    pub fn payload_len(&self) -> u16 {
        self.raw.payload_len.get()
    }

    /// What the payload begins with.
    pub const fn next_header(&self) -> IpProtocol {
        IpProtocol(self.raw.next_header)
    }

    /// Hop limit.
    pub const fn hop_limit(&self) -> u8 {
        self.raw.hop_limit
    }

    /// Source address.
    pub fn src(&self) -> Ipv6Addr {
        self.raw.src.into()
    }

    /// Destination address.
    pub fn dst(&self) -> Ipv6Addr {
        self.raw.dst.into()
    }

    /// What follows the header, extension headers included, without padding.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// What stands behind the extension headers.
    ///
    /// # Errors
    /// Where an extension header is malformed or misplaced, or there are too many.
    pub fn upper_layer(&self) -> Result<UpperLayer<'a>, ExtensionError> {
        ipv6_extension::walk(self.next_header(), self.payload)
    }

    /// Sum of the pseudo header before an upper layer of `length` bytes.
    pub fn pseudo_header(&self, protocol: IpProtocol, length: u32) -> u16 {
        checksum::pseudo_header_v6(self.raw.src, self.raw.dst, protocol.get(), length)
    }

    fn traffic_class(&self) -> u8 {
        let [first, second, ..] = self.raw.version_class_label.to_bytes();
        first << 4 | second >> 4
    }
}

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Repr {
    /// Source address.
    pub src: Ipv6Addr,
    /// Destination address.
    pub dst: Ipv6Addr,
    /// What the payload begins with.
    pub next_header: IpProtocol,
    /// Hop limit.
    pub hop_limit: u8,
    /// Differentiated services codepoint.
    pub dscp: Dscp,
    /// Explicit congestion notification.
    pub ecn: Ecn,
    /// Flow label.
    pub flow_label: FlowLabel,
    /// Bytes of the payload, extension headers included.
    pub payload_len: u16,
}

impl Ipv6Repr {
    /// The header of a packet.
    pub fn parse(view: &Ipv6View<'_>) -> Self {
        Self {
            src: view.src(),
            dst: view.dst(),
            next_header: view.next_header(),
            hop_limit: view.hop_limit(),
            dscp: view.dscp(),
            ecn: view.ecn(),
            flow_label: view.flow_label(),
            payload_len: view.payload_len(),
        }
    }

    /// Bytes of the header.
    pub const fn buffer_len(&self) -> usize {
        HEADER_LEN
    }

    /// Sum of the pseudo header before the payload, where no extension header stands between.
    pub fn pseudo_header(&self) -> u16 {
        let (src, dst) = (self.src.octets(), self.dst.octets());
        checksum::pseudo_header_v6(src, dst, self.next_header.get(), self.payload_len.into())
    }

    /// Writes the header to the start of `buffer`.
    ///
    /// # Errors
    /// Where the buffer is too small.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let class = u32::from(tos::octet(self.dscp, self.ecn));
        let raw = Raw {
            version_class_label: (6 << 28 | class << 20 | self.flow_label.get()).into(),
            payload_len: self.payload_len.into(),
            next_header: self.next_header.get(),
            hop_limit: self.hop_limit,
            src: self.src.octets(),
            dst: self.dst.octets(),
        };
        raw::put(&raw, buffer).map(|_| ())
    }
}

/// Why bytes are no IPv6 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Ipv6Error {
    /// Header or payload are cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// Another version of IP.
    #[error("ipv6 version at offset 0 is {got}, expected 6")]
    Version {
        /// The version.
        got: u8,
    },
}

#[cfg(test)]
mod tests;
