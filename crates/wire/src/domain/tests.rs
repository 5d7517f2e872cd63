use alloc::string::ToString;
use alloc::vec;

use proptest::prelude::*;

use super::*;

fn names(bytes: &[u8], compression: Compression) -> Vec<Result<String, DomainError>> {
    Names::new(bytes, compression).collect()
}

#[test]
fn a_name_is_its_labels() {
    let mut buffer = vec![0xaa];
    put("eng.example.com.", &mut buffer).unwrap();
    assert_eq!(buffer, b"\xaa\x03eng\x07example\x03com\x00");
    let found = names(&buffer[1..], Compression::Forbidden);
    assert_eq!(found, [Ok("eng.example.com".to_string())]);
}

#[test]
fn what_is_no_name_appends_nothing() {
    let long_label = "a".repeat(64);
    let long_name = [
        "a".repeat(63),
        "b".repeat(63),
        "c".repeat(63),
        "d".repeat(62),
    ]
    .join(".");
    for (name, expected) in [
        ("", DomainError::EmptyLabel),
        (".", DomainError::EmptyLabel),
        ("a..b", DomainError::EmptyLabel),
        ("a b", DomainError::Character { octet: b' ' }),
        (&long_label, DomainError::LongLabel { len: 64 }),
        (&long_name, DomainError::LongName { len: 256 }),
    ] {
        let mut buffer = vec![1];
        assert_eq!(put(name, &mut buffer), Err(expected), "{name:?}");
        assert_eq!(buffer, [1]);
    }
}

#[test]
fn the_longest_name_reads_back() {
    let name = [
        "a".repeat(63),
        "b".repeat(63),
        "c".repeat(63),
        "d".repeat(61),
    ]
    .join(".");
    let mut buffer = Vec::new();
    put(&name, &mut buffer).unwrap();
    assert_eq!(buffer.len(), MAX_LEN);
    assert_eq!(names(&buffer, Compression::Forbidden), [Ok(name)]);
}

/// The example of RFC 3397 section 2.
#[test]
fn pointers_lead_back() {
    let bytes = b"\x03eng\x05apple\x03com\x00\x09marketing\xc0\x04";
    let expected = [
        Ok("eng.apple.com".to_string()),
        Ok("marketing.apple.com".to_string()),
    ];
    assert_eq!(names(bytes, Compression::Allowed), expected);
    let found = names(bytes, Compression::Forbidden);
    assert_eq!(found[1], Err(DomainError::Pointer { at: 25 }));
}

#[test]
fn pointers_that_go_nowhere_are_errors() {
    let read = |bytes: &[u8]| names(bytes, Compression::Allowed).pop().unwrap();
    assert_eq!(read(b"\xc0\x00"), Err(DomainError::Pointer { at: 0 }));
    assert_eq!(read(b"\x01a\xc0\x07"), Err(DomainError::Pointer { at: 2 }));
    assert_eq!(read(b"\x01a\xc0"), Err(DomainError::Cut { at: 3 }));
    assert_eq!(read(b"\x01a\x40"), Err(DomainError::Pointer { at: 2 }));
    // A loop through a label: the name would grow for ever.
    assert!(matches!(
        read(b"\x01a\xc0\x00"),
        Err(DomainError::LongName { .. })
    ));
}

proptest! {
    #[test]
    fn any_bytes_read_or_fail(bytes: Vec<u8>) {
        for compression in [Compression::Allowed, Compression::Forbidden] {
            for name in Names::new(&bytes, compression).flatten() {
                let mut buffer = Vec::new();
                prop_assert_eq!(put(&name, &mut buffer), Ok(()));
            }
        }
    }

    #[test]
    fn what_is_written_reads_back(
        list in prop::collection::vec("[a-z0-9-]{1,20}(\\.[a-z]{1,9}){0,3}", 0..5),
    ) {
        let mut buffer = Vec::new();
        for name in &list {
            put(name, &mut buffer).unwrap();
        }
        let found: Result<Vec<_>, _> = Names::new(&buffer, Compression::Forbidden).collect();
        prop_assert_eq!(found, Ok(list));
    }
}
