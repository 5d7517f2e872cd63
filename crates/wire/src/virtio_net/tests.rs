use core::num::NonZeroU16;

use alloc::vec;
use proptest::prelude::*;

use super::{Checksum, EmitError, Form, Gso, GsoKind, GsoTunnel, NetHeader, NetHeaderError};
use crate::testing;

const FORMS: [Form; 3] = [Form::Legacy, Form::Mergeable, Form::Tunnel];

fn header() -> impl Strategy<Value = NetHeader> {
    let checksum = prop_oneof![
        Just(Checksum::None),
        Just(Checksum::Valid),
        (any::<u16>(), any::<u16>()).prop_map(|(start, offset)| Checksum::Needed { start, offset }),
    ];
    let kind = prop_oneof![
        Just(GsoKind::TcpV4),
        Just(GsoKind::TcpV6),
        Just(GsoKind::UdpL4)
    ];
    let tunnel = (any::<bool>(), any::<bool>(), any::<u16>(), any::<u16>()).prop_map(
        |(outer_ipv6, checksum, outer_transport, inner_network)| GsoTunnel {
            outer_ipv6,
            checksum,
            outer_transport,
            inner_network,
        },
    );
    let tunnel = prop::option::of(tunnel);
    let gso = (
        kind,
        any::<u16>(),
        any::<NonZeroU16>(),
        any::<bool>(),
        tunnel,
    )
        .prop_map(|(kind, hdr_len, size, ecn, tunnel)| Gso {
            kind,
            hdr_len,
            size,
            ecn: ecn && kind != GsoKind::UdpL4,
            tunnel,
        });
    (checksum, prop::option::of(gso), any::<u16>()).prop_map(|(checksum, gso, num_buffers)| {
        NetHeader {
            checksum,
            gso,
            num_buffers,
        }
    })
}

/// The header as the shorter form can say it.
fn shortened(mut header: NetHeader, form: Form) -> NetHeader {
    if form != Form::Tunnel {
        header.gso = header.gso.map(|gso| Gso {
            tunnel: None,
            ..gso
        });
    }
    if form == Form::Legacy {
        header.num_buffers = 0;
    }
    header
}

#[test]
fn a_tcp_segment_in_a_tunnel_is_laid_out_as_linux_does() {
    let header = NetHeader {
        checksum: Checksum::Needed {
            start: 0x0102,
            offset: 16,
        },
        gso: Some(Gso {
            kind: GsoKind::TcpV4,
            hdr_len: 0x0304,
            size: NonZeroU16::new(0x0506).unwrap(),
            ecn: true,
            tunnel: Some(GsoTunnel {
                outer_ipv6: true,
                checksum: true,
                outer_transport: 54,
                inner_network: 84,
            }),
        }),
        num_buffers: 1,
    };
    let bytes = [
        0x09, 0xc1, 4, 3, 6, 5, 2, 1, 16, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54, 0, 84, 0,
    ];
    let mut written = [0xff; 24];
    header.emit(Form::Tunnel, &mut written).unwrap();
    assert_eq!(written, bytes);
    assert_eq!(NetHeader::parse(Form::Tunnel, &bytes), Ok(header));
    assert_eq!(
        NetHeader::parse(Form::Mergeable, &bytes),
        Err(NetHeaderError::TunnelInShortForm)
    );
    assert_eq!(
        header.emit(Form::Mergeable, &mut written),
        Err(EmitError::TunnelInShortForm)
    );
}

#[test]
fn a_sum_still_needed_outweighs_one_found_right() {
    let bytes = [3, 0, 0, 0, 0, 0, 34, 0, 6, 0];
    let header = NetHeader::parse(Form::Legacy, &bytes).unwrap();
    assert_eq!(
        header.checksum,
        Checksum::Needed {
            start: 34,
            offset: 6
        }
    );
}

#[test]
fn segmentation_that_does_not_exist_is_an_error() {
    for gso_type in [2, 3, 6, 0x61, 0x80, 0x20, 0x40] {
        let bytes = [0, gso_type, 54, 0, 0, 5, 0, 0, 0, 0, 1, 0];
        assert_eq!(
            NetHeader::parse(Form::Mergeable, &bytes),
            Err(NetHeaderError::GsoType { got: gso_type })
        );
    }
    let bytes = [1, 1, 54, 0, 0, 0, 34, 0, 16, 0, 1, 0];
    assert_eq!(
        NetHeader::parse(Form::Mergeable, &bytes),
        Err(NetHeaderError::GsoSizeZero)
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read(header in header()) {
        for form in FORMS {
            let header = shortened(header, form);
            let bytes = testing::emitted(form.header_len(), |buffer| match header.emit(form, buffer) {
                Ok(()) => Ok(()),
                Err(EmitError::Buffer(error)) => Err(error),
                Err(error) => panic!("{error}"),
            });
            prop_assert_eq!(NetHeader::parse(form, &bytes), Ok(header));
            testing::prefixes(&bytes, form.header_len(), |bytes| NetHeader::parse(form, bytes));
        }
    }

    #[test]
    fn any_bytes_give_a_value_that_is_written_again_or_an_error(
        header in header(),
        bytes in testing::hostile(vec![1, 1, 54, 0, 0, 5, 34, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54, 0, 84, 0])
    ) {
        for form in FORMS {
            if let Ok(parsed) = NetHeader::parse(form, &bytes) {
                let mut written = vec![0; form.header_len()];
                parsed.emit(form, &mut written).unwrap();
                prop_assert_eq!(NetHeader::parse(form, &written), Ok(parsed));
            }
            if header.gso.is_some_and(|gso| gso.tunnel.is_some()) && form != Form::Tunnel {
                let mut written = vec![0xa5; form.header_len()];
                prop_assert_eq!(header.emit(form, &mut written), Err(EmitError::TunnelInShortForm));
                prop_assert!(written.iter().all(|byte| *byte == 0xa5));
            }
        }
    }
}
