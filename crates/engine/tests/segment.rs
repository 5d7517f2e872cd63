//! Segmentation and coalescing: what is cut is complete, and what is joined is what was cut.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use etherparse::SlicedPacket;
use proptest::collection::vec;
use proptest::prelude::*;
use rackweave_engine::frame::{Checksum, Offload, Segment, SegmentKind};
use rackweave_engine::parse::{Parsed, parse_outer};
use rackweave_engine::segment::{Coalescer, Cut, CutError, TunnelEnds, finish_checksum};
use rackweave_engine::{Direction, DropReason, Frame};
use rackweave_testkit::packet::{FrameBuilder, Tunnel, flag, pseudo_header};
use rackweave_testkit::verify::verify;
use rackweave_types::reserved;

/// Ethernet, IPv6, UDP.
const CARRIER: usize = 62;
const ENDS: TunnelEnds = TunnelEnds {
    src: std::net::Ipv6Addr::new(0xfd00, 1, 2, 0x101, 0, 0, 0, 1),
    dst: std::net::Ipv6Addr::new(0xfd00, 1, 2, 0x102, 0, 0, 0, 1),
    src_port: 49_152,
    tos: 0,
};
const CWR: u8 = 0x80;

/// A large packet.
#[derive(Clone, Debug)]
struct Large {
    v6: bool,
    udp: bool,
    port: u16,
    tos: u8,
    id: u16,
    sequence: u32,
    flags: u8,
    /// Words of TCP options.
    options: usize,
    payload: usize,
    size: u16,
    /// Whether its tunnel has the options EXTERNAL and SOURCE.
    tunnel: (bool, bool),
}

impl Large {
    fn inner(&self) -> Vec<u8> {
        let (src, dst) = if self.v6 {
            (format!("[fd00:99::5]:{}", self.port), "[fd00:99::6]:80")
        } else {
            (format!("10.0.0.5:{}", self.port), "10.0.0.6:80")
        };
        let payload: Vec<u8> = (0..251).cycle().step_by(31).take(self.payload).collect();
        let builder = if self.udp {
            FrameBuilder::udp(&src, dst)
        } else {
            FrameBuilder::tcp(&src, dst)
                .flags(self.flags)
                .numbers(self.sequence, 77)
                .tcp_options(&vec![1; self.options * 4])
        };
        builder
            .tos(self.tos)
            .identification(self.id)
            .payload(&payload)
            .build()
    }

    fn tunnel(&self) -> Tunnel {
        let mut tunnel = Tunnel::new("fd00:1:2:101::1", "fd00:1:2:102::1", 5000);
        if self.tunnel.1 {
            tunnel = tunnel.option(reserved::GENEVE_OPTION_SOURCE, &7_u64.to_be_bytes());
        }
        if self.tunnel.0 {
            tunnel = tunnel.external();
        }
        tunnel
    }

    /// As the engine forwards it.
    fn frame(&self, direction: Direction) -> Frame {
        let mut inner = self.inner();
        let parsed = Parsed::parse(&inner).unwrap();
        let (kind, offset) = if self.udp {
            (SegmentKind::Udp, 6)
        } else {
            (SegmentKind::Tcp, 16)
        };
        let l4 = usize::from(parsed.l4);
        let sum = pseudo_header(
            parsed.src.into(),
            parsed.dst.into(),
            parsed.protocol,
            inner.len() - l4,
        );
        let place = l4 + usize::from(offset);
        inner[place..place + 2].copy_from_slice(&sum.to_be_bytes());
        let mut frame = match direction {
            Direction::In => Frame::new(&inner),
            Direction::Out => {
                let mss = self.size.to_be_bytes();
                let tunnel = self.tunnel().option(reserved::GENEVE_OPTION_MSS, &mss);
                Frame::new(&tunnel.wrap(&inner))
            }
        };
        let outer = u16::try_from(frame.len() - inner.len()).unwrap();
        frame.offload = Offload {
            checksum: Checksum::Partial {
                start: outer + parsed.l4,
                offset,
            },
            segment: Some(Segment {
                kind,
                size: self.size,
            }),
        };
        frame
    }

    /// As the receiver gets it where nothing was cut, but for the outer headers.
    fn joined(&self) -> (Vec<u8>, Offload) {
        let frame = self.frame(Direction::In);
        (frame.bytes().to_vec(), frame.offload)
    }
}

