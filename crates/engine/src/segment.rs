//! Segmentation and coalescing in software, for doors whose wire cannot carry large frames.
//!
//! Large frames stay whole in the engine. Where the wire or the guest cannot take one as it is, [`Cut`] writes its
//! segments one after the other, so that one system call sends them; what arrives in segments, [`Coalescer`] joins
//! again before the engine sees it. A frame that is not to be cut and whose checksum was left to others is completed by
//! [`finish_checksum`].
//!
//! Nothing here knows a socket: who calls it has received, and will send.

mod coalesce;
mod cut;
mod error;
mod finish;
mod head;
mod held;

use rackweave_wire::checksum::pseudo_header_v6;

use crate::parse::Parsed;

pub use coalesce::{Coalescer, TunnelEnds};
pub use cut::Cut;
pub use error::CutError;
pub(crate) use finish::finish;
pub use finish::finish_checksum;

/// Ethernet, IPv6 and UDP: what a socket adds to a datagram, and takes off it.
const CARRIER_LEN: usize = 14 + 40 + 8;
/// The longest datagram that UDP carries without a jumbogram.
const DATAGRAM_MAX: usize = 0xffff - 8;

/// TCP: no more data.
const FIN: u8 = 0x01;
/// TCP: deliver now.
const PSH: u8 = 0x08;
/// TCP: the acknowledgement number counts.
const ACK: u8 = 0x10;
/// TCP: the congestion window was reduced (RFC 3168).
const CWR: u8 = 0x80;

/// The number at an offset that was checked to lie within the headers.
fn get16(bytes: &[u8], at: usize) -> u16 {
    let place = bytes.get(at..).and_then(<[u8]>::first_chunk);
    place.map_or(0, |place| u16::from_be_bytes(*place))
}

/// As [`get16`], of four octets.
fn get32(bytes: &[u8], at: usize) -> u32 {
    let place = bytes.get(at..).and_then(<[u8]>::first_chunk);
    place.map_or(0, |place| u32::from_be_bytes(*place))
}

/// Puts a number into a header at an offset that was checked to lie within it.
fn put16(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(place) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = value.to_be_bytes();
    }
}

/// As [`put16`], for four octets.
fn put32(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(place) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = value.to_be_bytes();
    }
}

/// The sum of a packet's pseudo header without the length, of both families: the two prefixes that mark IPv4 addresses
/// sum to nothing.
const fn pseudo_header(parsed: &Parsed) -> u16 {
    let (src, dst) = (parsed.src.octets(), parsed.dst.octets());
    pseudo_header_v6(src, dst, parsed.protocol, 0)
}

/// A length as it stands in a header; all lengths here are checked to fit.
fn len16(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}
