//! How much each way to the underlay carries. Measured, not tested:
//! `cargo test --release -p rackweave-linux --test underlay -- --ignored --nocapture --test-threads 1`

use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::pair::{CLASS, Host, OUTER, frame, geneve, pair, tunnel};
use nix::time::{ClockId, clock_gettime};
use rackweave_linux::clock;
use rackweave_linux::poll::{Events, Poller};
use rackweave_linux::tap::{FRAME_MAX, TapQueue};
use rackweave_linux::thread::{cpus, pin};
use rackweave_linux::udp::{Target, UdpQueue};
use rackweave_wire::virtio_net::NetHeader;

const TIME: Duration = Duration::from_secs(2);
const LARGE: usize = 62_000;
const MSS: u16 = 1400;

/// One way to send, again and again.
trait Sender: Send {
    fn send(&mut self);
}

/// One way to receive what waits: how many octets and datagrams.
trait Receiver: Send {
    fn receive(&mut self) -> (usize, usize);
    fn wait(&self, poller: &Poller);
}

/// A queue, what it sends, and how often between two flushes.
struct TapSender(TapQueue, NetHeader, Vec<u8>, usize);

impl Sender for TapSender {
    fn send(&mut self) {
        for _ in 0..self.3 {
            self.0.send(&self.1, &self.2);
        }
        self.0.flush();
    }
}

struct TapReceiver(TapQueue, Vec<u8>);

impl Receiver for TapReceiver {
    fn receive(&mut self) -> (usize, usize) {
        let (mut octets, mut frames) = (0, 0);
        let mut header = NetHeader::default();
        while frames < 64 {
            let Some(len) = self.0.receive(&mut header, &mut self.1).unwrap() else {
                break;
            };
            octets += len;
            let size = header.gso.filter(|gso| gso.tunnel.is_none());
            frames += size.map_or(1, |gso| (len - OUTER).div_ceil(gso.size.get().into()));
        }
        (octets, frames)
    }

    fn wait(&self, poller: &Poller) {
        poller.add(&self.0, 0).unwrap();
    }
}

/// How a UDP queue is handed what it sends.
#[derive(Clone, Copy)]
enum Hand {
    Copied,
    Pieces,
    /// So many small ones between two flushes.
    Small(usize),
}

struct UdpSender(UdpQueue, Target, Vec<u8>, Hand);

impl Sender for UdpSender {
    fn send(&mut self) {
        let Self(queue, target, payload, hand) = self;
        match *hand {
            Hand::Copied => {
                queue.send(target, payload, Some(MSS));
                queue.flush();
            }
            Hand::Pieces => queue.send_pieces(target, &[IoSlice::new(payload)], Some(MSS)),
            Hand::Small(batch) => {
                for number in 0..batch {
                    target.source_port = u16::try_from(number).unwrap();
                    queue.send(target, payload, None);
                }
                queue.flush();
            }
        }
    }
}

struct UdpReceiver(UdpQueue);

impl Receiver for UdpReceiver {
    fn receive(&mut self) -> (usize, usize) {
        let count = self.0.receive().unwrap();
        let received = || (0..count).filter_map(|index| self.0.received(index));
        let octets = received().map(|it| it.bytes.len()).sum();
        (octets, received().map(|it| it.datagrams().count()).sum())
    }

    fn wait(&self, poller: &Poller) {
        poller.add(&self.0, 0).unwrap();
    }
}

