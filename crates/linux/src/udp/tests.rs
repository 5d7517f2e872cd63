//! Queues that talk over the loopback of a namespace of their own.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::netlink::{LinkSettings, Netlink};
use crate::netns::Netns;
use crate::testing::root;

const HERE: Ipv6Addr = Ipv6Addr::LOCALHOST;
/// The longest payload of a packet of loopback's MTU, 65,536.
const LOOPBACK_FITS: usize = 65_536 - 40 - 8;

/// A queue in a namespace with nothing but a loopback of this MTU.
fn queue(mtu: u32) -> Option<(Netns, UdpQueue)> {
    if !root("a test of the udp underlay") {
        return None;
    }
    let netns = Netns::temporary("rwt-udp").unwrap();
    let queue = netns.run_in(|| {
        let up = LinkSettings {
            mtu: Some(mtu),
            up: Some(true),
            ..LinkSettings::default()
        };
        Netlink::open().unwrap().ensure_link("lo", &up).unwrap();
        UdpQueue::open(&UdpSettings::new(HERE)).unwrap()
    });
    Some((netns, queue.unwrap()))
}

fn target(source_port: u16, traffic_class: u8) -> Target {
    Target {
        to: HERE,
        source_port,
        traffic_class,
    }
}

/// One datagram as it arrived: its source port and its traffic class.
type Flow = (u16, u8);

/// All that waits, by flow, each in order of arrival; loopback delivers before the send returns.
fn drain(queue: &mut UdpQueue) -> BTreeMap<Flow, Vec<Vec<u8>>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    loop {
        let count = queue.receive().unwrap();
        if count == 0 {
            return found;
        }
        for received in (0..count).filter_map(|index| queue.received(index)) {
            assert_eq!(received.from, HERE);
            let flow = (received.source_port, received.traffic_class);
            let datagrams = received.datagrams().map(<[u8]>::to_vec);
            found.entry(flow).or_default().extend(datagrams);
        }
    }
}

#[derive(Clone, Debug)]
struct Payload {
    source_port: u16,
    class: u8,
    len: usize,
    segment: Option<u16>,
    at_once: bool,
}

fn payload() -> impl Strategy<Value = Payload> {
    let len = prop_oneof![3 => 1..200_usize, 3 => Just(64), 1 => 1..66_000_usize];
    let segment = prop_oneof![3 => Just(None), 1 => (100..9_000_u16).prop_map(Some)];
    let class = prop_oneof![Just(0), Just(0xb9)];
    (0..4_u16, class, len, segment, any::<bool>()).prop_map(
        |(source_port, class, len, segment, at_once)| Payload {
            source_port,
            class,
            len,
            segment,
            at_once: at_once && segment.is_some(),
        },
    )
}

/// Octets that differ between payloads and inside each.
fn content(number: usize, len: usize) -> Vec<u8> {
    let octet = |at: usize| u8::try_from((at + number * 7) % 251).unwrap();
    (0..len).map(octet).collect()
}

#[test]
fn each_flow_arrives_whole_and_in_order() {
    let Some((netns, first)) = queue(65_536) else {
        return;
    };
    drop(first);
    let strategy = prop::collection::vec(payload(), 1..30);
    let mut runner = TestRunner::new(Config::with_cases(64));
    let test = |payloads: Vec<Payload>| {
        let opened = netns.run_in(|| UdpQueue::open(&UdpSettings::new(HERE)));
        carries(&mut opened.unwrap().unwrap(), &payloads);
        Ok(())
    };
    runner.run(&strategy, test).unwrap();
}

fn carries(queue: &mut UdpQueue, payloads: &[Payload]) {
    let ports = queue.source_ports().unwrap();
    let mut too_long = 0;
    let mut sent = BTreeMap::<Flow, Vec<Vec<u8>>>::new();
    for (number, payload) in payloads.iter().enumerate() {
        let bytes = content(number, payload.len);
        let target = target(payload.source_port, payload.class);
        if payload.at_once {
            let (head, tail) = bytes.split_at(bytes.len() / 3);
            let pieces = [IoSlice::new(head), IoSlice::new(tail)];
            queue.send_pieces(&target, &pieces, payload.segment);
        } else {
            queue.send(&target, &bytes, payload.segment);
        }
        let size = payload.segment.map_or(bytes.len(), usize::from);
        if size.min(bytes.len()) > LOOPBACK_FITS {
            too_long += 1;
            continue;
        }
        let port = ports[usize::from(payload.source_port) % ports.len()];
        let datagrams = bytes.chunks(size).map(<[u8]>::to_vec);
        sent.entry((port, payload.class))
            .or_default()
            .extend(datagrams);
    }
    queue.flush();
    let expected = UdpLosses {
        too_long,
        ..UdpLosses::default()
    };
    assert_eq!(queue.losses(), expected);
    assert!(drain(queue) == sent, "what arrives is what was sent");
}

