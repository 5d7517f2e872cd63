use proptest::prelude::*;
use rackweave_testkit::packet::{FrameBuilder, Tunnel};
use rackweave_wire::virtio_net::Form;

use super::*;

fn large(v6: bool, kind: SegmentKind) -> Frame {
    let (src, dst) = if v6 {
        ("fd00::1", "fd00::2")
    } else {
        ("10.0.0.1", "10.0.0.2")
    };
    let ports = |addr: &str, port| {
        if v6 {
            format!("[{addr}]:{port}")
        } else {
            format!("{addr}:{port}")
        }
    };
    let (src, dst) = (ports(src, 1000), ports(dst, 2000));
    let (builder, offset) = match kind {
        SegmentKind::Tcp => (FrameBuilder::tcp(&src, &dst), 16),
        SegmentKind::Udp => (FrameBuilder::udp(&src, &dst), 6),
    };
    let mut frame = Frame::new(&builder.payload_len(10_000).build());
    frame.offload = Offload {
        checksum: Checksum::Partial {
            start: if v6 { 54 } else { 34 },
            offset,
        },
        segment: Some(Segment { kind, size: 1400 }),
    };
    frame
}

fn in_tunnel(frame: &Frame) -> Frame {
    let tunnel = Tunnel::new("fd52::1", "fd52::2", 4096).option(2, &[5, 120]);
    let mut outer = Frame::new(&tunnel.wrap(frame.bytes()));
    let added = u16::try_from(outer.len() - frame.len()).unwrap();
    outer.offload = frame.offload;
    if let Checksum::Partial { start, .. } = &mut outer.offload.checksum {
        *start += added;
    }
    outer
}

#[test]
fn large_frames_come_back_as_they_went() {
    for v6 in [false, true] {
        for kind in [SegmentKind::Tcp, SegmentKind::Udp] {
            let frame = large(v6, kind);
            let header = for_guest(&frame);
            assert_eq!(of_guest(&header), frame.offload);
            let outer = in_tunnel(&frame);
            let header = for_wire(&outer);
            assert_eq!(of_wire(&header), Arrived::Frame(outer.offload));
            header.emit(Form::Tunnel, &mut [0; 24]).unwrap();
        }
    }
}

#[test]
fn headers_end_where_the_payload_begins() {
    let frame = large(true, SegmentKind::Tcp);
    let gso = for_guest(&frame).gso.unwrap();
    assert_eq!((gso.hdr_len, gso.kind), (14 + 40 + 20, GsoKind::TcpV6));
    let outer = in_tunnel(&large(false, SegmentKind::Udp));
    let gso = for_wire(&outer).gso.unwrap();
    // Geneve with one option of four octets and their header.
    let inner = 14 + 40 + 8 + 8 + 8;
    assert_eq!(gso.hdr_len, inner + 14 + 20 + 8);
    let tunnel = gso.tunnel.unwrap();
    assert_eq!(
        (tunnel.outer_transport, tunnel.inner_network),
        (54, inner + 14)
    );
}

#[test]
fn the_tunnels_own_checksum_says_nothing_of_the_packet_in_it() {
    let outer = |checksum| NetHeader {
        checksum,
        ..NetHeader::default()
    };
    let partial = virtio_net::Checksum::Needed {
        start: OUTER_TRANSPORT,
        offset: 6,
    };
    for checksum in [partial, virtio_net::Checksum::Valid] {
        assert_eq!(
            of_wire(&outer(checksum)),
            Arrived::Frame(Offload::default())
        );
    }
    let mut verified = in_tunnel(&large(false, SegmentKind::Tcp));
    verified.offload = Offload {
        checksum: Checksum::Verified,
        segment: None,
    };
    assert_eq!(for_wire(&verified), NetHeader::default());
}

#[test]
fn trains_and_foreign_frames_are_told_apart() {
    let header = |kind| NetHeader {
        gso: Some(Gso {
            kind,
            hdr_len: 0,
            size: NonZeroU16::MIN,
            ecn: false,
            tunnel: None,
        }),
        ..NetHeader::default()
    };
    assert_eq!(
        of_wire(&header(GsoKind::UdpL4)),
        Arrived::Train(NonZeroU16::MIN)
    );
    assert_eq!(of_wire(&header(GsoKind::TcpV6)), Arrived::Foreign);
}

proptest! {
    #[test]
    fn any_frame_gets_a_header(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        size: u16,
        tcp: bool,
        start: u16,
    ) {
        let mut frame = Frame::new(&bytes);
        frame.offload = Offload {
            checksum: Checksum::Partial { start, offset: 16 },
            segment: Some(Segment {
                kind: if tcp { SegmentKind::Tcp } else { SegmentKind::Udp },
                size,
            }),
        };
        let _header = for_wire(&frame);
        prop_assert_eq!(of_guest(&for_guest(&frame)).checksum, frame.offload.checksum);
    }
}
