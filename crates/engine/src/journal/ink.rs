//! Checksums of what is written: whether it is whole, not who wrote it.

/// Fraction bits of the golden ratio and of a root, nothing up the sleeve. They are part of the format.
const WORDS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0x6a09_e667_f3bc_c908];

/// The checksum of some octets, on top of what came before; never 0.
///
/// Folded multiplication of eight octets by the next eight, all but one bit of 64 kept: it costs less than the copy of
/// what it guards.
pub(super) fn checksum(before: u64, bytes: &[u8]) -> u64 {
    let mut state = before ^ WORDS[1];
    let (pairs, rest) = bytes.as_chunks::<16>();
    for pair in pairs {
        state = step(state, pair);
    }
    let mut last = [0; 16];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    state = step(state, &last);
    // The length counts too, so that zeros at the end do.
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    fold(state ^ len, WORDS[0]) | 1
}

#[inline]
fn step(state: u64, pair: &[u8; 16]) -> u64 {
    let [
        a0,
        a1,
        a2,
        a3,
        a4,
        a5,
        a6,
        a7,
        b0,
        b1,
        b2,
        b3,
        b4,
        b5,
        b6,
        b7,
    ] = *pair;
    let a = u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]);
    let b = u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]);
    fold(a ^ state, b ^ WORDS[0]).wrapping_add(state.rotate_left(29))
}

/// Both halves of the 128-bit product, folded into one.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = (u128::from(a) * u128::from(b)).to_le_bytes();
    let (low, high) = product.split_at(8);
    let half = |octets: &[u8]| u64::from_le_bytes(octets.try_into().unwrap_or_default());
    half(low) ^ half(high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_part_of_the_format() {
        // Do not change this test: the next process computes it anew.
        let text = b"a connection's slot";
        assert_eq!(checksum(7, text), 9_113_686_961_968_018_393);
    }

    proptest! {
        #[test]
        fn every_octet_and_the_length_count(
            bytes in proptest::collection::vec(any::<u8>(), 1..200),
            at in any::<prop::sample::Index>(),
            other in 1..=255_u8,
            before: u64,
        ) {
            let sum = checksum(before, &bytes);
            let mut changed = bytes.clone();
            changed[at.index(bytes.len())] ^= other;
            prop_assert_ne!(checksum(before, &changed), sum);
            prop_assert_ne!(checksum(before, &bytes[..bytes.len() - 1]), sum);
            prop_assert_ne!(checksum(before ^ 1, &bytes), sum);
        }
    }
}