#[test]
fn small_payloads_leave_joined() {
    let Some((_netns, mut queue)) = queue(65_536) else {
        return;
    };
    for number in 0..20 {
        queue.send(&target(number % 2, 0), &[1; 64], None);
    }
    queue.send(&target(0, 0), &[2; 30], None);
    queue.flush();
    assert_eq!(queue.receive().unwrap(), 2);
    let lengths = [0, 1].map(|index| queue.received(index).unwrap().bytes.len());
    assert_eq!(lengths, [10 * 64 + 30, 10 * 64]);
    assert_eq!(queue.received(0).unwrap().segment, 64);
    assert!(queue.received(2).is_none());
}

#[test]
fn nothing_is_fragmented() {
    let Some((_netns, mut queue)) = queue(1500) else {
        return;
    };
    let fits = 1500 - 40 - 8;
    queue.send(&target(1, 0), &vec![0; fits], None);
    queue.send(&target(2, 0), &vec![0; fits + 1], None);
    queue.send(
        &target(3, 0),
        &vec![0; 4 * fits],
        Some(u16::try_from(fits).unwrap()),
    );
    queue.send(
        &target(4, 0),
        &vec![0; 3 * (fits + 1)],
        Some(u16::try_from(fits + 1).unwrap()),
    );
    queue.flush();
    assert_eq!(queue.losses().too_long, 1 + 3);
    let lengths = drain(&mut queue)
        .into_values()
        .flatten()
        .map(|datagram| datagram.len());
    assert_eq!(lengths.collect::<Vec<_>>(), [fits; 5]);
}

#[test]
fn one_loss_takes_no_other_with_it() {
    let Some((_netns, mut queue)) = queue(1500) else {
        return;
    };
    let away = Target {
        to: "fd00::1".parse().unwrap(),
        ..target(0, 0)
    };
    // All on one socket; the short ones behind the long ones join them first.
    for len in [1400, 1453, 1452, 1454, 1454, 100] {
        queue.send(&target(0, 0), &vec![0; len], None);
        queue.send(&away, &[0; 10], None);
    }
    queue.send(&target(0, 0), &[0; 90], None);
    for len in [1453, 1453, 80] {
        queue.send(&target(0, 0), &vec![0; len], None);
    }
    queue.flush();
    let losses = queue.losses();
    assert_eq!((losses.too_long, losses.unreachable), (5, 6));
    let arrived = drain(&mut queue).into_values().flatten();
    let lengths = arrived.map(|datagram| datagram.len()).collect::<Vec<_>>();
    assert_eq!(lengths, [1400, 1452, 100, 90, 80]);
}

#[test]
fn losses_are_counted_by_name() {
    let Some((netns, mut queue)) = queue(65_536) else {
        return;
    };
    let away = Target {
        to: "fd00::1".parse().unwrap(),
        ..target(0, 0)
    };
    queue.send(&away, &[0; 10], None);
    queue.flush();
    assert_eq!(queue.losses().unreachable, 1);
    let small = UdpSettings {
        buffer: 20_000,
        ..UdpSettings::new(HERE)
    };
    drop(queue);
    let mut queue = netns.run_in(|| UdpQueue::open(&small).unwrap()).unwrap();
    for _ in 0..100 {
        queue.send(&target(0, 0), &[0; 1000], None);
        queue.flush();
    }
    let arrived = u64::try_from(drain(&mut queue).into_values().flatten().count()).unwrap();
    // The kernel tells of lost ones with the next that it delivers.
    queue.send(&target(0, 0), &[0; 1000], None);
    queue.flush();
    assert_eq!(drain(&mut queue).into_values().flatten().count(), 1);
    assert_eq!(arrived + queue.losses().overflow, 100);
    assert!(queue.losses().overflow > 0);
}
