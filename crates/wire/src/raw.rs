//! Fixed headers over bytes.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum;
use crate::error::{BufferTooSmall, Truncated};

/// The fixed header at the start of `bytes`, and what follows it.
#[inline]
pub(crate) fn split<'a, T>(
    header: &'static str,
    bytes: &'a [u8],
) -> Result<(&'a T, &'a [u8]), Truncated>
where
    T: FromBytes + Immutable + KnownLayout + Unaligned,
{
    T::ref_from_prefix(bytes).map_err(|_| Truncated {
        header,
        needed: size_of::<T>(),
        got: bytes.len(),
    })
}

/// The first `len` bytes.
#[inline]
pub(crate) fn prefix<'a>(
    header: &'static str,
    bytes: &'a [u8],
    len: usize,
) -> Result<&'a [u8], Truncated> {
    bytes.get(..len).ok_or(Truncated {
        header,
        needed: len,
        got: bytes.len(),
    })
}

/// The first `needed` bytes of a buffer to write into.
#[inline]
pub(crate) fn room(buffer: &mut [u8], needed: usize) -> Result<&mut [u8], BufferTooSmall> {
    let got = buffer.len();
    buffer
        .get_mut(..needed)
        .ok_or(BufferTooSmall { needed, got })
}

/// Writes `raw` to the start of `buffer` and gives what follows it.
#[inline]
pub(crate) fn put<'b, T>(raw: &T, buffer: &'b mut [u8]) -> Result<&'b mut [u8], BufferTooSmall>
where
    T: IntoBytes + Immutable,
{
    put_bytes(raw.as_bytes(), buffer)
}

/// Writes `bytes` to the start of `buffer` and gives what follows them.
#[inline]
pub(crate) fn put_bytes<'b>(
    bytes: &[u8],
    buffer: &'b mut [u8],
) -> Result<&'b mut [u8], BufferTooSmall> {
    let too_small = BufferTooSmall {
        needed: bytes.len(),
        got: buffer.len(),
    };
    let (head, rest) = buffer.split_at_mut_checked(bytes.len()).ok_or(too_small)?;
    head.copy_from_slice(bytes);
    Ok(rest)
}

/// Computes the checksum of `message`, whose field stands at `at`, on top of `pseudo_sum`.
pub(crate) fn fill_checksum(
    message: &mut [u8],
    at: usize,
    pseudo_sum: u16,
    finish: fn(u16) -> u16,
) -> Result<(), BufferTooSmall> {
    let too_small = BufferTooSmall {
        needed: at + 2,
        got: message.len(),
    };
    message.get_mut(at..at + 2).ok_or(too_small)?.fill(0);
    let field = finish(checksum::combine(pseudo_sum, checksum::sum(message)));
    put_bytes(
        &field.to_be_bytes(),
        message.get_mut(at..).ok_or(too_small)?,
    )
    .map(|_| ())
}

/// The rest of an ICMP header that holds two words.
pub(crate) const fn words(high: u16, low: u16) -> [u8; 4] {
    let ([first, second], [third, fourth]) = (high.to_be_bytes(), low.to_be_bytes());
    [first, second, third, fourth]
}
