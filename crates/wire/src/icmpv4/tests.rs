use alloc::string::ToString;
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr as OracleRepr};

use super::*;
use crate::ipv4::{Ipv4Repr, Ipv4View};
use crate::protocol::IpProtocol;
use crate::testing::{emitted, hostile, prefixes};

/// Every form of message around the same data.
fn messages(high: u16, low: u16, code: u8, data: &[u8]) -> Vec<Icmpv4Repr<'_>> {
    let reason = Icmpv4Unreachable::of_code(code % 16).unwrap_or(Icmpv4Unreachable::Prohibited);
    [
        Icmpv4Repr::EchoRequest {
            id: high,
            sequence: low,
            data,
        },
        Icmpv4Repr::EchoReply {
            id: high,
            sequence: low,
            data,
        },
        Icmpv4Repr::DestinationUnreachable {
            reason,
            quoted: data,
        },
        Icmpv4Repr::FragmentationNeeded {
            mtu: low,
            quoted: data,
        },
        Icmpv4Repr::Redirect {
            scope: Icmpv4Redirect::of_code(code % 4).unwrap(),
            gateway: [10, 0, 0, code].into(),
            quoted: data,
        },
        Icmpv4Repr::TimeExceeded {
            reason: Icmpv4TimeExceeded::of_code(code % 2).unwrap(),
            quoted: data,
        },
        Icmpv4Repr::ParameterProblem {
            pointer: code,
            quoted: data,
        },
    ]
    .to_vec()
}

fn exercise(bytes: &[u8]) {
    let Ok(view) = Icmpv4View::parse(bytes) else {
        return;
    };
    assert_eq!(view.quoted().is_some(), view.kind().is_error());
    assert!(view.quoted().unwrap_or_default().len() <= view.payload().len());
    let Ok(repr) = Icmpv4Repr::parse(&view) else {
        return;
    };
    let again = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    assert_eq!(
        Icmpv4Repr::parse(&Icmpv4View::parse(&again).unwrap()),
        Ok(repr)
    );
}

#[test]
fn errors_say_what_and_where() {
    let parse = |kind, code, sum: [u8; 2]| {
        let bytes = [kind, code, sum[0], sum[1], 0, 0, 0, 0];
        let parsed = Icmpv4Repr::parse(&Icmpv4View::parse(&bytes).unwrap()).map(|_| ());
        parsed.unwrap_err().to_string()
    };
    assert_eq!(
        parse(8, 0, [0, 0]),
        "icmp checksum at offset 2 is 0x0000, expected 0xf7ff"
    );
    assert_eq!(
        parse(8, 1, [0xf7, 0xfe]),
        "icmp code at offset 1 is 1, unknown for echo request"
    );
    assert_eq!(
        parse(13, 0, [0xf2, 0xff]),
        "icmp type at offset 0 is timestamp request, which has no meaning here"
    );
}

#[test]
fn appended_extensions_are_not_quoted() {
    // RFC 4884 section 4.1: two words of the packet, then an extension.
    let mut bytes = [0x5a; 8 + 8 + 4];
    bytes[..8].copy_from_slice(&[11, 0, 0, 0, 0, 2, 0, 0]);
    bytes[16..].fill(0xee);
    let view = Icmpv4View::parse(&bytes).unwrap();
    assert_eq!(view.quoted(), Some(&[0x5a; 8][..]));
    bytes[5] = 200;
    assert_eq!(
        Icmpv4View::parse(&bytes).unwrap().quoted().map(<[u8]>::len),
        Some(12)
    );
}

#[test]
fn errors_embed_at_most_what_the_router_requirements_say() {
    assert_eq!(quote(&[0; 2000]).len(), 548);
    assert_eq!(quote(&[0; 48]).len(), 48);
}

proptest! {
    #[test]
    fn round_trip(high: u16, low: u16, code: u8, data in vec(any::<u8>(), 0..80)) {
        for repr in messages(high, low, code, &data) {
            let bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
            prefixes(&bytes, HEADER_LEN, Icmpv4View::parse);
            let view = Icmpv4View::parse(&bytes).unwrap();
            prop_assert!(view.checksum_ok());
            prop_assert_eq!(Icmpv4Repr::parse(&view), Ok(repr));
            prop_assert!(Icmpv4Packet::new_checked(&bytes).unwrap().verify_checksum());
        }
    }

    #[test]
    fn oracle_reads_the_same(high: u16, low: u16, code: u8, data in vec(any::<u8>(), 8..80)) {
        let (src, dst) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let inner = Ipv4Repr::new(src, dst, IpProtocol::UDP, data.len()).unwrap();
        let mut quoted = emitted(inner.buffer_len(), |buffer| inner.emit(buffer));
        quoted.extend(&data);
        let checksums = ChecksumCapabilities::default();
        for repr in messages(high, low, code, &quoted) {
            let bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
            let oracle = OracleRepr::parse(&Icmpv4Packet::new_checked(&bytes).unwrap(), &checksums);
            match (oracle, repr) {
                (
                    Ok(OracleRepr::EchoRequest { ident, seq_no, data }),
                    Icmpv4Repr::EchoRequest { .. },
                )
                | (
                    Ok(OracleRepr::EchoReply { ident, seq_no, data }),
                    Icmpv4Repr::EchoReply { .. },
                ) => prop_assert_eq!((ident, seq_no, data), (high, low, &quoted[..])),
                (
                    Ok(OracleRepr::DstUnreachable { reason, header, data: seen }),
                    Icmpv4Repr::DestinationUnreachable { .. }
                    | Icmpv4Repr::FragmentationNeeded { .. },
                ) => {
                    prop_assert_eq!(u8::from(reason), bytes[1]);
                    prop_assert_eq!((header.src_addr, seen), (src, &data[..]));
                }
                (
                    Ok(OracleRepr::TimeExceeded { reason, header, data: seen }),
                    Icmpv4Repr::TimeExceeded { .. },
                ) => {
                    prop_assert_eq!(u8::from(reason), code % 2);
                    prop_assert_eq!((header.dst_addr, seen), (dst, &data[..]));
                }
                // The oracle knows no others.
                (Err(_), Icmpv4Repr::Redirect { .. } | Icmpv4Repr::ParameterProblem { .. }) => {}
                (oracle, repr) => {
                    return Err(TestCaseError::fail(alloc::format!("{oracle:?} for {repr:?}")));
                }
            }
            let view = Icmpv4View::parse(&bytes).unwrap();
            if let Some(cut) = view.quoted().and_then(|quoted| quoted.get(..28)) {
                prop_assert_eq!(Ipv4View::parse_quoted(cut).unwrap().src(), src);
            }
        }
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(
        bytes in (any::<u8>(), any::<prop::sample::Index>()).prop_flat_map(|(code, form)| {
            let messages = messages(1, 2, code, &[0x45; 40]);
            let repr = messages[form.index(messages.len())];
            hostile(emitted(repr.buffer_len(), |buffer| repr.emit(buffer)))
        }),
    ) {
        exercise(&bytes);
    }
}
