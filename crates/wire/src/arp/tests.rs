use proptest::prelude::*;
use smoltcp::wire::{ArpOperation as OracleOperation, ArpPacket, ArpRepr as OracleRepr};

use super::*;
use crate::testing::{emitted, hostile, mac, prefixes};

fn repr() -> impl Strategy<Value = ArpRepr> {
    (
        any::<u16>(),
        mac(),
        any::<Ipv4Addr>(),
        mac(),
        any::<Ipv4Addr>(),
    )
        .prop_map(
            |(operation, sender_mac, sender_ip, target_mac, target_ip)| ArpRepr {
                operation: ArpOperation(operation),
                sender_mac,
                sender_ip,
                target_mac,
                target_ip,
            },
        )
}

fn exercise(bytes: &[u8]) {
    let Ok(view) = ArpView::parse(bytes) else {
        return;
    };
    let repr = ArpRepr::parse(&view);
    let again = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    assert_eq!(again, bytes[..PACKET_LEN]);
}

#[test]
fn other_hardware_and_protocols_are_refused() {
    let valid = [0, 1, 8, 0, 6, 4];
    let with = |at: usize, byte: u8| {
        let mut bytes = [0; PACKET_LEN];
        bytes[..6].copy_from_slice(&valid);
        bytes[at] = byte;
        ArpView::parse(&bytes).map(|_| ()).unwrap_err()
    };
    assert_eq!(with(1, 6), ArpError::Hardware { got: 6 });
    assert_eq!(
        with(2, 9),
        ArpError::Protocol {
            got: EtherType(0x0900)
        }
    );
    assert_eq!(with(4, 8), ArpError::HardwareLength { got: 8 });
    assert_eq!(with(5, 16), ArpError::ProtocolLength { got: 16 });
}

proptest! {
    #[test]
    fn round_trip_and_oracle(repr in repr()) {
        let bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
        prefixes(&bytes, PACKET_LEN, ArpView::parse);
        prop_assert_eq!(ArpRepr::parse(&ArpView::parse(&bytes).unwrap()), repr);
        let OracleRepr::EthernetIpv4 {
            operation,
            source_hardware_addr,
            source_protocol_addr,
            target_hardware_addr,
            target_protocol_addr,
        } = OracleRepr::parse(&ArpPacket::new_checked(&bytes).unwrap()).unwrap() else {
            return Err(TestCaseError::fail("not ethernet and ipv4"));
        };
        prop_assert_eq!(operation, OracleOperation::from(repr.operation.get()));
        prop_assert_eq!(source_hardware_addr.0, repr.sender_mac.octets());
        prop_assert_eq!(source_protocol_addr, repr.sender_ip);
        prop_assert_eq!(target_hardware_addr.0, repr.target_mac.octets());
        prop_assert_eq!(target_protocol_addr, repr.target_ip);
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(
        bytes in repr().prop_flat_map(|repr| {
            hostile(emitted(repr.buffer_len(), |buffer| repr.emit(buffer)))
        }),
    ) {
        exercise(&bytes);
    }
}
