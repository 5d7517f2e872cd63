//! The ways to the underlay, each against each.

use std::net::{SocketAddr, UdpSocket};

use crate::pair::{
    CLASS, DEADLINE, Host, INNER, OUTER, PEER_MAC, TAP, TAP_MAC, frame, geneve, pair, tunnel, until,
};
use rackweave_linux::tap::{FRAME_MAX, TapLosses, TapQueue, remove};
use rackweave_linux::udp::{Target, UdpLosses, UdpQueue};
use rackweave_types::reserved::GENEVE_PORT;
use rackweave_wire::ethernet::EthernetView;
use rackweave_wire::ipv6::Ipv6View;
use rackweave_wire::udp::UdpView;
use rackweave_wire::virtio_net::{GsoKind, NetHeader};

/// A source port that the flow's hash might have chosen.
const SOURCE_PORT: u16 = 50_001;
/// A large send of a guest, and its segment size.
const LARGE: usize = 60_000;
const MSS: u16 = 1400;

/// The next Geneve frame; what the host says for itself is passed over.
fn next_frame(queue: &mut TapQueue) -> (NetHeader, Vec<u8>) {
    until(queue, |queue| {
        let (mut header, mut room) = (NetHeader::default(), vec![0; FRAME_MAX]);
        let len = queue.receive(&mut header, &mut room).unwrap()?;
        room.truncate(len);
        let udp = room.get(14 + 40..)?;
        let ours = room[12..14] == [0x86, 0xdd]
            && room[20] == 17
            && udp[2..4] == GENEVE_PORT.to_be_bytes();
        ours.then_some((header, room))
    })
}

/// The payload of a frame, whose headers must be what a host makes of those that [`frame`] wrote.
fn payload<'a>(frame: &'a [u8], from: &Host, to: &Host) -> &'a [u8] {
    let ethernet = EthernetView::parse(frame).unwrap();
    assert_eq!((ethernet.dst(), ethernet.src()), (PEER_MAC, TAP_MAC));
    let ip = Ipv6View::parse(ethernet.payload()).unwrap();
    assert_eq!((ip.src(), ip.dst()), (from.end_point, to.end_point));
    assert_eq!(frame[14 + 1] >> 4 | frame[14] << 4, CLASS);
    UdpView::parse(ip.payload()).unwrap().payload()
}

/// The next datagrams: their common source port and segment size, and the payloads behind each other.
fn next_datagrams(queue: &mut UdpQueue, from: &Host) -> (u16, u16, Vec<u8>) {
    until(queue, |queue| {
        let count = queue.receive().unwrap();
        assert!(count <= 1, "one after the other");
        let received = queue.received(0)?;
        assert_eq!(
            (received.from, received.traffic_class),
            (from.end_point, CLASS)
        );
        Some((
            received.source_port,
            received.segment,
            received.bytes.to_vec(),
        ))
    })
}

fn target(to: &Host) -> Target {
    Target {
        to: to.end_point,
        source_port: SOURCE_PORT,
        traffic_class: CLASS,
    }
}

/// Geneve packets of a size that is a multiple of the segments'.
fn segments(count: usize, size: u16) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.extend(geneve(usize::from(size) - INNER));
    }
    all
}

#[test]
fn superframes_pass_whole_between_taps() {
    let Some([a, b]) = pair("superframes_pass_whole_between_taps") else {
        return;
    };
    let (mut here, mut there) = (a.tap(), b.tap());
    let geneve = geneve(LARGE);
    assert!(here.send(&tunnel(MSS), &frame(&a, &b, SOURCE_PORT, &geneve)));
    let (header, received) = next_frame(&mut there);
    assert_eq!(header, tunnel(MSS));
    assert!(payload(&received, &a, &b) == geneve, "octet for octet");
    assert_eq!(here.losses(), TapLosses::default());
    // And in the other direction, a small one that nobody computed a checksum of.
    let small = frame(&b, &a, SOURCE_PORT, b"small");
    assert!(there.send(&NetHeader::default(), &small));
    there.flush();
    let (header, received) = next_frame(&mut here);
    assert_eq!(
        (header, payload(&received, &b, &a)),
        (NetHeader::default(), &b"small"[..])
    );
}

