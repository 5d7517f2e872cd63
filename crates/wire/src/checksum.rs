//! The internet checksum, full (RFC 1071) and incremental (RFC 1624).
//!
//! A *sum* is the ones' complement sum of big-endian 16-bit words, folded to 16 bits and not
//! complemented. A *checksum field* is the complement of a sum. Nothing here can fail.
//!
//! A sum is `0x0000` only when every byte summed is zero; otherwise zero shows as `0xffff`.
//! Because of this a field updated by a [`Delta`] is the very field that a full computation gives,
//! unless everything it covers became zero.

mod delta;
#[cfg(test)]
mod tests;

pub use self::delta::Delta;

/// The sum of `bytes`, an odd last byte padded with a zero byte (RFC 1071 section 1).
///
/// A valid IPv4 header sums to `0xffff`. The sums of two pieces [`combine`] to the sum of the whole
/// when the first piece has an even length.
#[inline]
#[must_use]
pub fn sum(bytes: &[u8]) -> u16 {
    // RFC 1071 section 2(B): "The sum of 16-bit integers can be computed in either byte order."
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut sum = if blocks.is_empty() {
        0
    } else {
        sum_blocks(blocks)
    };
    let (words, rest) = rest.as_chunks::<8>();
    for word in words {
        sum = add64(sum, u64::from_ne_bytes(*word));
    }
    if !rest.is_empty() {
        sum = add64(sum, last_word(rest));
    }
    u16::from_be_bytes(fold64(sum).to_ne_bytes())
}

/// The sum of two sums.
#[inline]
#[must_use]
pub const fn combine(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    if carry { sum + 1 } else { sum }
}

/// The checksum field of everything that was summed: its complement.
///
/// UDP sends `0xffff` instead of a zero field: see [`finish_udp`].
#[inline]
#[must_use]
pub const fn finish(sum: u16) -> u16 {
    !sum
}

/// The checksum field of a UDP datagram.
///
/// RFC 768: "If the computed checksum is zero, it is transmitted as all ones", since a zero field
/// means that the sender computed none.
#[inline]
#[must_use]
pub const fn finish_udp(sum: u16) -> u16 {
    if sum == 0xffff { 0xffff } else { !sum }
}

/// The sum of the IPv4 pseudo header (RFC 9293 section 3.1, RFC 768): `length` is that of the
/// upper-layer header and data in bytes.
#[inline]
#[must_use]
pub const fn pseudo_header_v4(src: [u8; 4], dst: [u8; 4], protocol: u8, length: u16) -> u16 {
    fold32(word_sum(&src) + word_sum(&dst) + protocol as u32 + length as u32)
}

/// The sum of the IPv6 pseudo header (RFC 8200 section 8.1): `length` is that of the upper-layer
/// header and data in bytes, `next_header` the upper-layer protocol, whatever extension headers
/// stand before it.
#[inline]
#[must_use]
pub const fn pseudo_header_v6(src: [u8; 16], dst: [u8; 16], next_header: u8, length: u32) -> u16 {
    let sum = word_sum(&src) + word_sum(&dst) + word_sum(&length.to_be_bytes());
    fold32(sum + next_header as u32)
}

/// Long inputs in four independent chains, so that carries do not wait for each other.
fn sum_blocks(blocks: &[[u8; 32]]) -> u64 {
    let mut lanes = [0_u64; 4];
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = add64(*lane, u64::from_ne_bytes(*word));
        }
    }
    lanes.into_iter().fold(0, add64)
}

/// One to seven bytes, followed by zeros.
#[inline]
fn last_word(rest: &[u8]) -> u64 {
    let mut word = 0;
    let (pairs, odd) = match rest.split_first_chunk::<4>() {
        Some((four, rest)) => {
            word = u64::from(u32::from_ne_bytes(*four));
            rest.as_chunks::<2>()
        }
        None => rest.as_chunks::<2>(),
    };
    for pair in pairs {
        word += u64::from(u16::from_ne_bytes(*pair));
    }
    match odd {
        [last] => word + u64::from(u16::from_ne_bytes([*last, 0])),
        _ => word,
    }
}

/// Addition with the carry brought around.
#[inline]
const fn add64(a: u64, b: u64) -> u64 {
    let (sum, carry) = a.overflowing_add(b);
    // The carry leaves at most `u64::MAX - 1`, so this cannot overflow.
    if carry { sum + 1 } else { sum }
}

#[inline]
const fn fold64(sum: u64) -> u16 {
    fold32(word_sum(&sum.to_be_bytes()))
}

/// The words of `bytes` added up without folding; at most 2^16 words, an odd last byte left out.
#[inline]
const fn word_sum(bytes: &[u8]) -> u32 {
    let (words, _) = bytes.as_chunks::<2>();
    let mut sum = 0;
    let mut at = 0;
    while at < words.len() {
        sum += u16::from_be_bytes(words[at]) as u32;
        at += 1;
    }
    sum
}

/// Folds the sum of at most 2^16 words.
#[inline]
const fn fold32(sum: u32) -> u16 {
    let [high @ .., c, d] = sum.to_be_bytes();
    combine(u16::from_be_bytes(high), u16::from_be_bytes([c, d]))
}