fn large() -> impl Strategy<Value = Large> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(push, fin, reduced)| {
        let flag_if = |on, flag| if on { flag } else { 0 };
        flag::ACK | flag_if(push, flag::PSH) | flag_if(fin, flag::FIN) | flag_if(reduced, CWR)
    });
    let ends = (any::<bool>(), any::<bool>(), any::<u16>(), any::<u8>());
    let numbers = (any::<u16>(), any::<u32>(), flags, 0..=10_usize);
    let payload = prop_oneof![Just(0), 1..4_000_usize, 4_000..65_300_usize];
    let size = prop_oneof![40..100_u16, 1_000..9_000_u16];
    (ends, numbers, payload, size, any::<(bool, bool)>()).prop_map(
        |(ends, numbers, payload, size, tunnel)| {
            let (v6, udp, port, tos) = ends;
            let (id, sequence, flags, options) = numbers;
            Large {
                v6,
                udp,
                port,
                tos,
                id,
                sequence,
                flags,
                options,
                payload,
                size,
                tunnel,
            }
        },
    )
}

/// All segments, written some at a time.
fn pieces(direction: Direction, frame: &Frame, most: u16) -> (usize, Vec<Vec<u8>>) {
    let mut cut = Cut::new(direction, frame).unwrap();
    let (count, each, total) = (cut.count(), cut.segment_len(), cut.total_len());
    let mut buffer = vec![0; each * 50 + 60];
    let mut pieces = Vec::new();
    loop {
        let announced = cut.next_len(buffer.len(), most);
        let len = cut.write(&mut buffer, most);
        assert_eq!(len, announced);
        if len == 0 {
            break;
        }
        pieces.extend(buffer[..len].chunks(each).map(<[u8]>::to_vec));
    }
    assert_eq!(pieces.len(), usize::from(count));
    assert_eq!(pieces.iter().map(Vec::len).sum::<usize>(), total);
    (each, pieces)
}

/// Everything that a coalescer makes of receives.
fn receive(coalescer: &mut Coalescer, ends: &TunnelEnds, bytes: &[u8], size: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    coalescer.receive(ends, bytes, size, &mut |frame| frames.push(frame.clone()));
    coalescer.flush(&mut |frame| frames.push(frame.clone()));
    frames
}

/// The inner frame of one from the wire, with its offloads.
fn unwrapped(frame: &Frame) -> (Vec<u8>, Offload) {
    let outer = parse_outer(frame.bytes()).unwrap();
    let mut offload = frame.offload;
    if let Checksum::Partial { start, .. } = &mut offload.checksum {
        *start -= outer.len;
    }
    (frame.bytes()[usize::from(outer.len)..].to_vec(), offload)
}

