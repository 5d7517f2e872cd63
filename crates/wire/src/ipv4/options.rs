//! IPv4 options.

use super::{Ipv4Error, MAX_HEADER_LEN, MIN_HEADER_LEN};
use crate::error::BufferTooSmall;
use crate::kind_length;
use crate::options::HeaderOption;
use crate::raw;

/// An option with its data, whatever it means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Option<'a> {
    /// Option type: copied flag, class and number.
    pub kind: u8,
    /// What follows type and length.
    pub data: &'a [u8],
}

impl Ipv4Option<'_> {
    /// Record route (RFC 791 section 3.1).
    pub const RECORD_ROUTE: u8 = 7;
    /// Timestamp (RFC 791 section 3.1).
    pub const TIMESTAMP: u8 = 68;
    /// Loose source route (RFC 791 section 3.1).
    pub const LOOSE_SOURCE_ROUTE: u8 = 131;
    /// Strict source route (RFC 791 section 3.1).
    pub const STRICT_SOURCE_ROUTE: u8 = 137;
    /// Router alert (RFC 2113 section 2.1).
    pub const ROUTER_ALERT: u8 = 148;

    /// Whether every fragment of the datagram carries the option.
    #[must_use]
    pub const fn copied(&self) -> bool {
        self.kind & 0x80 != 0
    }
}

impl<'a> HeaderOption<'a> for Ipv4Option<'a> {
    type Error = Ipv4Error;
    const LIMIT: usize = MAX_HEADER_LEN - MIN_HEADER_LEN;
    const ALIGN: usize = 4;

    fn read(area: &'a [u8], at: usize) -> Result<Option<(Self, usize)>, Ipv4Error> {
        match kind_length::read(area, at) {
            Ok(Some(item)) => Ok(Some((
                Self {
                    kind: item.kind,
                    data: item.data,
                },
                item.next,
            ))),
            Ok(None) => Ok(None),
            Err(bad) => Err(Ipv4Error::OptionLength {
                kind: bad.kind,
                offset: bad.offset,
                got: bad.got,
                left: bad.left,
            }),
        }
    }

    fn check(&self) -> Result<(), Ipv4Error> {
        if matches!(self.kind, kind_length::END | kind_length::NOP) {
            return Err(Ipv4Error::OptionKind { kind: self.kind });
        }
        Ok(())
    }

    fn buffer_len(&self) -> usize {
        kind_length::HEADER_LEN + self.data.len()
    }

    fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let data = kind_length::put(self.kind, self.data.len(), buffer)?;
        raw::put_bytes(self.data, data).map(|_| ())
    }

    fn too_long(len: usize) -> Ipv4Error {
        Ipv4Error::OptionsTooLong { got: len }
    }
}
