//! What the tests of the headers share.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;

use proptest::collection::vec as bytes_of;
use proptest::prelude::*;
use rackweave_types::MacAddr;

use crate::error::BufferTooSmall;

/// What `emit` writes: exactly `len` bytes whatever was there before, and nothing into less room.
pub(crate) fn emitted(
    len: usize,
    emit: impl Fn(&mut [u8]) -> Result<(), BufferTooSmall>,
) -> Vec<u8> {
    for short in 0..len {
        assert!(
            emit(&mut vec![0; short]).is_err(),
            "{short} of {len} bytes were enough"
        );
    }
    let mut bytes = vec![0xa5; len + 3];
    emit(&mut bytes).unwrap();
    assert_eq!(
        bytes.split_off(len),
        [0xa5; 3],
        "bytes behind the header were touched"
    );
    let mut again = vec![0; len];
    emit(&mut again).unwrap();
    assert_eq!(bytes, again, "bytes of the buffer shine through");
    bytes
}

/// Every prefix shorter than `whole` is an error, every longer one a value.
pub(crate) fn prefixes<'a, T: Debug, E: Debug>(
    bytes: &'a [u8],
    whole: usize,
    parse: impl Fn(&'a [u8]) -> Result<T, E>,
) {
    for len in 0..=bytes.len() {
        let parsed = parse(&bytes[..len]);
        assert_eq!(
            parsed.is_ok(),
            len >= whole,
            "{len} of {whole} bytes: {parsed:?}"
        );
    }
}

/// Any bytes, and such as were valid before a few of them changed and the end was cut.
pub(crate) fn hostile(valid: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let flips = bytes_of((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let mangled = (
        Just(valid),
        flips,
        any::<prop::sample::Index>(),
        any::<bool>(),
    );
    let mangled = mangled.prop_map(|(mut bytes, flips, end, cut)| {
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len() + 1));
        }
        bytes
    });
    prop_oneof![1 => bytes_of(any::<u8>(), 0..120), 4 => mangled]
}

pub(crate) fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr::new)
}