/// Octets of the Geneve header with its options.
fn geneve_len(datagram: &[u8]) -> usize {
    8 + usize::from(datagram[0] & 0x3f) * 4
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn segments_are_complete(large in large(), most in 1..70_u16) {
        let inner = large.inner();
        let whole = Parsed::parse(&inner).unwrap();
        let upper = if large.udp { 8 } else { 20 + large.options * 4 };
        let payload_at = usize::from(whole.l4) + upper;
        let (_, out) = pieces(Direction::Out, &large.frame(Direction::Out), most);
        let (each, segments) = pieces(Direction::In, &large.frame(Direction::In), most);
        let mut payload = Vec::new();
        for (index, (datagram, segment)) in out.iter().zip(&segments).enumerate() {
            prop_assert_eq!(&datagram[geneve_len(datagram)..], &segment[..]);
            prop_assert_eq!(verify(segment), Ok(()));
            let parsed = Parsed::parse(segment).unwrap();
            prop_assert_eq!((parsed.src, parsed.dst, parsed.tos), (whole.src, whole.dst, whole.tos));
            prop_assert_eq!(usize::try_from(parsed.end).unwrap(), segment.len());
            let last = index + 1 == segments.len();
            prop_assert!(segment.len() == each || last);
            if !large.v6 {
                let id = large.id.wrapping_add(u16::try_from(index).unwrap());
                prop_assert_eq!(&segment[18..20], &id.to_be_bytes());
            }
            if !large.udp {
                let l4 = usize::from(parsed.l4);
                let sequence = large.sequence.wrapping_add(u32::try_from(payload.len()).unwrap());
                prop_assert_eq!(&segment[l4 + 4..l4 + 8], &sequence.to_be_bytes());
                let mut flags = large.flags;
                if index > 0 {
                    flags &= !CWR;
                }
                if !last {
                    flags &= !(flag::PSH | flag::FIN);
                }
                prop_assert_eq!(parsed.tcp_flags, flags);
            }
            payload.extend_from_slice(&segment[payload_at..]);
        }
        prop_assert_eq!(payload, &inner[payload_at..]);
    }

    /// The tunnel of each segment says what the large frame's said, but for the MSS option.
    #[test]
    fn options_are_kept(large in large()) {
        let (_, out) = pieces(Direction::Out, &large.frame(Direction::Out), 64);
        let plain = large.tunnel().wrap(&[]);
        for datagram in &out {
            let len = geneve_len(datagram);
            prop_assert_eq!(&datagram[..len], &plain[CARRIER..CARRIER + len]);
        }
    }

    #[test]
    fn what_was_cut_is_joined(mut large in large()) {
        large.udp = false;
        large.flags &= flag::ACK | flag::PSH;
        let (each, out) = pieces(Direction::Out, &large.frame(Direction::Out), 64);
        let frames = receive(&mut Coalescer::new(), &ENDS, &out.concat(), each);
        prop_assert_eq!(frames.len(), 1);
        let frame = &frames[0];
        if out.len() > 1 {
            prop_assert_eq!(unwrapped(frame), large.joined());
        } else {
            let checked = if large.payload > 0 { Checksum::Verified } else { Checksum::Complete };
            prop_assert_eq!(frame.offload, Offload { checksum: checked, segment: None });
            prop_assert_eq!(&frame.bytes()[CARRIER..], &out[0][..]);
        }
        prop_assert_eq!(parse_outer(frame.bytes()).map(|outer| (outer.src, outer.tos)),
            Ok((ENDS.src.into(), ENDS.tos)));
        let mut complete = frame.clone();
        finish_checksum(Direction::Out, &mut complete).unwrap();
        prop_assert_eq!(complete.offload.segment, None);
        prop_assert_eq!(verify(complete.bytes()), Ok(()));
    }

    /// Whatever comes in whatever order, cutting again what was joined gives what came: nothing is lost, doubled or
    /// changed, and each connection's segments stay in order.
    #[test]
    fn nothing_is_lost_or_overtaken(
        flows in vec(large(), 1..24),
        order in vec((any::<prop::sample::Index>(), 1..6_usize, 0..40_u8), 1..200),
    ) {
        let mut queues: Vec<_> = flows.iter().enumerate().map(|(number, large)| {
            let large = Large {
                port: 1_000 + u16::try_from(number).unwrap(),
                payload: large.payload % 20_000,
                size: large.size.max(500),
                ..large.clone()
            };
            pieces(Direction::Out, &large.frame(Direction::Out), 64).1.into_iter()
        }).collect();
        let mut coalescer = Coalescer::new();
        let (mut came, mut went) = (Vec::new(), Vec::new());
        for (flow, count, event) in order {
            let queue = flow.index(queues.len());
            for mut datagram in queues[queue].by_ref().take(count) {
                match event {
                    // Something is wrong, or lost.
                    0 => if let Some(last) = datagram.last_mut() { *last ^= 1; },
                    1 => continue,
                    _ => {}
                }
                came.push(datagram.clone());
                coalescer.receive(&ENDS, &datagram, 0, &mut |frame| went.push(frame.clone()));
            }
            if event == 2 {
                coalescer.flush(&mut |frame| went.push(frame.clone()));
            }
        }
        coalescer.flush(&mut |frame| went.push(frame.clone()));
        let again = went.iter().flat_map(|frame| match frame.offload.segment {
            Some(_) => pieces(Direction::Out, frame, 64).1,
            None => vec![frame.bytes()[CARRIER..].to_vec()],
        });
        prop_assert_eq!(by_connection(came.clone().into_iter()), by_connection(again));
    }

    #[test]
    fn no_bytes_panic(
        bytes in vec(any::<u8>(), 0..300),
        size in 0..200_usize,
        start in any::<u16>(),
        segment in any::<u16>(),
        udp in any::<bool>(),
    ) {
        let mut frame = Frame::new(&bytes);
        let kind = if udp { SegmentKind::Udp } else { SegmentKind::Tcp };
        let offset = if udp { 6 } else { 16 };
        frame.offload = Offload {
            checksum: Checksum::Partial { start, offset },
            segment: Some(Segment { kind, size: segment }),
        };
        try_all(&frame, &bytes, size);
    }

    #[test]
    fn no_damage_panics(
        large in large(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        len in any::<prop::sample::Index>(),
        size in 0..2_000_usize,
    ) {
        let frame = large.frame(Direction::Out);
        let mut bytes = frame.bytes().to_vec();
        // Where the headers are.
        let headers = bytes.len().min(160);
        for (at, value) in damage {
            bytes[at.index(headers)] = value;
        }
        bytes.truncate(len.index(bytes.len() * 2));
        let mut damaged = Frame::new(&bytes);
        damaged.offload = frame.offload;
        try_all(&damaged, bytes.get(CARRIER..).unwrap_or_default(), size);
    }
}

/// Cuts, completes and joins, whatever it is.
fn try_all(frame: &Frame, datagrams: &[u8], size: usize) {
    for direction in [Direction::Out, Direction::In] {
        let mut buffer = vec![0; 4_096];
        if let Ok(mut cut) = Cut::new(direction, frame) {
            while cut.write(&mut buffer, 7) > 0 {}
        }
        let _ = finish_checksum(direction, &mut frame.clone());
    }
    let mut coalescer = Coalescer::new();
    let frames = receive(&mut coalescer, &ENDS, datagrams, size);
    let octets: usize = frames.iter().map(|frame| frame.len() - CARRIER).sum();
    assert!(octets <= datagrams.len());
    let mut given = 0;
    let mut whole = frame.clone();
    whole.offload = Offload::default();
    for _ in 0..3 {
        coalescer.frame(&mut whole, &mut |_| given += 1);
    }
    coalescer.flush(&mut |_| given += 1);
    assert!((1..=3).contains(&given));
}

/// Datagrams in the order in which they came, connection by connection.
fn by_connection(datagrams: impl Iterator<Item = Vec<u8>>) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut connections: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for datagram in datagrams {
        let parsed = Parsed::parse(&datagram[geneve_len(&datagram)..]).unwrap();
        let name = format!("{} {} {}", parsed.src, parsed.src_port, parsed.protocol);
        connections.entry(name).or_default().push(datagram);
    }
    connections
}

