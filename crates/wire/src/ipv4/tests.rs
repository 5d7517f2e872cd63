use alloc::string::ToString;
use alloc::vec::Vec;

use etherparse::Ipv4HeaderSlice;
use proptest::collection::vec;
use proptest::prelude::*;
use smoltcp::wire::Ipv4Packet;

use super::*;
use crate::options::Options;
use crate::testing::{emitted, hostile, prefixes};

fn borrowed(options: &[(u8, Vec<u8>)]) -> Vec<Ipv4Option<'_>> {
    options
        .iter()
        .map(|(kind, data)| Ipv4Option { kind: *kind, data })
        .collect()
}

fn options() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    vec((2_u8.., vec(any::<u8>(), 0..8)), 0..4)
}

fn repr() -> impl Strategy<Value = Ipv4Repr<'static>> {
    let addresses = (any::<Ipv4Addr>(), any::<Ipv4Addr>());
    let service = (any::<u8>(), any::<u8>(), any::<Dscp>(), any::<Ecn>());
    let fragment = (any::<u16>(), any::<bool>(), any::<bool>(), 0..8000_u16);
    (addresses, service, fragment, 0..800_usize).prop_map(
        |((src, dst), (protocol, ttl, dscp, ecn), (id, dont, more, offset), len)| {
            let mut repr = Ipv4Repr::new(src, dst, IpProtocol(protocol), len).unwrap();
            (repr.ttl, repr.dscp, repr.ecn, repr.identification) = (ttl, dscp, ecn, id);
            (repr.dont_fragment, repr.more_fragments) = (dont, more);
            repr.fragment_offset = FragmentOffset::new(offset).unwrap();
            repr
        },
    )
}

fn packet(repr: &Ipv4Repr<'_>) -> Vec<u8> {
    let mut bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    bytes.resize(bytes.len() + usize::from(repr.payload_len()), 0x5a);
    bytes
}

fn exercise(bytes: &[u8]) {
    let Ok(view) = Ipv4View::parse_quoted(bytes) else {
        return;
    };
    assert!(view.header_len() + view.payload().len() <= bytes.len());
    assert!(view.options().count() <= 40);
    let Ok(repr) = Ipv4Repr::parse(&view) else {
        return;
    };
    let again = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    assert_eq!(
        Ipv4Repr::parse(&Ipv4View::parse_quoted(&again).unwrap()),
        Ok(repr)
    );
}