#[test]
fn superframes_reach_a_socket_as_one_datagram() {
    let Some([a, b]) = pair("superframes_reach_a_socket_as_one_datagram") else {
        return;
    };
    let (mut here, mut there) = (a.tap(), b.udp());
    let geneve = geneve(LARGE);
    assert!(here.send(&tunnel(MSS), &frame(&a, &b, SOURCE_PORT, &geneve)));
    let (source_port, segment, received) = next_datagrams(&mut there, &a);
    assert_eq!(
        (source_port, usize::from(segment)),
        (SOURCE_PORT, geneve.len())
    );
    assert!(received == geneve, "octet for octet");
    assert!(here.send(&NetHeader::default(), &frame(&a, &b, SOURCE_PORT, b"small")));
    here.flush();
    assert_eq!(next_datagrams(&mut there, &a).2, b"small");
    assert_eq!(there.losses(), UdpLosses::default());
}

#[test]
fn small_frames_leave_a_tap_joined() {
    let Some([a, b]) = pair("small_frames_leave_a_tap_joined") else {
        return;
    };
    let (mut here, mut there) = (a.tap(), b.udp());
    let send = |here: &mut TapQueue| {
        let other = frame(&a, &b, SOURCE_PORT + 1, &[7; 100]);
        for octet in 0..20 {
            let small = frame(&a, &b, SOURCE_PORT, &[octet; 100]);
            assert!(here.send(&NetHeader::default(), &small));
            if octet < 2 {
                assert!(here.send(&NetHeader::default(), &other));
            }
        }
        assert!(here.send(&NetHeader::default(), &frame(&a, &b, SOURCE_PORT, b"last")));
        here.flush();
    };
    let mut sent = (0..20).flat_map(|octet| [octet; 100]).collect::<Vec<_>>();
    sent.extend(b"last");
    send(&mut here);
    let mut received = Vec::new();
    until(&mut there, |there| {
        let count = there.receive().unwrap();
        for it in (0..count).filter_map(|index| there.received(index)) {
            received.push((it.source_port, it.segment, it.bytes.to_vec()));
        }
        (received.len() >= 2).then_some(())
    });
    let other = (SOURCE_PORT + 1, 100, vec![7; 200]);
    assert!(received == [(SOURCE_PORT, 100, sent.clone()), other]);
    drop(there);
    let mut there = b.tap();
    send(&mut here);
    for wanted in [&sent[..], &[7; 200]] {
        let (header, joined) = next_frame(&mut there);
        let gso = header.gso.unwrap();
        assert_eq!((gso.kind, gso.size.get()), (GsoKind::UdpL4, 100));
        assert!(payload(&joined, &a, &b) == wanted, "octet for octet");
    }
    assert_eq!(here.losses(), TapLosses::default());
}

#[test]
fn segmented_sends_reach_a_tap_joined() {
    let Some([a, b]) = pair("segmented_sends_reach_a_tap_joined") else {
        return;
    };
    let (mut here, mut there) = (a.udp(), b.tap());
    let sent = segments(30, MSS);
    here.send(&target(&b), &sent, Some(MSS));
    here.flush();
    let (header, received) = next_frame(&mut there);
    let gso = header.gso.unwrap();
    assert_eq!(
        (gso.kind, gso.size.get(), gso.tunnel),
        (GsoKind::UdpL4, MSS, None)
    );
    assert!(payload(&received, &a, &b) == sent, "octet for octet");
    assert_eq!(received.len(), OUTER + sent.len());
    here.send(&target(&b), b"small", None);
    here.flush();
    let (header, received) = next_frame(&mut there);
    assert_eq!(
        (header.gso, payload(&received, &a, &b)),
        (None, &b"small"[..])
    );
    assert_eq!(here.losses(), UdpLosses::default());
}

#[test]
fn segmented_sends_reach_a_socket_joined() {
    let Some([a, b]) = pair("segmented_sends_reach_a_socket_joined") else {
        return;
    };
    let (mut here, mut there) = (a.udp(), b.udp());
    let sent = segments(30, MSS);
    here.send(&target(&b), &sent, Some(MSS));
    here.flush();
    let (source_port, segment, received) = next_datagrams(&mut there, &a);
    let ports = here.source_ports().unwrap();
    assert_eq!(source_port, ports[usize::from(SOURCE_PORT) % ports.len()]);
    assert_eq!(segment, MSS);
    assert!(received == sent, "octet for octet");
}

