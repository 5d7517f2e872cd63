//! Frames in both directions, in every layout and with every agreement.

use std::num::NonZeroU16;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rackweave_guest::vhost_user::driver::{DriverSettings, Layout};
use rackweave_guest::vhost_user::{Features, VhostQueue};
use rackweave_guest::{Offloads, Sent};
use rackweave_wire::virtio_net::{Checksum, Gso, GsoKind, NetHeader};

use crate::{Bench, frame};

fn large(size: u16) -> NetHeader {
    NetHeader {
        checksum: Checksum::Needed {
            start: 34,
            offset: 16,
        },
        gso: Some(Gso {
            kind: GsoKind::TcpV4,
            hdr_len: 54,
            size: NonZeroU16::new(size).unwrap(),
            ecn: false,
            tunnel: None,
        }),
        num_buffers: 1,
    }
}

#[test]
fn frames_pass_in_both_directions_in_every_layout() {
    let old = Features::GUEST.without(Features::MRG_RXBUF | Features::VERSION_1);
    let layouts = [Layout::Together, Layout::HeaderApart, Layout::Indirect];
    let features = [
        Features::GUEST,
        Features::GUEST.without(Features::EVENT_IDX),
        Features::PLAIN,
        old,
    ];
    for (layout, features) in layouts.into_iter().flat_map(|l| features.map(|f| (l, f))) {
        let mut bench = Bench::new(1);
        let mut driver = bench.connect(&DriverSettings {
            features,
            layout,
            size: 32,
            ..DriverSettings::default()
        });
        assert_eq!(driver.features(), features.without(Features::MQ));
        // More than the rings hold, so that every index wraps around.
        for number in 0..200 {
            let len = 14 + 6 * usize::from(number);
            let bytes = frame(len, number);
            assert!(driver.send(0, &NetHeader::default(), &bytes));
            let (header, got) = bench.next(0).unwrap();
            assert_eq!(
                (header.checksum, got),
                (Checksum::None, bytes),
                "{layout:?} {features:?}"
            );
            assert!(bench.next(0).is_none());

            let bytes = frame(len, !number);
            let sent = bench.queues[0].send(&NetHeader::default(), &bytes);
            assert_eq!(sent, Sent::Taken);
            assert!(driver.receive(0).is_none(), "published before the flush");
            bench.queues[0].flush();
            let (_, got) = driver.receive(0).unwrap();
            assert_eq!(got, bytes, "{layout:?} {features:?}");
        }
        assert_eq!(bench.queues[0].claims().total(), 0);
    }
}

#[test]
fn large_segments_pass_whole() {
    let mut bench = Bench::new(1);
    let mut driver = bench.connect(&DriverSettings::default());
    let bytes = frame(65_000, 1);
    assert!(driver.send(0, &large(1448), &bytes));
    let (header, got) = bench.next(0).unwrap();
    assert_eq!(
        (header.checksum, header.gso),
        (large(1448).checksum, large(1448).gso)
    );
    assert_eq!(got, bytes);

    assert_eq!(bench.queues[0].send(&large(1400), &bytes), Sent::Taken);
    bench.queues[0].flush();
    let (header, got) = driver.receive(0).unwrap();
    assert_eq!(header.num_buffers, 32);
    assert_eq!((header.gso, got), (large(1400).gso, bytes));
}

#[test]
fn a_guest_gets_only_what_it_takes() {
    let mut bench = Bench::new(1);
    let mut driver = bench.connect(&DriverSettings {
        features: Features::PLAIN,
        ..DriverSettings::default()
    });
    assert_eq!(bench.queues[0].offloads(), Offloads::default());
    assert_eq!(
        bench.queues[0].send(&large(1400), &frame(3000, 1)),
        Sent::Unsendable
    );

    let mut bytes = frame(60, 0);
    bytes[50..52].fill(0);
    let needed = NetHeader {
        checksum: large(1400).checksum,
        ..NetHeader::default()
    };
    assert_eq!(bench.queues[0].send(&needed, &bytes), Sent::Taken);
    bench.queues[0].flush();
    let (header, got) = driver.receive(0).unwrap();
    assert_eq!(header.checksum, Checksum::None);
    assert_eq!(rackweave_wire::checksum::sum(&got[34..]), 0xffff);
}