#[test]
fn errors_say_what_and_where() {
    let repr = Ipv4Repr::new(
        [10, 0, 0, 1].into(),
        [10, 0, 0, 2].into(),
        IpProtocol::TCP,
        0,
    );
    let valid = packet(&repr.unwrap());
    let with = |at: usize, byte: u8| {
        let mut bytes = valid.clone();
        bytes[at] = byte;
        let view = Ipv4View::parse(&bytes).map_err(|error| error.to_string())?;
        Ipv4Repr::parse(&view)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    let error = |at, byte| with(at, byte).unwrap_err();
    assert_eq!(error(0, 0x65), "ipv4 version at offset 0 is 6, expected 4");
    assert_eq!(
        error(0, 0x44),
        "ipv4 header length at offset 0 is 16 bytes, expected at least 20"
    );
    assert_eq!(error(0, 0x46), "ipv4 header needs 24 bytes, 20 are there");
    assert_eq!(
        error(3, 19),
        "ipv4 total length at offset 2 is 19 bytes, expected at least 20"
    );
    assert_eq!(error(3, 21), "ipv4 packet needs 21 bytes, 20 are there");
    assert_eq!(
        error(8, 63),
        "ipv4 checksum at offset 10 is 0x26e2, expected 0x27e2"
    );
}

#[test]
fn lengths_beyond_a_packet_are_refused() {
    let new = |len| Ipv4Repr::new([0; 4].into(), [0; 4].into(), IpProtocol::UDP, len);
    let longest = new(65515).unwrap();
    assert_eq!(new(65516), Err(Ipv4Error::TooLong { got: 65536 }));
    let option = [Ipv4Option {
        kind: Ipv4Option::ROUTER_ALERT,
        data: &[0, 0],
    }];
    let options = Options::new(&option).unwrap();
    assert_eq!(
        longest.with_options(options),
        Err(Ipv4Error::TooLong { got: 65539 })
    );
}

#[test]
fn fragments_beyond_the_greatest_datagram_are_refused() {
    let mut repr = Ipv4Repr::new([0; 4].into(), [0; 4].into(), IpProtocol::ICMP, 1480).unwrap();
    repr.fragment_offset = FragmentOffset::new(8189).unwrap();
    let bytes = packet(&repr);
    let parsed = Ipv4Repr::parse(&Ipv4View::parse(&bytes).unwrap());
    assert_eq!(parsed, Err(Ipv4Error::FragmentEnd { got: 66992 }));
}

#[test]
fn malformed_options_end_the_list_with_their_place() {
    let area = [1, 148, 4, 0, 0, 7, 200, 0];
    let mut options = OptionIter::<Ipv4Option<'_>>::new(&area);
    let alert = Ipv4Option {
        kind: 148,
        data: &[0, 0],
    };
    assert_eq!(options.next(), Some(Ok(alert)));
    assert!(alert.copied());
    let error = Ipv4Error::OptionLength {
        kind: 7,
        offset: 5,
        got: 200,
        left: 3,
    };
    assert_eq!(options.next(), Some(Err(error)));
    assert_eq!(options.next(), None);
    let padding = [Ipv4Option { kind: 1, data: &[] }];
    assert_eq!(
        Options::new(&padding),
        Err(Ipv4Error::OptionKind { kind: 1 })
    );
}

proptest! {
    #[test]
    fn round_trip_and_oracles(repr in repr(), options in options()) {
        let options = borrowed(&options);
        let repr = match Options::new(&options) {
            Ok(options) => repr.with_options(options).unwrap(),
            Err(error) => {
                let too_long = matches!(error, Ipv4Error::OptionsTooLong { got: 41.. });
                prop_assert!(too_long, "{}", error);
                repr
            }
        };
        let bytes = packet(&repr);
        prefixes(&bytes, bytes.len(), Ipv4View::parse);
        prefixes(&bytes, repr.buffer_len(), Ipv4View::parse_quoted);
        let view = Ipv4View::parse(&bytes).unwrap();
        prop_assert!(view.checksum_ok());
        prop_assert_eq!(view.payload().len(), usize::from(repr.payload_len()));
        prop_assert_eq!(Ipv4Repr::parse(&view), Ok(repr));

        let oracle = Ipv4HeaderSlice::from_slice(&bytes).unwrap();
        prop_assert_eq!(oracle.source_addr(), repr.src);
        prop_assert_eq!(oracle.destination_addr(), repr.dst);
        prop_assert_eq!(oracle.protocol().0, repr.protocol.get());
        prop_assert_eq!(oracle.ttl(), repr.ttl);
        prop_assert_eq!(oracle.dcp().value(), repr.dscp.get());
        prop_assert_eq!(oracle.ecn().value(), repr.ecn.bits());
        prop_assert_eq!(oracle.identification(), repr.identification);
        prop_assert_eq!(oracle.dont_fragment(), repr.dont_fragment);
        prop_assert_eq!(oracle.more_fragments(), repr.more_fragments);
        prop_assert_eq!(oracle.fragments_offset().value(), repr.fragment_offset.get());
        prop_assert_eq!(oracle.payload_len().unwrap(), repr.payload_len());
        prop_assert_eq!(oracle.to_header().calc_header_checksum(), view.checksum());
        prop_assert!(Ipv4Packet::new_checked(&bytes).unwrap().verify_checksum());
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(
        bytes in repr().prop_flat_map(|repr| hostile(packet(&repr))),
    ) {
        exercise(&bytes);
    }
}
