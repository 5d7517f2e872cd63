//! Domain names as DNS writes them.

use alloc::vec::Vec;

/// The longest name on the wire (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 255;
/// The longest label.
const MAX_LABEL: usize = 63;

/// Appends a domain name without compression (RFC 1035, section 3.1); one that cannot be written is
/// left out.
pub(super) fn append(out: &mut Vec<u8>, name: &str) {
    let before = out.len();
    for label in name.strip_suffix('.').unwrap_or(name).split('.') {
        let Some(len) = u8::try_from(label.len()).ok().filter(|_| is_label(label)) else {
            out.truncate(before);
            return;
        };
        out.push(len);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    if out.len() - before > MAX_NAME {
        out.truncate(before);
    }
}

/// The names of a search list, one behind the other.
pub(super) fn list(names: &[impl AsRef<str>]) -> Vec<u8> {
    let mut out = Vec::new();
    for name in names {
        append(&mut out, name.as_ref());
    }
    out
}

/// Whether this can stand between two dots.
fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(|octet| octet.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_with_their_lengths() {
        assert_eq!(
            list(&["a.example", "vpc."]),
            *b"\x01a\x07example\x00\x03vpc\x00"
        );
    }

    #[test]
    fn what_is_no_name_is_left_out() {
        let long_label = "x".repeat(64);
        let long_name = ["y".repeat(63).as_str(); 5].join(".");
        let names = [
            "",
            ".",
            "a..b",
            ".a",
            "two words",
            "ümlaut",
            &long_label,
            &long_name,
            "ok",
        ];
        assert_eq!(list(&names), *b"\x02ok\x00");
    }

    #[test]
    fn the_longest_name_fits() {
        let name = [
            "z".repeat(63),
            "z".repeat(63),
            "z".repeat(63),
            "z".repeat(61),
        ]
        .join(".");
        assert_eq!(list(&[name.as_str()]).len(), 255);
        assert_eq!(list(&[["z".repeat(63).as_str(); 4].join(".")]).len(), 0);
    }
}
