use proptest::prelude::*;

use super::{Delta, combine, finish, finish_udp, pseudo_header_v4, pseudo_header_v6, sum};

/// Word by word, as RFC 1071 section 1 describes it.
fn reference(bytes: &[u8]) -> u16 {
    bytes.chunks(2).fold(0, |sum: u16, word| {
        let word = u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]);
        let (sum, carry) = sum.overflowing_add(word);
        sum + u16::from(carry)
    })
}

/// Equal where `0x0000` and `0xffff` are the same number.
fn same(a: u16, b: u16) -> bool {
    let canonical = |x| if x == 0xffff { 0 } else { x };
    canonical(a) == canonical(b)
}

#[test]
fn rfc1071_section_3_example() {
    assert_eq!(
        sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
        0xddf2
    );
}

#[test]
fn valid_ipv4_header_sums_to_all_ones() {
    let header = [
        0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00,
        0x01, 0xc0, 0xa8, 0x00, 0xc7,
    ];
    assert_eq!(sum(&header), 0xffff);
    assert_eq!(finish(sum(&header)), 0);
}

#[test]
fn zero_has_two_faces() {
    assert_eq!(sum(&[0; 20]), 0);
    assert_eq!(sum(&[]), 0);
    assert_eq!(sum(&[0xff; 20]), 0xffff);
    assert_eq!(finish_udp(0xffff), 0xffff);
    assert_eq!(finish_udp(0x1234), !0x1234);
}

#[test]
fn rfc1624_section_4_example() {
    // "HC' = ~(~HC + ~m + m')": HC = 0xDD2F, m = 0x5555, m' = 0x3285.
    assert_eq!(Delta::between_u16(0x5555, 0x3285).apply(0xdd2f), 0x0000);
}

#[test]
fn udp_keeps_its_meaning_of_zero() {
    let delta = Delta::between_u16(0x5555, 0x3285);
    assert_eq!(delta.apply_to_udp(0), 0);
    assert_eq!(delta.apply_to_udp(0xdd2f), 0xffff);
}

proptest! {
    #[test]
    fn equals_the_reference(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(sum(&bytes), reference(&bytes));
    }

    #[test]
    fn pieces_combine(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..150) {
        let (head, tail) = bytes.split_at((at * 2).min(bytes.len() / 2 * 2));
        prop_assert_eq!(combine(sum(head), sum(tail)), sum(&bytes));
    }

    #[test]
    fn pseudo_headers_equal_their_bytes(
        src4: [u8; 4], dst4: [u8; 4], src6: [u8; 16], dst6: [u8; 16],
        protocol: u8, length4: u16, length6: u32,
    ) {
        let mut v4 = src4.to_vec();
        v4.extend(dst4);
        v4.extend([0, protocol]);
        v4.extend(length4.to_be_bytes());
        prop_assert_eq!(pseudo_header_v4(src4, dst4, protocol, length4), reference(&v4));
        let mut v6 = src6.to_vec();
        v6.extend(dst6);
        v6.extend(length6.to_be_bytes());
        v6.extend([0, 0, 0, protocol]);
        prop_assert_eq!(pseudo_header_v6(src6, dst6, protocol, length6), reference(&v6));
    }

    #[test]
    fn incremental_equals_full(
        mut data in proptest::collection::vec(any::<u8>(), 16..80),
        new: [u8; 16], at in 0_usize..40,
    ) {
        let at = (at * 2).min((data.len() - 16) / 2 * 2);
        let before = finish(sum(&data));
        let old: [u8; 16] = data[at..at + 16].try_into().unwrap();
        data[at..at + 16].copy_from_slice(&new);
        let delta = Delta::between(&old, &new);
        let after = finish(sum(&data));
        prop_assert!(same(delta.apply(before), after));
        if data.iter().any(|byte| *byte != 0) {
            prop_assert_eq!(delta.apply(before), after);
            prop_assert_eq!(delta.apply_to_partial(!before), !after);
        }
        prop_assert!(same(delta.inverse().apply(after), before));
    }

    #[test]
    fn widths_agree(old: [u8; 16], new: [u8; 16]) {
        let whole = Delta::between(&old, &new);
        let pieces = old.chunks(4).zip(new.chunks(4)).fold(Delta::IDENTITY, |delta, (old, new)| {
            let word = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
            delta + Delta::between_u32(word(old), word(new))
        });
        prop_assert!(same(whole.raw(), Delta::between_octets16(old, new).raw()));
        prop_assert!(same(whole.raw(), pieces.raw()));
    }

    #[test]
    fn deltas_form_a_group(a: u16, b: u16, field: u16) {
        let (a, b) = (Delta::from_raw(a), Delta::from_raw(b));
        prop_assert_eq!(a + b, b + a);
        prop_assert!((a + a.inverse()).is_identity());
        prop_assert!(same((a + b).apply(field), b.apply(a.apply(field))));
        prop_assert!(same(a.apply(field), !a.apply_to_partial(!field)));
    }
}