#[test]
fn what_is_too_long_is_counted_or_lost_but_never_cut() {
    let Some([a, b]) = pair("what_is_too_long_is_counted_or_lost_but_never_cut") else {
        return;
    };
    let (mut tap, mut udp, mut there) = (a.tap(), a.udp(), b.udp());
    // 9,000 octets are the limit: 48 of them outer headers, then Geneve and all that is inside it.
    let fits = 9000 - 48;
    let size = u16::try_from(fits - INNER).unwrap();
    let large = frame(&a, &b, SOURCE_PORT, &geneve(LARGE));
    assert!(tap.send(&tunnel(size + 1), &large));
    assert!(tap.send(
        &NetHeader::default(),
        &frame(&a, &b, SOURCE_PORT, &vec![0; fits + 1])
    ));
    udp.send(&target(&b), &vec![0; fits + 1], None);
    udp.flush();
    assert_eq!(udp.losses().too_long, 1);
    assert!(tap.send(&tunnel(size), &large));
    assert_eq!(
        next_datagrams(&mut there, &a).2.len(),
        INNER + LARGE,
        "the first that fits"
    );
}

#[test]
fn a_tap_that_is_opened_again_goes_on() {
    let Some([a, b]) = pair("a_tap_that_is_opened_again_goes_on") else {
        return;
    };
    let (mut here, there) = (a.tap(), b.tap());
    drop(there);
    // What comes meanwhile is lost.
    let small = frame(&a, &b, SOURCE_PORT, b"small");
    assert!(here.send(&NetHeader::default(), &small));
    here.flush();
    let open = || TapQueue::open(TAP, 1).unwrap();
    let mut there = b.netns.run_in(open).unwrap().pop().unwrap();
    assert!(b.netlink.wait_for_link(TAP, DEADLINE).unwrap());
    let again = frame(&a, &b, SOURCE_PORT, b"again");
    assert!(here.send(&NetHeader::default(), &again));
    here.flush();
    assert_eq!(payload(&next_frame(&mut there).1, &a, &b), b"again");
}

#[test]
fn answers_come_to_the_queue_that_sent() {
    let Some([a, b]) = pair("answers_come_to_the_queue_that_sent") else {
        return;
    };
    let mut here = a.tap();
    let mut there = b.taps(2);
    for port in 0..16 {
        let queue = usize::from(port % 2);
        let source_port = SOURCE_PORT + port;
        let question = frame(&b, &a, source_port, b"question");
        assert!(there[queue].send(&NetHeader::default(), &question));
        there[queue].flush();
        assert!(next_frame(&mut here).1.ends_with(b"question"));
        let answer = frame(&a, &b, source_port, b"answer");
        assert!(here.send(&NetHeader::default(), &answer));
        here.flush();
        assert!(
            next_frame(&mut there[queue]).1.ends_with(b"answer"),
            "{port}"
        );
    }
}

#[test]
fn the_hosts_own_traffic_stays_its_own() {
    let Some([a, b]) = pair("the_hosts_own_traffic_stays_its_own") else {
        return;
    };
    let mut tap = b.tap();
    let other_port = SocketAddr::from((b.end_point, 7000));
    let socket = b
        .netns
        .run_in(|| UdpSocket::bind(other_port).unwrap())
        .unwrap();
    socket.set_nonblocking(true).unwrap();
    let send = |to| {
        let socket = UdpSocket::bind((a.end_point, 0)).unwrap();
        socket.send_to(b"hello", to).unwrap();
    };
    a.netns.run_in(|| send(other_port)).unwrap();
    let mut socket = socket;
    let mut room = [0; 100];
    assert_eq!(until(&mut socket, |socket| socket.recv(&mut room).ok()), 5);
    let geneve_port = SocketAddr::from((b.end_point, GENEVE_PORT));
    a.netns.run_in(|| send(geneve_port)).unwrap();
    assert!(next_frame(&mut tap).1.ends_with(b"hello"));
    // The way back to sockets.
    b.netns.run_in(|| remove(TAP).unwrap()).unwrap();
    drop(tap);
    let mut udp = b.udp();
    a.udp()
        .send_pieces(&target(&b), &[std::io::IoSlice::new(b"hello")], None);
    assert_eq!(next_datagrams(&mut udp, &a).2, b"hello");
}
