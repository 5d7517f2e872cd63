use std::time::Duration;

use super::*;
use crate::poll::{Events, Poller};

const LOOPBACK: StampSettings = StampSettings {
    link: Some(1),
    address: Ipv6Addr::LOCALHOST,
    port: 0,
    hop_limit: 255,
    departures: true,
};

/// Waits until the socket has something.
fn wait(socket: &StampedSocket) {
    let (poller, mut events) = (Poller::new().unwrap(), Events::with_capacity(1));
    poller.add(socket, 0).unwrap();
    poller
        .wait(&mut events, Some(Duration::from_secs(5)))
        .unwrap();
    assert!(!events.is_empty());
}

#[test]
fn what_leaves_and_arrives_is_stamped() {
    let mut from = StampedSocket::open(LOOPBACK).unwrap();
    let to = StampedSocket::open(LOOPBACK).unwrap();
    let (ours, theirs) = (from.port().unwrap(), to.port().unwrap());
    let before = Stamp::now();
    for tag in [7, 1 << 40] {
        let bytes = [3; 48];
        from.send(Ipv6Addr::LOCALHOST, theirs, &bytes, tag).unwrap();
    }
    wait(&to);
    let mut batch = Batch::new();
    assert_eq!(to.receive(&mut batch).unwrap(), 2);
    assert!(!batch.is_full());
    let mut arrived = Vec::new();
    for arrival in batch.arrivals() {
        assert_eq!((arrival.port, arrival.hop_limit), (ours, 255));
        assert_eq!(arrival.bytes, [3; 48]);
        arrived.push(arrival.at.unwrap());
    }
    assert_eq!(from.departed(&mut batch).unwrap(), 2);
    let left: Vec<Departure> = from.departures(&batch).collect();
    assert_eq!((left[0].tag, left[1].tag), (7, 1 << 40));
    let after = Stamp::now();
    for (departure, arrived) in left.iter().zip(&arrived) {
        assert!(before <= departure.at && departure.at <= *arrived && *arrived <= after);
    }
    assert_eq!(to.receive(&mut batch).unwrap(), 0);
}

#[test]
fn a_send_that_fails_does_not_confuse_the_tags() {
    let mut from = StampedSocket::open(LOOPBACK).unwrap();
    let to = StampedSocket::open(LOOPBACK).unwrap();
    let port = to.port().unwrap();
    from.send(Ipv6Addr::LOCALHOST, port, &[1], 1).unwrap();
    // Nothing leads from loopback's address on loopback to another machine.
    let elsewhere: Ipv6Addr = "2001:db8::1".parse().unwrap();
    from.send(elsewhere, port, &[2], 2).unwrap_err();
    from.send(Ipv6Addr::LOCALHOST, port, &[3], 3).unwrap();
    let mut batch = Batch::new();
    assert_eq!(from.departed(&mut batch).unwrap(), 1);
    let left: Vec<u64> = from.departures(&batch).map(|left| left.tag).collect();
    assert_eq!(left, [3]);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let first = StampedSocket::open(LOOPBACK).unwrap();
    let port = first.port().unwrap();
    let error = StampedSocket::open(StampSettings { port, ..LOOPBACK }).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot bind [::1]:{port} on link 1: `ss -ulnp` says who has it")
    );
}
