use alloc::string::ToString;
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{Icmpv6Packet, Icmpv6Repr as OracleRepr};

use super::*;
use crate::testing::{emitted, hostile, prefixes};

/// Every form of message around the same data.
fn messages(high: u16, low: u16, code: u8, data: &[u8]) -> Vec<Icmpv6Repr<'_>> {
    let word = u32::from(high) << 16 | u32::from(low);
    [
        Icmpv6Repr::EchoRequest {
            id: high,
            sequence: low,
            data,
        },
        Icmpv6Repr::EchoReply {
            id: high,
            sequence: low,
            data,
        },
        Icmpv6Repr::DestinationUnreachable {
            reason: Icmpv6Unreachable::of_code(code % 7).unwrap(),
            quoted: data,
        },
        Icmpv6Repr::PacketTooBig {
            mtu: word,
            quoted: data,
        },
        Icmpv6Repr::TimeExceeded {
            reason: Icmpv6TimeExceeded::of_code(code % 2).unwrap(),
            quoted: data,
        },
        Icmpv6Repr::ParameterProblem {
            reason: Icmpv6ParameterProblem::of_code(code % 4).unwrap(),
            pointer: word,
            quoted: data,
        },
    ]
    .to_vec()
}

fn message(repr: &Icmpv6Repr<'_>, src: Ipv6Addr, dst: Ipv6Addr) -> Vec<u8> {
    let mut bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    fill_checksum(&mut bytes, src, dst).unwrap();
    bytes
}

fn exercise(bytes: &[u8]) {
    let Ok(view) = Icmpv6View::parse(bytes) else {
        return;
    };
    assert_eq!(view.quoted().is_some(), view.kind().is_error());
    assert!(view.quoted().unwrap_or_default().len() <= view.payload().len());
    let Ok(repr) = Icmpv6Repr::parse(&view) else {
        return;
    };
    let again = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    assert_eq!(
        Icmpv6Repr::parse(&Icmpv6View::parse(&again).unwrap()),
        Ok(repr)
    );
}

#[test]
fn errors_say_what_and_where() {
    let parse = |kind, code| {
        let bytes = [kind, code, 0, 0, 0, 0, 0, 0];
        let parsed = Icmpv6Repr::parse(&Icmpv6View::parse(&bytes).unwrap()).map(|_| ());
        parsed.unwrap_err().to_string()
    };
    assert_eq!(
        parse(1, 7),
        "icmpv6 code at offset 1 is 7, unknown for destination unreachable"
    );
    assert_eq!(
        parse(128, 1),
        "icmpv6 code at offset 1 is 1, unknown for echo request"
    );
    assert_eq!(
        parse(143, 0),
        "icmpv6 type at offset 0 is 143, which has no meaning here"
    );
}

#[test]
fn appended_extensions_are_not_quoted() {
    // RFC 4884 section 4.4: one 64-bit word of the packet, then an extension.
    let mut bytes = [0x5a; 8 + 8 + 4];
    bytes[..8].copy_from_slice(&[3, 0, 0, 0, 1, 0, 0, 0]);
    let view = Icmpv6View::parse(&bytes).unwrap();
    assert_eq!(view.quoted(), Some(&[0x5a; 8][..]));
    // Where the MTU stands there is no length.
    bytes[0] = 2;
    assert_eq!(
        Icmpv6View::parse(&bytes).unwrap().quoted().map(<[u8]>::len),
        Some(12)
    );
}

#[test]
fn errors_fit_into_the_least_mtu() {
    assert_eq!(
        quote(&[0; 2000]).len() + HEADER_LEN + ipv6::HEADER_LEN,
        ipv6::MIN_MTU
    );
}

proptest! {
    #[test]
    fn round_trip_and_oracle(
        high: u16, low: u16, code: u8, data in vec(any::<u8>(), 40..120),
        src: Ipv6Addr, dst: Ipv6Addr,
    ) {
        let checksums = ChecksumCapabilities::default();
        for repr in messages(high, low, code, &data) {
            let bytes = message(&repr, src, dst);
            prefixes(&bytes, HEADER_LEN, Icmpv6View::parse);
            let view = Icmpv6View::parse(&bytes).unwrap();
            prop_assert!(view.checksum_ok(src, dst));
            prop_assert_eq!(Icmpv6Repr::parse(&view), Ok(repr));

            let oracle = Icmpv6Packet::new_checked(&bytes[..]).unwrap();
            match (OracleRepr::parse(&src, &dst, &oracle, &checksums).unwrap(), repr) {
                (
                    OracleRepr::EchoRequest { ident, seq_no, data: seen },
                    Icmpv6Repr::EchoRequest { .. },
                )
                | (
                    OracleRepr::EchoReply { ident, seq_no, data: seen },
                    Icmpv6Repr::EchoReply { .. },
                ) => prop_assert_eq!((ident, seq_no, seen), (high, low, &data[..])),
                (
                    OracleRepr::DstUnreachable { reason, data: seen, .. },
                    Icmpv6Repr::DestinationUnreachable { reason: told, .. },
                ) => prop_assert_eq!((u8::from(reason), seen), (told.code(), &data[40..])),
                (
                    OracleRepr::PktTooBig { mtu, data: seen, .. },
                    Icmpv6Repr::PacketTooBig { mtu: told, .. },
                ) => prop_assert_eq!((mtu, seen), (told, &data[40..])),
                (
                    OracleRepr::TimeExceeded { reason, data: seen, .. },
                    Icmpv6Repr::TimeExceeded { reason: told, .. },
                ) => prop_assert_eq!((u8::from(reason), seen), (told.code(), &data[40..])),
                (
                    OracleRepr::ParamProblem { reason, pointer, data: seen, .. },
                    Icmpv6Repr::ParameterProblem { reason: told, pointer: at, .. },
                ) => prop_assert_eq!(
                    (u8::from(reason), pointer, seen),
                    (told.code(), at, &data[40..])
                ),
                (oracle, repr) => {
                    return Err(TestCaseError::fail(alloc::format!("{oracle:?} for {repr:?}")));
                }
            }
        }
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(
        bytes in (any::<u8>(), any::<prop::sample::Index>()).prop_flat_map(|(code, form)| {
            let messages = messages(1, 2, code, &[0x60; 60]);
            let repr = messages[form.index(messages.len())];
            hostile(message(&repr, Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST))
        }),
    ) {
        exercise(&bytes);
    }
}
