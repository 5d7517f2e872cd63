use alloc::vec;
use alloc::vec::Vec;

use etherparse::{Ipv6FragmentHeaderSlice, Ipv6Slice};
use proptest::collection::vec as vec_of;
use proptest::prelude::*;

use super::*;
use crate::ipv6::Ipv6Repr;
use crate::testing::{emitted, hostile, prefixes};
use crate::tos::{Dscp, Ecn};

const UPPER: IpProtocol = IpProtocol::UDP;

fn fragment() -> impl Strategy<Value = FragmentRepr> {
    (
        any::<u8>(),
        any::<FragmentOffset>(),
        any::<bool>(),
        any::<u32>(),
    )
        .prop_map(
            |(next_header, offset, more_fragments, identification)| FragmentRepr {
                next_header: IpProtocol(next_header),
                offset,
                more_fragments,
                identification,
            },
        )
}

/// One header, its next header yet open: 8 to 24 bytes, for the authentication header 12 to 28.
fn header(kind: IpProtocol, units: u8) -> Vec<u8> {
    match kind {
        IpProtocol::FRAGMENT => vec![0, 0, 0, 0, 1, 2, 3, 4],
        IpProtocol::AUTHENTICATION => {
            let words = 3 + units * 2;
            let mut bytes = vec![0xaa; usize::from(words) * 4];
            bytes[1] = words - 2;
            bytes
        }
        _ => {
            let mut bytes = vec![0; 8 + usize::from(units) * 8];
            bytes[1] = units;
            bytes
        }
    }
}

/// The headers in this order before eight bytes of [`UPPER`].
fn chain(kinds: &[(IpProtocol, u8)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, (kind, units)) in kinds.iter().enumerate() {
        let mut one = header(*kind, *units);
        one[0] = kinds.get(at + 1).map_or(UPPER, |(kind, _)| *kind).get();
        bytes.extend(one);
    }
    bytes.extend([0x5a; 8]);
    bytes
}

fn kinds() -> impl Strategy<Value = Vec<(IpProtocol, u8)>> {
    let kind = prop::sample::select(vec![
        IpProtocol::ROUTING,
        IpProtocol::AUTHENTICATION,
        IpProtocol::DESTINATION_OPTIONS,
    ]);
    (any::<bool>(), vec_of((kind, 0..3_u8), 0..6), any::<bool>()).prop_map(
        |(hop_by_hop, mut kinds, fragment)| {
            if fragment {
                kinds.push((IpProtocol::FRAGMENT, 0));
            }
            if hop_by_hop {
                kinds.insert(0, (IpProtocol::HOP_BY_HOP, 1));
            }
            kinds
        },
    )
}

fn first(kinds: &[(IpProtocol, u8)]) -> IpProtocol {
    kinds.first().map_or(UPPER, |(kind, _)| *kind)
}

#[test]
fn misplaced_and_superfluous_headers_are_refused() {
    let hop = (IpProtocol::HOP_BY_HOP, 0);
    let fragment = (IpProtocol::FRAGMENT, 0);
    let options = (IpProtocol::DESTINATION_OPTIONS, 0);
    let walked = |kinds: &[_]| walk(first(kinds), &chain(kinds)).map(|upper| upper.offset);
    assert_eq!(walked(&[hop, options]), Ok(16));
    assert_eq!(
        walked(&[options, hop]),
        Err(ExtensionError::HopByHopNotFirst { offset: 8 })
    );
    assert_eq!(
        walked(&[fragment, fragment]),
        Err(ExtensionError::SecondFragment { offset: 8 })
    );
    assert_eq!(walked(&[options; MAX_HEADERS]), Ok(64));
    assert_eq!(
        walked(&[options; MAX_HEADERS + 1]),
        Err(ExtensionError::TooMany { offset: 64 })
    );
}

#[test]
fn nothing_is_read_behind_a_later_fragment() {
    let offset = FragmentOffset::new(185).unwrap();
    let next_header = IpProtocol::DESTINATION_OPTIONS;
    let repr = FragmentRepr {
        next_header,
        offset,
        more_fragments: false,
        identification: 7,
    };
    let mut bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    bytes.extend([0xff; 5]);
    let upper = walk(IpProtocol::FRAGMENT, &bytes).unwrap();
    assert_eq!(
        (upper.protocol, upper.offset, upper.payload),
        (next_header, 8, &[0xff; 5][..])
    );
    assert_eq!(upper.fragment, Some(repr));
    assert_eq!(offset.octets(), 1480);
}

proptest! {
    #[test]
    fn walk_agrees_with_the_oracle(kinds in kinds()) {
        let payload = chain(&kinds);
        let upper = walk(first(&kinds), &payload).unwrap();
        prop_assert_eq!(upper.protocol, UPPER);
        prop_assert_eq!(upper.payload, &[0x5a; 8][..]);
        let fragmented = kinds.iter().any(|(kind, _)| *kind == IpProtocol::FRAGMENT);
        prop_assert_eq!(upper.fragment.is_some(), fragmented);
        prefixes(&payload, upper.offset, |bytes| walk(first(&kinds), bytes));

        let header = Ipv6Repr {
            src: [1; 16].into(),
            dst: [2; 16].into(),
            next_header: first(&kinds),
            hop_limit: 64,
            dscp: Dscp::default(),
            ecn: Ecn::NotEct,
            flow_label: crate::ipv6::FlowLabel::default(),
            payload_len: u16::try_from(payload.len()).unwrap(),
        };
        let mut packet = emitted(header.buffer_len(), |buffer| header.emit(buffer));
        packet.extend(&payload);
        let oracle = Ipv6Slice::from_slice(&packet).unwrap();
        prop_assert_eq!(oracle.payload().ip_number.0, upper.protocol.get());
        prop_assert_eq!(oracle.payload().payload, upper.payload);
    }

    #[test]
    fn fragment_round_trip_and_oracle(repr in fragment()) {
        let bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
        prefixes(&bytes, repr.buffer_len(), FragmentView::parse);
        prop_assert_eq!(FragmentRepr::parse(&FragmentView::parse(&bytes).unwrap()), repr);
        let oracle = Ipv6FragmentHeaderSlice::from_slice(&bytes).unwrap();
        prop_assert_eq!(oracle.next_header().0, repr.next_header.get());
        prop_assert_eq!(oracle.fragment_offset().value(), repr.offset.get());
        prop_assert_eq!(oracle.more_fragments(), repr.more_fragments);
        prop_assert_eq!(oracle.identification(), repr.identification);
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(
        (start, bytes) in kinds().prop_flat_map(|kinds| {
            (Just(first(&kinds)), hostile(chain(&kinds)))
        }),
    ) {
        let read = ExtensionIter::new(start, &bytes).count();
        prop_assert!(read <= MAX_HEADERS + 1);
        if let Ok(upper) = walk(start, &bytes) {
            prop_assert_eq!(upper.offset + upper.payload.len(), bytes.len());
        }
    }
}
