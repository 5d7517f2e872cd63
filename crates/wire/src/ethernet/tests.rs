use alloc::string::ToString;

use etherparse::Ethernet2HeaderSlice;
use proptest::prelude::*;

use super::*;
use crate::testing::{emitted, hostile, mac, prefixes};

fn repr() -> impl Strategy<Value = EthernetRepr> {
    (mac(), mac(), EtherType::MIN..=u16::MAX).prop_map(|(dst, src, ether_type)| EthernetRepr {
        dst,
        src,
        ether_type: EtherType(ether_type),
    })
}

fn exercise(bytes: &[u8]) {
    let Ok(view) = EthernetView::parse(bytes) else {
        return;
    };
    assert_eq!(view.payload().len() + HEADER_LEN, bytes.len());
    let Ok(repr) = EthernetRepr::parse(&view) else {
        return;
    };
    let again = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    assert_eq!(
        EthernetRepr::parse(&EthernetView::parse(&again).unwrap()),
        Ok(repr)
    );
}

#[test]
fn lengths_are_refused_by_name() {
    let mut bytes = [0; 14];
    bytes[13] = 46;
    let error = EthernetRepr::parse(&EthernetView::parse(&bytes).unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ethernet type at offset 12 is 0x002e, a length, types begin at 0x0600"
    );
    let error = EthernetView::parse(&bytes[..10]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ethernet header needs 14 bytes, 10 are there"
    );
}

proptest! {
    #[test]
    fn round_trip_and_oracle(repr in repr()) {
        let bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
        prefixes(&bytes, HEADER_LEN, EthernetView::parse);
        exercise(&bytes);
        let oracle = Ethernet2HeaderSlice::from_slice(&bytes).unwrap();
        prop_assert_eq!(oracle.destination(), repr.dst.octets());
        prop_assert_eq!(oracle.source(), repr.src.octets());
        prop_assert_eq!(oracle.ether_type().0, repr.ether_type.get());
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(bytes in hostile([8; 60].to_vec())) {
        exercise(&bytes);
    }
}
