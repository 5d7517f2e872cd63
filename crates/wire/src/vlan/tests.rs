use etherparse::SingleVlanHeaderSlice;
use proptest::prelude::*;

use super::*;
use crate::testing::{emitted, hostile, prefixes};

fn repr() -> impl Strategy<Value = VlanRepr> {
    (
        any::<Priority>(),
        any::<bool>(),
        0..=Vlan::MAX,
        EtherType::MIN..=u16::MAX,
    )
        .prop_map(|(priority, drop_eligible, vid, ether_type)| VlanRepr {
            priority,
            drop_eligible,
            vlan: Vlan::new(vid).ok(),
            ether_type: EtherType(ether_type),
        })
}

fn exercise(bytes: &[u8]) {
    let Ok(view) = VlanView::parse(bytes) else {
        return;
    };
    assert_eq!(view.payload().len() + HEADER_LEN, bytes.len());
    let Ok(repr) = VlanRepr::parse(&view) else {
        return;
    };
    let again = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    assert_eq!(VlanRepr::parse(&VlanView::parse(&again).unwrap()), Ok(repr));
}

#[test]
fn reserved_identifier_and_lengths_are_refused() {
    let parse = |bytes: &[u8; 4]| VlanRepr::parse(&VlanView::parse(bytes).unwrap());
    assert_eq!(
        parse(&[0xef, 0xff, 8, 0]),
        Err(VlanTagError::Reserved { got: 4095 })
    );
    assert_eq!(parse(&[0, 1, 0, 46]), Err(VlanTagError::Length { got: 46 }));
    assert_eq!(parse(&[0x40, 0, 8, 0]).map(|repr| repr.vlan), Ok(None));
}

proptest! {
    #[test]
    fn round_trip_and_oracle(repr in repr()) {
        let bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
        prefixes(&bytes, HEADER_LEN, VlanView::parse);
        prop_assert_eq!(VlanRepr::parse(&VlanView::parse(&bytes).unwrap()), Ok(repr));
        let oracle = SingleVlanHeaderSlice::from_slice(&bytes).unwrap();
        prop_assert_eq!(oracle.priority_code_point().value(), repr.priority.get());
        prop_assert_eq!(oracle.drop_eligible_indicator(), repr.drop_eligible);
        prop_assert_eq!(oracle.vlan_identifier().value(), repr.vlan.map_or(0, Vlan::get));
        prop_assert_eq!(oracle.ether_type().0, repr.ether_type.get());
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(bytes in hostile([8; 8].to_vec())) {
        exercise(&bytes);
    }
}
