//! Machines and processes that come and go.

use rackweave_guest::Sent;
use rackweave_guest::vhost_user::driver::DriverSettings;
use rackweave_guest::vhost_user::{Device, DeviceError, Features};
use rackweave_wire::virtio_net::NetHeader;

use crate::{Bench, frame, settings};

#[test]
fn rings_go_on_where_a_lost_process_left_them() {
    let mut bench = Bench::new(1);
    let mut driver = bench.connect(&DriverSettings::default());
    for number in 0..10 {
        assert!(driver.send(0, &NetHeader::default(), &frame(100, number)));
    }
    for number in 0..4 {
        assert_eq!(bench.next(0).unwrap().1, frame(100, number));
    }
    bench.queues[0].flush();
    // Taken and not given back when the process ends: it comes again.
    assert_eq!(bench.next(0).unwrap().1, frame(100, 4));
    bench.restart();
    bench.join(&mut driver).unwrap();
    for number in 4..10 {
        assert_eq!(bench.next(0).unwrap().1, frame(100, number));
    }
    assert!(bench.next(0).is_none());
    for number in 0..100 {
        assert!(driver.send(0, &NetHeader::default(), &frame(100, number)));
        assert_eq!(bench.next(0).unwrap().1, frame(100, number));
        assert_eq!(
            bench.queues[0].send(&NetHeader::default(), &frame(100, number)),
            Sent::Taken
        );
        bench.queues[0].flush();
        assert_eq!(driver.receive(0).unwrap().1, frame(100, number));
        bench.next(0);
    }
    assert_eq!(bench.queues[0].claims().total(), 0);
}

#[test]
fn machines_come_and_go_as_they_like() {
    let mut bench = Bench::new(2);
    let mut driver = bench.connect(&DriverSettings {
        queues: 2,
        ..DriverSettings::default()
    });
    for number in 0..5 {
        driver.leave();
        bench.until("the machine has left", |bench| {
            !bench.device.status().connected
        });
        assert!(!bench.queues[0].is_running());
        assert_eq!(
            bench.queues[0].send(&NetHeader::default(), &frame(60, number)),
            Sent::Full
        );
        // What the guest sends meanwhile waits for the device.
        assert!(driver.send(1, &NetHeader::default(), &frame(60, number)));
        bench.join(&mut driver).unwrap();
        assert_eq!(bench.next(1).unwrap().1, frame(60, number));
        bench.next(1);
    }
    assert_eq!(bench.device.status().connections, 6);
    assert_eq!(bench.device.status().protocol_errors, 0);

    // Another machine, with memory of its own.
    drop(driver);
    let mut other = bench.connect(&DriverSettings::default());
    assert!(other.send(0, &NetHeader::default(), &frame(60, 9)));
    assert_eq!(bench.next(0).unwrap().1, frame(60, 9));
}

#[test]
fn a_stopped_ring_says_where_it_stands() {
    let mut bench = Bench::new(1);
    let mut driver = bench.connect(&DriverSettings::default());
    for number in 0..7 {
        driver.send(0, &NetHeader::default(), &frame(60, number));
    }
    for _ in 0..3 {
        bench.next(0).unwrap();
    }
    let stands = bench.while_working(|| driver.stop(1)).unwrap();
    assert_eq!(stands, 3);
    assert!(bench.next(0).is_none());
    driver.leave();
    bench.join(&mut driver).unwrap();
    assert_eq!(bench.next(0).unwrap().1, frame(60, 3));
}

#[test]
fn a_socket_is_taken_over_only_from_the_dead() {
    let mut bench = Bench::new(1);
    let again = settings(&bench.socket, 1, Features::GUEST);
    let error = Device::listen(&again).unwrap_err();
    assert!(matches!(error, DeviceError::InUse { .. }), "{error}");
    bench.until("the question has been answered", |bench| {
        !bench.device.status().connected
    });

    // A process that was killed leaves its socket behind.
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join("left.sock");
    drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
    assert!(left.exists());
    let (device, _queues) = Device::listen(&settings(&left, 1, Features::GUEST)).unwrap();
    drop(device);
    assert!(!left.exists());

    std::fs::write(&left, "no socket").unwrap();
    let error = Device::listen(&settings(&left, 1, Features::GUEST)).unwrap_err();
    assert!(matches!(error, DeviceError::NoSocket { .. }), "{error}");
    let nowhere = folder.path().join("none/guest.sock");
    let error = Device::listen(&settings(&nowhere, 1, Features::GUEST)).unwrap_err();
    assert!(
        error.to_string().contains("does its folder exist"),
        "{error}"
    );
    let error = Device::listen(&settings(&nowhere, 0, Features::GUEST)).unwrap_err();
    assert!(matches!(error, DeviceError::Queues { asked: 0 }), "{error}");
}