fn plain() -> Large {
    Large {
        v6: false,
        udp: false,
        port: 4_000,
        tos: 0,
        id: 10,
        sequence: u32::MAX - 2_000,
        flags: flag::ACK,
        options: 3,
        payload: 5_000,
        size: 1_000,
        tunnel: (false, false),
    }
}

/// Another parser and another checksum see the same.
#[test]
fn segments_are_right_to_others() {
    for v6 in [false, true] {
        let large = Large { v6, ..plain() };
        for segment in pieces(Direction::In, &large.frame(Direction::In), 64).1 {
            let sliced = SlicedPacket::from_ethernet(&segment).unwrap();
            let Some(etherparse::TransportSlice::Tcp(tcp)) = sliced.transport else {
                panic!("no TCP");
            };
            let expected = match sliced.net {
                Some(etherparse::NetSlice::Ipv4(ip)) => {
                    let header = ip.header().to_header();
                    assert_eq!(header.calc_header_checksum(), header.header_checksum);
                    tcp.calc_checksum_ipv4(header.source, header.destination)
                }
                Some(etherparse::NetSlice::Ipv6(ip)) => {
                    let header = ip.header();
                    tcp.calc_checksum_ipv6(header.source(), header.destination())
                }
                _ => panic!("no IP"),
            };
            assert_eq!(expected, Ok(tcp.checksum()));
        }
    }
}

