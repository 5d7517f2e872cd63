//! Octets in DER (X.690): what stands in an extension must be a value of ASN.1.

/// The tag of an OCTET STRING.
const OCTET_STRING: u8 = 4;

/// An OCTET STRING of these octets; none where they are more than 65,535.
pub(super) fn octet_string(octets: &[u8]) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(octets.len()).ok()?.to_be_bytes();
    let mut der = vec![OCTET_STRING];
    match (high, low) {
        (0, 0..=0x7f) => der.push(low),
        (0, _) => der.extend([0x81, low]),
        _ => der.extend([0x82, high, low]),
    }
    der.extend_from_slice(octets);
    Some(der)
}

/// The octets of an OCTET STRING, written in the one way that DER knows.
pub(super) fn octets(der: &[u8]) -> Option<&[u8]> {
    let (length, octets) = match der {
        [OCTET_STRING, length @ 0..=0x7f, rest @ ..] => (u16::from(*length), rest),
        [OCTET_STRING, 0x81, length @ 0x80..=0xff, rest @ ..] => (u16::from(*length), rest),
        [OCTET_STRING, 0x82, high @ 1..=0xff, low, rest @ ..] => {
            (u16::from_be_bytes([*high, *low]), rest)
        }
        _ => return None,
    };
    (octets.len() == usize::from(length)).then_some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_read_as_they_are_written() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff] {
            let own = vec![7; length];
            let der = octet_string(&own).unwrap();
            assert_eq!(octets(&der), Some(&own[..]), "{length}");
            assert_eq!(octets(&der[..der.len() - 1]), None, "{length}");
        }
        assert_eq!(octet_string(&vec![0; 0x1_0000]), None);
        for other in [
            &[][..],
            &[4],
            &[5, 0],
            &[4, 0x81, 1, 7],
            &[4, 0x82, 0, 1, 7],
        ] {
            assert_eq!(octets(other), None, "{other:?}");
        }
    }
}