#[test]
fn a_full_ring_loses_frames_and_says_so() {
    let mut bench = Bench::new(1);
    let mut driver = bench.connect(&DriverSettings {
        size: 16,
        ..DriverSettings::default()
    });
    let sent: Vec<_> = (0..20)
        .map(|number| bench.queues[0].send(&NetHeader::default(), &frame(100, number)))
        .collect();
    assert!(sent[..16].iter().all(|sent| *sent == Sent::Taken));
    assert!(sent[16..].iter().all(|sent| *sent == Sent::Full));
    bench.queues[0].flush();
    for number in 0..16 {
        assert_eq!(driver.receive(0).unwrap().1, frame(100, number));
    }
    assert!(driver.receive(0).is_none());
}

/// Whether the worker would wake up.
fn wakes(queue: &VhostQueue) -> bool {
    let mut fds = [PollFd::new(queue.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).unwrap() == 1
}

#[test]
fn a_sleeping_worker_is_told_and_a_waking_one_is_not() {
    for features in [
        Features::GUEST,
        Features::GUEST.without(Features::EVENT_IDX),
    ] {
        let mut bench = Bench::new(1);
        let mut driver = bench.connect(&DriverSettings {
            features,
            ..DriverSettings::default()
        });
        assert!(!bench.queues[0].arm());
        driver.queue(0).unwrap().kicks().unwrap();
        assert!(!wakes(&bench.queues[0]));

        assert!(driver.send(0, &NetHeader::default(), &frame(60, 0)));
        assert!(wakes(&bench.queues[0]), "{features:?}");
        bench.queues[0].disarm();
        for number in 1..10 {
            assert!(driver.send(0, &NetHeader::default(), &frame(60, number)));
        }
        let kicks = driver.queue(0).unwrap().kicks().unwrap();
        assert_eq!(kicks, 1, "{features:?}");
        // What came meanwhile is seen when the worker wants to sleep, whether or not it was told.
        assert!(bench.queues[0].arm());
        while bench.next(0).is_some() {}
        assert!(!bench.queues[0].arm());
        assert!(!wakes(&bench.queues[0]));
    }
}

#[test]
fn a_guest_is_interrupted_once_for_a_batch_and_only_if_it_wants() {
    let mut bench = Bench::new(1);
    let mut driver = bench.connect(&DriverSettings::default());
    driver.queue(0).unwrap().calls().unwrap();
    driver.want_call(0);
    for number in 0..5 {
        bench.queues[0].send(&NetHeader::default(), &frame(60, number));
    }
    bench.queues[0].flush();
    assert_eq!(driver.queue(0).unwrap().calls().unwrap(), 1);
    bench.queues[0].send(&NetHeader::default(), &frame(60, 5));
    bench.queues[0].flush();
    assert_eq!(driver.queue(0).unwrap().calls().unwrap(), 0);
    while driver.receive(0).is_some() {}
    driver.want_call(0);
    bench.queues[0].send(&NetHeader::default(), &frame(60, 6));
    bench.queues[0].flush();
    assert_eq!(driver.queue(0).unwrap().calls().unwrap(), 1);
}

#[test]
fn queue_pairs_are_apart() {
    let mut bench = Bench::new(4);
    let mut driver = bench.connect(&DriverSettings {
        queues: 4,
        ..DriverSettings::default()
    });
    for pair in 0..4 {
        assert!(driver.send(pair, &NetHeader::default(), &frame(100, 7)));
        let pair = usize::from(pair);
        let got: Vec<_> = (0..4).map(|pair| bench.next(pair).is_some()).collect();
        assert!(got[pair] && got.iter().filter(|got| **got).count() == 1);
        assert!(bench.queues[pair].is_running());
    }
}