/// Two segments that follow each other, the second one changed: both must come as they were.
#[test]
fn only_segments_of_one_kind_are_joined() {
    // Offsets in the datagram: Geneve 8, Ethernet 14, IPv4 20, TCP 32.
    let (ip, tcp) = (22, 42);
    let nothing: Fix = |_| {};
    let changes: [(&str, usize, u8, Fix); 16] = [
        ("time to live", ip + 8, 1, fix_ip),
        ("type of service", ip + 1, 4, fix_ip),
        ("identification", ip + 5, 8, fix_ip),
        ("don't fragment", ip + 6, 0x40, fix_ip),
        ("another end", ip + 15, 1, fix_ip),
        ("another port", tcp + 1, 1, nothing),
        ("a gap", tcp + 7, 1, nothing),
        ("acknowledgement", tcp + 11, 1, nothing),
        ("finish", tcp + 13, flag::FIN, nothing),
        ("reset", tcp + 13, flag::RST, nothing),
        ("echo of congestion", tcp + 13, 0x40, nothing),
        ("window reduced", tcp + 13, CWR, nothing),
        ("window", tcp + 14, 1, nothing),
        ("urgent pointer", tcp + 19, 1, nothing),
        ("option", tcp + 21, 1, nothing),
        ("network", 5, 1, nothing),
    ];
    let (each, out) = pieces(Direction::Out, &plain().frame(Direction::Out), 64);
    for (what, at, bits, fix) in changes {
        let mut second = out[1].clone();
        second[at] ^= bits;
        fix(&mut second[ip..]);
        fix_tcp(&mut second[ip..]);
        let frames = receive(
            &mut Coalescer::new(),
            &ENDS,
            &[&out[0][..], &second].concat(),
            each,
        );
        let came: Vec<&[u8]> = frames
            .iter()
            .map(|frame| &frame.bytes()[CARRIER..])
            .collect();
        assert_eq!(came, [&out[0][..], &second[..]], "{what}");
    }
    let mut wrong = out[1].clone();
    wrong[each - 1] ^= 1;
    let frames = receive(
        &mut Coalescer::new(),
        &ENDS,
        &[&out[0][..], &wrong].concat(),
        each,
    );
    let checksums: Vec<Checksum> = frames.iter().map(|frame| frame.offload.checksum).collect();
    assert_eq!(
        checksums,
        [Checksum::Verified, Checksum::Complete],
        "wrong checksum"
    );
}

/// Makes checksums right again after a change.
type Fix = fn(&mut [u8]);

fn fix_ip(packet: &mut [u8]) {
    packet[10..12].fill(0);
    let check = rackweave_wire::checksum::finish(rackweave_wire::checksum::sum(&packet[..20]));
    packet[10..12].copy_from_slice(&check.to_be_bytes());
}

fn fix_tcp(packet: &mut [u8]) {
    use rackweave_wire::checksum::{combine, finish, pseudo_header_v4, sum};
    let (head, segment) = packet.split_at_mut(20);
    let src = head[12..16].try_into().unwrap();
    let dst = head[16..20].try_into().unwrap();
    let pseudo = pseudo_header_v4(src, dst, 6, u16::try_from(segment.len()).unwrap());
    segment[16..18].fill(0);
    let check = finish(combine(pseudo, sum(segment)));
    segment[16..18].copy_from_slice(&check.to_be_bytes());
}

#[test]
fn other_ends_are_not_joined() {
    let (_, out) = pieces(Direction::Out, &plain().frame(Direction::Out), 64);
    let others = [
        TunnelEnds { tos: 3, ..ENDS },
        TunnelEnds {
            src_port: 50_000,
            ..ENDS
        },
        TunnelEnds {
            src: ENDS.dst,
            ..ENDS
        },
    ];
    for other in others {
        let mut coalescer = Coalescer::new();
        let mut count = 0;
        coalescer.receive(&ENDS, &out[0], 0, &mut |_| count += 1);
        coalescer.receive(&other, &out[1], 0, &mut |_| count += 1);
        assert_eq!(count, 1, "what came before goes first");
        coalescer.flush(&mut |_| count += 1);
        assert_eq!(count, 2);
    }
}

/// RFC 6864, section 4.1: what is never fragmented needs no identification of its own.
#[test]
fn identifications_may_stand_still() {
    let (each, mut out) = pieces(Direction::Out, &plain().frame(Direction::Out), 64);
    for datagram in &mut out {
        datagram[26..28].fill(0);
        datagram[28] = 0x40;
        fix_ip(&mut datagram[22..]);
    }
    let frames = receive(&mut Coalescer::new(), &ENDS, &out.concat(), each);
    assert_eq!(frames.len(), 1);
    // Without DF they must count.
    for datagram in &mut out {
        datagram[28] = 0;
        fix_ip(&mut datagram[22..]);
    }
    let frames = receive(&mut Coalescer::new(), &ENDS, &out.concat(), each);
    assert_eq!(frames.len(), out.len());
}

