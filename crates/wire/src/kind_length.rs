//! Options of a kind octet, a length octet that counts both, and data; kinds 0 and 1 stand alone.
//! IPv4 (RFC 791 section 3.1) and TCP (RFC 9293 section 3.1) share the form.

use crate::error::BufferTooSmall;
use crate::raw;

/// End of the list.
pub(crate) const END: u8 = 0;
/// No operation: padding between options.
pub(crate) const NOP: u8 = 1;
/// Bytes of kind and length.
pub(crate) const HEADER_LEN: usize = 2;

/// An option in its list.
pub(crate) struct Item<'a> {
    pub(crate) kind: u8,
    pub(crate) data: &'a [u8],
    /// Where the next begins.
    pub(crate) next: usize,
}

/// An option whose length cannot be.
pub(crate) struct BadLength {
    pub(crate) kind: u8,
    pub(crate) offset: usize,
    pub(crate) got: usize,
    pub(crate) left: usize,
}

/// The first option with data at or after `at`.
pub(crate) fn read(area: &[u8], at: usize) -> Result<Option<Item<'_>>, BadLength> {
    let padding = area
        .iter()
        .skip(at)
        .take_while(|kind| **kind == NOP)
        .count();
    let offset = at + padding;
    let rest = area.get(offset..).unwrap_or_default();
    match *rest {
        [] | [END, ..] => Ok(None),
        [kind, ref tail @ ..] => {
            let got = tail.first().copied().map_or(0, usize::from);
            let data = rest.get(HEADER_LEN..got).filter(|_| got >= HEADER_LEN);
            match data {
                Some(data) => Ok(Some(Item {
                    kind,
                    data,
                    next: offset + got,
                })),
                None => Err(BadLength {
                    kind,
                    offset,
                    got,
                    left: rest.len(),
                }),
            }
        }
    }
}

/// Writes kind and length, and gives where `data_len` bytes of data go.
pub(crate) fn put(
    kind: u8,
    data_len: usize,
    buffer: &mut [u8],
) -> Result<&mut [u8], BufferTooSmall> {
    let room = raw::room(buffer, HEADER_LEN + data_len)?;
    // Every list is shorter than an octet can say.
    let length = u8::try_from(room.len()).unwrap_or(u8::MAX);
    raw::put_bytes(&[kind, length], room)
}
