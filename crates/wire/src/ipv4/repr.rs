//! The header as values.

use core::net::Ipv4Addr;

use super::{DONT_FRAGMENT, Ipv4Error, Ipv4Option, Ipv4View, MIN_HEADER_LEN, MORE_FRAGMENTS, Raw};
use crate::checksum;
use crate::error::BufferTooSmall;
use crate::fragment_offset::FragmentOffset;
use crate::options::Options;
use crate::protocol::IpProtocol;
use crate::raw;
use crate::tos::{self, Dscp, Ecn};

/// A header: its lengths fit into one packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ipv4Repr<'a> {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// What the payload is.
    pub protocol: IpProtocol,
    /// Time to live.
    pub ttl: u8,
    /// Differentiated services codepoint.
    pub dscp: Dscp,
    /// Explicit congestion notification.
    pub ecn: Ecn,
    /// Identification of the datagram's fragments.
    pub identification: u16,
    /// Whether the packet must not be fragmented.
    pub dont_fragment: bool,
    /// Whether more fragments follow.
    pub more_fragments: bool,
    /// Where the payload lies in the datagram.
    pub fragment_offset: FragmentOffset,
    options: Options<'a, Ipv4Option<'a>>,
    payload_len: u16,
}

impl<'a> Ipv4Repr<'a> {
    /// The TTL of [`Self::new`] (RFC 1122 section 3.2.1.7).
    pub const DEFAULT_TTL: u8 = 64;

    /// A header without options that nobody may fragment, its other fields at their defaults.
    ///
    /// # Errors
    /// Where header and payload are longer than a packet can be.
    pub fn new(
        src: Ipv4Addr,
        dst: Ipv4Addr,
        protocol: IpProtocol,
        payload_len: usize,
    ) -> Result<Self, Ipv4Error> {
        Ok(Self {
            src,
            dst,
            protocol,
            ttl: Self::DEFAULT_TTL,
            dscp: Dscp::default(),
            ecn: Ecn::NotEct,
            // RFC 6864 section 4.1: of no meaning where the packet is never fragmented.
            identification: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: FragmentOffset::ZERO,
            options: Options::EMPTY,
            payload_len: fitting(MIN_HEADER_LEN, payload_len)?,
        })
    }

    /// The same header with these options.
    ///
    /// # Errors
    /// Where header and payload become longer than a packet can be.
    pub fn with_options(mut self, options: Options<'a, Ipv4Option<'a>>) -> Result<Self, Ipv4Error> {
        self.options = options;
        fitting(self.buffer_len(), usize::from(self.payload_len))?;
        Ok(self)
    }

    /// The header of a packet.
    ///
    /// # Errors
    /// Where the checksum is wrong, an option is malformed, or the fragment ends beyond the
    /// greatest datagram.
    pub fn parse(view: &Ipv4View<'a>) -> Result<Self, Ipv4Error> {
        let sum = checksum::sum(view.header);
        if sum != 0xffff {
            let expected = checksum::finish(checksum::combine(sum, !view.checksum()));
            return Err(Ipv4Error::Checksum {
                got: view.checksum(),
                expected,
            });
        }
        let payload_len = usize::from(view.total_len()) - view.header_len();
        let fragment_end = usize::from(view.fragment_offset().octets()) + payload_len;
        if fragment_end > usize::from(u16::MAX) - MIN_HEADER_LEN {
            return Err(Ipv4Error::FragmentEnd { got: fragment_end });
        }
        let repr = Self {
            src: view.src(),
            dst: view.dst(),
            protocol: view.protocol(),
            ttl: view.ttl(),
            dscp: view.dscp(),
            ecn: view.ecn(),
            identification: view.identification(),
            dont_fragment: view.dont_fragment(),
            more_fragments: view.more_fragments(),
            fragment_offset: view.fragment_offset(),
            options: Options::EMPTY,
            payload_len: fitting(view.header_len(), payload_len)?,
        };
        repr.with_options(Options::parse(view.option_area())?)
    }

    /// Options.
    pub const fn options(&self) -> Options<'a, Ipv4Option<'a>> {
        self.options
    }

    /// Bytes of the payload.
    pub const fn payload_len(&self) -> u16 {
        self.payload_len
    }

    /// Bytes of the header.
    pub fn buffer_len(&self) -> usize {
        MIN_HEADER_LEN + self.options.buffer_len()
    }

    /// Sum of the pseudo header before the payload.
    pub fn pseudo_header(&self) -> u16 {
        let (src, dst) = (self.src.octets(), self.dst.octets());
        checksum::pseudo_header_v4(src, dst, self.protocol.get(), self.payload_len)
    }

    /// Writes the header, its checksum included, to the start of `buffer`.
    ///
    /// # Errors
    /// Where the buffer is too small.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let header = raw::room(buffer, self.buffer_len())?;
        // At most 15 words and 65535 bytes: the constructors saw to that.
        let words = u8::try_from(header.len() / 4).unwrap_or(u8::MAX);
        let header_len = u16::from(words) * 4;
        let mut flags_and_offset = self.fragment_offset.get();
        if self.dont_fragment {
            flags_and_offset |= DONT_FRAGMENT;
        }
        if self.more_fragments {
            flags_and_offset |= MORE_FRAGMENTS;
        }
        let raw = Raw {
            version_and_len: 4 << 4 | words,
            tos: tos::octet(self.dscp, self.ecn),
            total_len: header_len.saturating_add(self.payload_len).into(),
            identification: self.identification.into(),
            flags_and_offset: flags_and_offset.into(),
            ttl: self.ttl,
            protocol: self.protocol.get(),
            checksum: 0.into(),
            src: self.src.octets(),
            dst: self.dst.octets(),
        };
        self.options.emit(raw::put(&raw, header)?)?;
        raw::fill_checksum(header, 10, 0, checksum::finish)
    }
}

/// The payload's length, where header and payload fit into one packet.
fn fitting(header_len: usize, payload_len: usize) -> Result<u16, Ipv4Error> {
    let too_long = Ipv4Error::TooLong {
        got: header_len.saturating_add(payload_len),
    };
    let max = usize::from(u16::MAX) - header_len;
    u16::try_from(payload_len)
        .ok()
        .filter(|_| payload_len <= max)
        .ok_or(too_long)
}