#[test]
fn a_push_is_delivered_at_once() {
    let large = Large {
        flags: flag::ACK | flag::PSH,
        ..plain()
    };
    let (each, out) = pieces(Direction::Out, &large.frame(Direction::Out), 64);
    let mut coalescer = Coalescer::new();
    let mut frames = Vec::new();
    coalescer.receive(&ENDS, &out.concat(), each, &mut |frame| {
        frames.push(frame.clone());
    });
    assert_eq!(frames.len(), 1, "nothing waits for the batch to end");
    assert_eq!(unwrapped(&frames[0]), large.joined());
}

/// The function may keep what it is given.
#[test]
fn frames_may_be_swapped() {
    let (each, out) = pieces(Direction::Out, &plain().frame(Direction::Out), 64);
    let mut coalescer = Coalescer::new();
    let mut frames = Vec::new();
    for _ in 0..3 {
        let mut sink = |frame: &mut Frame| {
            frames.push(std::mem::replace(frame, Frame::with_capacity(0)));
        };
        coalescer.receive(&ENDS, &out.concat(), each, &mut sink);
        coalescer.flush(&mut sink);
    }
    assert_eq!(frames.len(), 3);
    for frame in &frames {
        assert_eq!(unwrapped(frame), plain().joined());
    }
}

/// Frames go the same way as datagrams; what is not joined is passed as it is, not copied.
#[test]
fn frames_are_joined_too() {
    let (_, out) = pieces(Direction::Out, &plain().frame(Direction::Out), 64);
    let mut coalescer = Coalescer::new();
    let mut frames = Vec::new();
    for datagram in &out {
        let inner = &datagram[geneve_len(datagram)..];
        let mut frame = Frame::new(&plain().tunnel().with_checksum().wrap(inner));
        coalescer.frame(&mut frame, &mut |frame| frames.push(frame.clone()));
    }
    coalescer.flush(&mut |frame| frames.push(frame.clone()));
    assert_eq!(frames.len(), 1);
    assert_eq!(unwrapped(&frames[0]), plain().joined());

    let udp = FrameBuilder::udp("10.0.0.5:1", "10.0.0.6:2")
        .payload_len(100)
        .build();
    let mut frame = Frame::new(&plain().tunnel().wrap(&udp));
    let before = frame.bytes().as_ptr();
    let mut after = None;
    coalescer.frame(&mut frame, &mut |frame| {
        after = Some(frame.bytes().as_ptr());
    });
    assert_eq!(after, Some(before));
}

#[test]
fn a_partial_checksum_is_finished() {
    for (direction, udp) in [
        (Direction::Out, false),
        (Direction::In, false),
        (Direction::Out, true),
        (Direction::In, true),
    ] {
        let mut frame = Large { udp, ..plain() }.frame(direction);
        frame.offload.segment = None;
        finish_checksum(direction, &mut frame).unwrap();
        assert_eq!(frame.offload, Offload::default());
        assert_eq!(verify(frame.bytes()), Ok(()));
    }
}

#[test]
fn what_cannot_be_cut_is_refused() {
    let whole = plain().frame(Direction::In);
    let with = |offload: Offload| {
        let mut frame = whole.clone();
        frame.offload = offload;
        Cut::new(Direction::In, &frame).map(|_| ()).unwrap_err()
    };
    let segment = |size| {
        Some(Segment {
            kind: SegmentKind::Tcp,
            size,
        })
    };
    let offload = whole.offload;
    let cases = [
        (
            Offload {
                segment: None,
                ..offload
            },
            CutError::Unsegmented,
        ),
        (
            Offload {
                segment: segment(0),
                ..offload
            },
            CutError::Headers(DropReason::Offload),
        ),
        (
            Offload {
                segment: segment(2),
                ..offload
            },
            CutError::TooMany(2_500),
        ),
        (
            Offload {
                checksum: Checksum::Complete,
                ..offload
            },
            CutError::Headers(DropReason::Offload),
        ),
    ];
    for (offload, error) in cases {
        assert_eq!(with(offload), error);
    }
    let out = Cut::new(Direction::Out, &whole).map(|_| ()).unwrap_err();
    assert_eq!(out, CutError::Headers(DropReason::NotGeneve));
}