/// Sends on one processor and receives on another for a while, and says what arrived in the time
/// that the busier of the two ran: what it would be on a machine with nothing else to do.
#[expect(clippy::print_stderr, reason = "a measurement is for reading")]
fn measure(what: &str, mut sender: impl Sender, mut receiver: impl Receiver) {
    let (octets, datagrams) = (AtomicU64::new(0), AtomicU64::new(0));
    let busiest = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let cpus = cpus().unwrap();
    let start = clock::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(cpus[0]).unwrap();
            while clock::now().since(start) < TIME {
                sender.send();
            }
            over.store(true, Ordering::Relaxed);
            busiest.fetch_max(busy_micros(), Ordering::Relaxed);
        });
        scope.spawn(|| {
            pin(*cpus.last().unwrap()).unwrap();
            let (poller, mut events) = (Poller::new().unwrap(), Events::with_capacity(1));
            receiver.wait(&poller);
            while !over.load(Ordering::Relaxed) {
                let (more, count) = receiver.receive();
                octets.fetch_add(more.try_into().unwrap(), Ordering::Relaxed);
                datagrams.fetch_add(count.try_into().unwrap(), Ordering::Relaxed);
                if count == 0 {
                    poller.wait(&mut events, Some(TIME / 20)).unwrap();
                }
            }
            busiest.fetch_max(busy_micros(), Ordering::Relaxed);
        });
    });
    let [octets, datagrams, busiest] = [octets, datagrams, busiest].map(AtomicU64::into_inner);
    eprintln!(
        "{what:32} {:6} Mbit/s {:6} k/s",
        octets * 8 / busiest,
        datagrams * 1000 / busiest
    );
}

/// How long the calling thread has run, in microseconds.
fn busy_micros() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
    u64::try_from(Duration::from(time).as_micros()).unwrap()
}

fn target(to: &Host) -> Target {
    Target {
        to: to.end_point,
        source_port: 50_001,
        traffic_class: CLASS,
    }
}

fn tap_sender(ends: [&Host; 2], header: NetHeader, payload: &[u8], batch: usize) -> TapSender {
    let frame = frame(ends[0], ends[1], 50_001, payload);
    TapSender(ends[0].tap(), header, frame, batch)
}

fn tap_receiver(at: &Host) -> TapReceiver {
    TapReceiver(at.tap(), vec![0; FRAME_MAX])
}

#[test]
#[ignore = "a measurement"]
fn large() {
    let payload = geneve(LARGE);
    let udp = |a: &Host, b: &Host, hand| UdpSender(a.udp(), target(b), payload.clone(), hand);
    let Some([a, b]) = pair("large") else { return };
    measure(
        "large, udp copied, to udp",
        udp(&a, &b, Hand::Copied),
        UdpReceiver(b.udp()),
    );
    measure(
        "large, udp pieces, to udp",
        udp(&a, &b, Hand::Pieces),
        UdpReceiver(b.udp()),
    );
    let tap = || tap_sender([&a, &b], tunnel(MSS), &payload, 1);
    measure("large, tap to udp", tap(), UdpReceiver(b.udp()));
    measure(
        "large, udp pieces, to tap",
        udp(&a, &b, Hand::Pieces),
        tap_receiver(&b),
    );
    measure("large, tap to tap", tap(), tap_receiver(&b));
}

#[test]
#[ignore = "a measurement"]
fn small() {
    let payload = vec![0; 64 + 8 + 14];
    let Some([a, b]) = pair("small") else { return };
    let udp = |batch| UdpSender(a.udp(), target(&b), payload.clone(), Hand::Small(batch));
    measure("small, udp alone, to udp", udp(1), UdpReceiver(b.udp()));
    measure(
        "small, udp 64 joined, to udp",
        udp(64),
        UdpReceiver(b.udp()),
    );
    let tap = |batch| tap_sender([&a, &b], NetHeader::default(), &payload, batch);
    measure("small, tap alone, to udp", tap(1), UdpReceiver(b.udp()));
    measure(
        "small, tap 64 joined, to udp",
        tap(64),
        UdpReceiver(b.udp()),
    );
    measure("small, udp 64 joined, to tap", udp(64), tap_receiver(&b));
    measure("small, tap alone, to tap", tap(1), tap_receiver(&b));
    measure("small, tap 64 joined, to tap", tap(64), tap_receiver(&b));
}
