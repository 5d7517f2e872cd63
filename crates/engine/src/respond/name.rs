//! Search lists as options carry them.

use alloc::vec::Vec;

use rackweave_wire::domain;

/// The names one behind the other, uncompressed; what is no domain name is left out.
pub(super) fn list(names: &[impl AsRef<str>]) -> Vec<u8> {
    let mut out = Vec::new();
    for name in names {
        // Where it fails, the buffer is as it was.
        let _ = domain::put(name.as_ref(), &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_is_left_out() {
        let names = ["a.example", "", "a..b", "two words", "vpc."];
        assert_eq!(list(&names), *b"\x01a\x07example\x00\x03vpc\x00");
    }
}
