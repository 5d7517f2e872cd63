use alloc::vec::Vec;

use etherparse::Ipv6HeaderSlice;
use proptest::prelude::*;

use super::*;
use crate::testing::{emitted, hostile, prefixes};

fn repr() -> impl Strategy<Value = Ipv6Repr> {
    let addresses = (any::<Ipv6Addr>(), any::<Ipv6Addr>());
    let service = (any::<Dscp>(), any::<Ecn>(), any::<FlowLabel>());
    (addresses, service, any::<u8>(), any::<u8>(), 0..200_u16).prop_map(
        |((src, dst), (dscp, ecn, flow_label), next_header, hop_limit, payload_len)| Ipv6Repr {
            src,
            dst,
            next_header: IpProtocol(next_header),
            hop_limit,
            dscp,
            ecn,
            flow_label,
            payload_len,
        },
    )
}

fn packet(repr: &Ipv6Repr) -> Vec<u8> {
    let mut bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    bytes.resize(bytes.len() + usize::from(repr.payload_len), 0x5a);
    bytes
}

fn exercise(bytes: &[u8]) {
    let Ok(view) = Ipv6View::parse_quoted(bytes) else {
        return;
    };
    assert!(HEADER_LEN + view.payload().len() <= bytes.len());
    if let Ok(upper) = view.upper_layer() {
        assert_eq!(upper.offset + upper.payload.len(), view.payload().len());
    }
    let repr = Ipv6Repr::parse(&view);
    assert_eq!(
        emitted(repr.buffer_len(), |buffer| repr.emit(buffer)),
        bytes[..HEADER_LEN]
    );
}

#[test]
fn other_versions_are_refused() {
    assert_eq!(
        Ipv6View::parse(&[0x45; 40]).unwrap_err(),
        Ipv6Error::Version { got: 4 }
    );
}

proptest! {
    #[test]
    fn round_trip_and_oracle(repr in repr()) {
        let bytes = packet(&repr);
        prefixes(&bytes, bytes.len(), Ipv6View::parse);
        prefixes(&bytes, HEADER_LEN, Ipv6View::parse_quoted);
        prop_assert_eq!(Ipv6Repr::parse(&Ipv6View::parse(&bytes).unwrap()), repr);

        let oracle = Ipv6HeaderSlice::from_slice(&bytes).unwrap();
        prop_assert_eq!(oracle.source_addr(), repr.src);
        prop_assert_eq!(oracle.destination_addr(), repr.dst);
        prop_assert_eq!(oracle.next_header().0, repr.next_header.get());
        prop_assert_eq!(oracle.hop_limit(), repr.hop_limit);
        prop_assert_eq!(oracle.traffic_class(), tos::octet(repr.dscp, repr.ecn));
        prop_assert_eq!(oracle.flow_label().value(), repr.flow_label.get());
        prop_assert_eq!(oracle.payload_length(), repr.payload_len);
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(
        bytes in repr().prop_flat_map(|repr| hostile(packet(&repr))),
    ) {
        exercise(&bytes);
    }
}
