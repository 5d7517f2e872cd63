//! IPv6 extension headers (RFC 8200 section 4): hop-by-hop options, routing, destination options,
//! fragment, and the authentication header (RFC 4302).
//!
//! [`walk`] and [`ExtensionIter`] fail when a header is cut, misplaced or one too many: at most
//! [`MAX_HEADERS`] are read, so the work per packet is bounded. A [`FragmentView`] fails when it is
//! cut. Accessors and [`FragmentRepr::parse`] cannot fail.

mod fragment;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use self::fragment::{FragmentRepr, FragmentView};
use crate::error::Truncated;
use crate::fragment_offset::FragmentOffset;
use crate::protocol::IpProtocol;
use crate::raw;

/// Extension headers read in one packet: each kind at most once and destination options twice
/// (RFC 8200 section 4.1), with room for two more.
pub const MAX_HEADERS: usize = 8;

/// One extension header.
#[derive(Clone, Copy, Debug)]
pub struct Extension<'a> {
    /// Its kind.
    pub kind: IpProtocol,
    /// Where it begins, in bytes of the IPv6 payload.
    pub offset: usize,
    /// The whole header.
    pub bytes: &'a [u8],
    /// What follows.
    pub next_header: IpProtocol,
}

/// What stands behind the extension headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpperLayer<'a> {
    /// What the payload is.
    pub protocol: IpProtocol,
    /// Where it begins, in bytes of the IPv6 payload.
    pub offset: usize,
    /// The payload; of a fragment that is not the first, a piece without an upper-layer header.
    pub payload: &'a [u8],
    /// The fragment header, where there is one.
    pub fragment: Option<FragmentRepr>,
}

/// Reads the extension headers of an IPv6 payload that begins with `next_header`.
///
/// Behind a fragment header that is not the first fragment's, nothing is read.
///
/// # Errors
/// Where a header is malformed, misplaced or one too many.
#[inline]
pub fn walk(next_header: IpProtocol, payload: &[u8]) -> Result<UpperLayer<'_>, ExtensionError> {
    let mut extensions = ExtensionIter::new(next_header, payload);
    for extension in extensions.by_ref() {
        extension?;
    }
    Ok(UpperLayer {
        protocol: extensions.next_header,
        offset: extensions.offset,
        payload: payload.get(extensions.offset..).unwrap_or_default(),
        fragment: extensions.fragment,
    })
}

/// The extension headers of an IPv6 payload; ends after the first error.
#[derive(Clone, Debug)]
pub struct ExtensionIter<'a> {
    payload: &'a [u8],
    next_header: IpProtocol,
    offset: usize,
    read: usize,
    fragment: Option<FragmentRepr>,
    done: bool,
}

impl<'a> ExtensionIter<'a> {
    /// The extension headers of `payload`, which begins with `next_header`.
    #[must_use]
    pub const fn new(next_header: IpProtocol, payload: &'a [u8]) -> Self {
        Self {
            payload,
            next_header,
            offset: 0,
            read: 0,
            fragment: None,
            done: false,
        }
    }

    fn read(&mut self) -> Result<Extension<'a>, ExtensionError> {
        let (kind, offset) = (self.next_header, self.offset);
        if self.read == MAX_HEADERS {
            return Err(ExtensionError::TooMany { offset });
        }
        // RFC 8200 section 4.1: hop-by-hop options come right behind the IPv6 header alone.
        if kind == IpProtocol::HOP_BY_HOP && self.read > 0 {
            return Err(ExtensionError::HopByHopNotFirst { offset });
        }
        let rest = self.payload.get(offset..).unwrap_or_default();
        let bytes = raw::prefix("ipv6 extension header", rest, header_len(kind, rest)?)?;
        if kind == IpProtocol::FRAGMENT {
            if self.fragment.is_some() {
                return Err(ExtensionError::SecondFragment { offset });
            }
            let fragment = FragmentRepr::parse(&FragmentView::parse(bytes)?);
            self.done = fragment.offset != FragmentOffset::ZERO;
            self.fragment = Some(fragment);
        }
        self.next_header = IpProtocol(bytes.first().copied().unwrap_or_default());
        self.offset += bytes.len();
        self.read += 1;
        Ok(Extension {
            kind,
            offset,
            bytes,
            next_header: self.next_header,
        })
    }
}

impl<'a> Iterator for ExtensionIter<'a> {
    type Item = Result<Extension<'a>, ExtensionError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.done || !is_extension(self.next_header) {
            return None;
        }
        let extension = self.read();
        self.done |= extension.is_err();
        Some(extension)
    }
}

/// Whether this announces an extension header that can be stepped over.
#[inline]
#[must_use]
pub const fn is_extension(protocol: IpProtocol) -> bool {
    matches!(
        protocol,
        IpProtocol::HOP_BY_HOP
            | IpProtocol::ROUTING
            | IpProtocol::FRAGMENT
            | IpProtocol::AUTHENTICATION
            | IpProtocol::DESTINATION_OPTIONS
    )
}

/// Bytes of the header at the start of `rest`.
fn header_len(kind: IpProtocol, rest: &[u8]) -> Result<usize, Truncated> {
    let length = match *rest {
        [_, length, ..] => usize::from(length),
        _ => {
            return Err(Truncated {
                header: "ipv6 extension header",
                needed: 8,
                got: rest.len(),
            });
        }
    };
    Ok(match kind {
        IpProtocol::FRAGMENT => fragment::HEADER_LEN,
        // RFC 4302 section 2.2: in 32-bit words, minus 2.
        IpProtocol::AUTHENTICATION => (length + 2) * 4,
        // RFC 8200 section 4.3: in 8-octet units, not including the first.
        _ => (length + 1) * 8,
    })
}

/// Why the extension headers cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// A header is cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// Hop-by-hop options behind another extension header.
    #[error("ipv6 hop-by-hop options at payload offset {offset}, expected only at 0")]
    HopByHopNotFirst {
        /// Where, in bytes of the IPv6 payload.
        offset: usize,
    },
    /// A fragment of a fragment.
    #[error("ipv6 fragment header at payload offset {offset} is the second one")]
    SecondFragment {
        /// Where, in bytes of the IPv6 payload.
        offset: usize,
    },
    /// More headers than anybody needs.
    #[error("ipv6 extension header at payload offset {offset} is one more than {MAX_HEADERS}")]
    TooMany {
        /// Where, in bytes of the IPv6 payload.
        offset: usize,
    },
}
