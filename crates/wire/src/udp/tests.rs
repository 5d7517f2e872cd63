use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use smoltcp::wire::{IpAddress, UdpPacket};

use super::*;
use crate::checksum::{pseudo_header_v4, pseudo_header_v6};
use crate::testing::{emitted, hostile, prefixes};

const PROTOCOL: u8 = 17;

fn datagram(src_port: u16, dst_port: u16, payload: &[u8], pseudo: u16) -> Vec<u8> {
    let payload_len = UdpPayloadLen::try_from(payload.len()).unwrap();
    let repr = UdpRepr {
        src_port,
        dst_port,
        payload_len,
    };
    let mut bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    bytes.extend(payload);
    fill_checksum(&mut bytes, pseudo).unwrap();
    prefixes(&bytes, bytes.len(), UdpView::parse);
    prefixes(&bytes, HEADER_LEN, UdpView::parse_quoted);
    assert_eq!(UdpRepr::parse(&UdpView::parse(&bytes).unwrap()), repr);
    bytes
}

fn exercise(bytes: &[u8]) {
    let Ok(view) = UdpView::parse_quoted(bytes) else {
        return;
    };
    assert!(HEADER_LEN + view.payload().len() <= bytes.len());
    let repr = UdpRepr::parse(&view);
    let again = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    assert_eq!(again[..CHECKSUM_OFFSET], bytes[..CHECKSUM_OFFSET]);
}

#[test]
fn payloads_fit_the_length_field() {
    assert_eq!(UdpPayloadLen::new(65527).map(UdpPayloadLen::get), Ok(65527));
    assert!(UdpPayloadLen::new(65528).is_err());
    assert_eq!(
        UdpView::parse(&[0; 8]).unwrap_err(),
        UdpError::Length { got: 0 }
    );
}

#[test]
fn a_computed_zero_is_sent_as_all_ones() {
    // The pseudo header makes up for everything else.
    let bytes = datagram(0, 0, &[], 0xffff - 8);
    let view = UdpView::parse(&bytes).unwrap();
    assert_eq!(view.checksum(), 0xffff);
    assert!(view.checksum_ok(0xffff - 8));
}

proptest! {
    #[test]
    fn checksums_agree_with_the_oracle(
        ports: (u16, u16), payload in vec(any::<u8>(), 0..100),
        src4: [u8; 4], dst4: [u8; 4], src6: [u8; 16], dst6: [u8; 16],
    ) {
        let len = u16::try_from(payload.len() + 8).unwrap();
        let v4 = pseudo_header_v4(src4, dst4, PROTOCOL, len);
        let v6 = pseudo_header_v6(src6, dst6, PROTOCOL, len.into());
        for (pseudo, src, dst) in [
            (v4, IpAddress::Ipv4(src4.into()), IpAddress::Ipv4(dst4.into())),
            (v6, IpAddress::Ipv6(src6.into()), IpAddress::Ipv6(dst6.into())),
        ] {
            let bytes = datagram(ports.0, ports.1, &payload, pseudo);
            let view = UdpView::parse(&bytes).unwrap();
            prop_assert!(view.checksum_ok(pseudo));
            prop_assert_eq!(view.payload(), &payload[..]);
            let oracle = UdpPacket::new_checked(&bytes[..]).unwrap();
            prop_assert!(oracle.verify_checksum(&src, &dst));
            prop_assert_eq!((oracle.src_port(), oracle.dst_port()), ports);
            prop_assert_eq!(oracle.payload(), &payload[..]);
        }
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(bytes in hostile(datagram(53, 4242, &[1; 20], 99))) {
        exercise(&bytes);
    }
}
