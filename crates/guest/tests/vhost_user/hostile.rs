//! Guests and machines that lie. Nothing here may panic, and nobody else may feel it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use proptest::collection::vec as several;
use proptest::prelude::*;
use rackweave_guest::vhost_user::Features;
use rackweave_guest::vhost_user::driver::{Driver, DriverSettings, RingAt};
use rackweave_guest::{Claim, MAX_FRAME, Received, Sent};
use rackweave_wire::virtio_net::NetHeader;

use crate::{Bench, frame};

const SIZE: u16 = 16;
const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// A descriptor of a guest that lies.
#[derive(Clone, Copy, Debug)]
struct Lie {
    address: u64,
    len: u32,
    flags: u16,
    next: u16,
}

impl Lie {
    fn put(self, driver: &Driver, at: u64) {
        driver.write(at, &self.address.to_le_bytes());
        driver.write(at + 8, &self.len.to_le_bytes());
        driver.write(at + 12, &self.flags.to_le_bytes());
        driver.write(at + 14, &self.next.to_le_bytes());
    }
}

fn lying(features: Features) -> (Bench, Driver) {
    let mut bench = Bench::new(1);
    let driver = bench.connect(&DriverSettings {
        size: SIZE,
        features,
        ..DriverSettings::default()
    });
    (bench, driver)
}

/// Makes the chain at descriptor 0 available as the ring's `index`th.
fn offer(driver: &Driver, at: RingAt, index: u16) {
    let entry = at.available + 4 + 2 * u64::from(index % SIZE);
    driver.write(entry, &0u16.to_le_bytes());
    driver.write(at.available + 2, &(index + 1).to_le_bytes());
}

fn receive(bench: &mut Bench) -> Received {
    let mut buffer = vec![0; MAX_FRAME];
    bench.queues[0].receive(&mut NetHeader::default(), &mut buffer)
}

#[test]
fn every_untrue_chain_is_counted_by_name_and_given_back() {
    let (mut bench, mut driver) = lying(Features::GUEST);
    let at = driver.queue(0).unwrap().transmit_at();
    let buffer = Driver::address(at.buffers);
    let end = Driver::address(driver.memory_len());
    let good = Lie {
        address: buffer,
        len: 100,
        flags: 0,
        next: 0,
    };
    driver.write(at.buffers, &[0; 200]);
    let cases = [
        (Claim::Address, Lie { address: 0, ..good }),
        (
            Claim::Address,
            Lie {
                address: end,
                ..good
            },
        ),
        (
            Claim::Address,
            Lie {
                address: end - 50,
                ..good
            },
        ),
        (
            Claim::Address,
            Lie {
                address: u64::MAX - 20,
                ..good
            },
        ),
        (Claim::TooShort, Lie { len: 0, ..good }),
        (Claim::TooShort, Lie { len: 5, ..good }),
        (Claim::TooShort, Lie { len: 25, ..good }),
        (
            Claim::Direction,
            Lie {
                flags: WRITE,
                ..good
            },
        ),
        (
            Claim::DescriptorIndex,
            Lie {
                flags: NEXT,
                next: SIZE,
                ..good
            },
        ),
        (
            Claim::ChainLength,
            Lie {
                flags: NEXT,
                ..good
            },
        ),
        (
            Claim::ChainLength,
            Lie {
                flags: NEXT,
                len: 0,
                ..good
            },
        ),
        (
            Claim::Indirect,
            Lie {
                flags: INDIRECT,
                len: 0,
                ..good
            },
        ),
        (
            Claim::Indirect,
            Lie {
                flags: INDIRECT,
                len: 17,
                ..good
            },
        ),
        (
            Claim::Indirect,
            Lie {
                flags: INDIRECT | NEXT,
                len: 16,
                ..good
            },
        ),
        (
            Claim::Address,
            Lie {
                flags: INDIRECT,
                len: 16,
                address: end,
                ..good
            },
        ),
        (
            Claim::Address,
            Lie {
                flags: INDIRECT,
                len: 32,
                address: end - 16,
                ..good
            },
        ),
        (
            Claim::TooLong,
            Lie {
                flags: NEXT,
                len: 2000,
                ..good
            },
        ),
    ];
    for (index, (claim, lie)) in (0..).zip(cases) {
        lie.put(&driver, at.descriptors);
        let before = bench.queues[0].claims().of(claim);
        offer(&driver, at, index);
        let refused = match (claim, receive(&mut bench)) {
            // A circle of buffers is too long for the caller before it is too long for a chain.
            (Claim::TooLong | Claim::ChainLength, Received::Refused(claim)) => claim,
            (_, refused) => {
                assert_eq!(refused, Received::Refused(claim), "{lie:?}");
                claim
            }
        };
        assert!(bench.queues[0].claims().of(refused) > 0);
        assert!(refused != claim || bench.queues[0].claims().of(claim) == before + 1);
        bench.queues[0].flush();
        let mut used = [0; 2];
        driver.read(at.used + 2, &mut used);
        assert_eq!(u16::from_le_bytes(used), index + 1, "{lie:?}");
    }
    // The ring still works.
    good.put(&driver, at.descriptors);
    offer(&driver, at, 17);
    assert_eq!(receive(&mut bench), Received::Frame { len: 88 });
}

#[test]
fn an_index_that_runs_ahead_stops_the_ring_until_it_is_reset() {
    let (mut bench, mut driver) = lying(Features::GUEST);
    let at = driver.queue(0).unwrap().transmit_at();
    driver.write(at.available + 2, &(SIZE + 1).to_le_bytes());
    assert_eq!(
        receive(&mut bench),
        Received::Refused(Claim::AvailableIndex)
    );
    assert_eq!(receive(&mut bench), Received::Empty);
    assert!(!bench.queues[0].arm());
    assert!(!bench.queues[0].is_running());
    // Receiving is another ring.
    assert_eq!(
        bench.queues[0].send(&NetHeader::default(), &frame(60, 1)),
        Sent::Taken
    );

    driver.write(at.available + 2, &0u16.to_le_bytes());
    driver.leave();
    bench.join(&mut driver).unwrap();
    assert!(bench.queues[0].is_running());
    assert!(driver.send(0, &NetHeader::default(), &frame(60, 1)));
    assert_eq!(receive(&mut bench), Received::Frame { len: 60 });
}

#[test]
fn receive_buffers_that_are_none_are_given_back_empty() {
    let (mut bench, mut driver) = lying(Features::GUEST);
    let at = driver.queue(0).unwrap().receive_at();
    let good = Lie {
        address: Driver::address(at.buffers),
        len: 2048,
        flags: WRITE,
        next: 0,
    };
    let lies = [
        (Claim::Direction, Lie { flags: 0, ..good }),
        (Claim::Address, Lie { address: 1, ..good }),
        (Claim::NoRoom, Lie { len: 0, ..good }),
    ];
    for (number, (claim, lie)) in (0..).zip(lies) {
        lie.put(&driver, at.descriptors + 16 * number);
        let sent = bench.queues[0].send(&NetHeader::default(), &frame(60, 1));
        assert_eq!(
            (sent, bench.queues[0].claims().of(claim)),
            (Sent::Unsendable, 1)
        );
    }
    assert_eq!(
        bench.queues[0].send(&NetHeader::default(), &frame(60, 1)),
        Sent::Taken
    );
    // Buffers of one byte each: more of them than one frame may fill.
    for number in 4..u64::from(SIZE) {
        Lie { len: 1, ..good }.put(&driver, at.descriptors + 16 * number);
    }
    assert_eq!(
        bench.queues[0].send(&NetHeader::default(), &frame(60, 1)),
        Sent::Full
    );
}

#[test]
fn memory_that_is_cut_off_stops_one_guest_alone() {
    let (mut bench, mut driver) = lying(Features::GUEST);
    let (mut other, mut honest) = lying(Features::GUEST);
    assert!(driver.send(0, &NetHeader::default(), &frame(60, 1)));
    driver.shrink(0).unwrap();
    receive(&mut bench);
    bench.queues[0].send(&NetHeader::default(), &frame(60, 1));
    bench.queues[0].flush();
    assert!(bench.queues[0].claims().of(Claim::MemoryGone) > 0);
    assert!(!bench.queues[0].is_running());
    assert_eq!(receive(&mut bench), Received::Empty);

    assert!(honest.send(0, &NetHeader::default(), &frame(60, 1)));
    assert_eq!(receive(&mut other), Received::Frame { len: 60 });
    // A machine with sound memory may come.
    drop(driver);
    let mut next = bench.connect(&DriverSettings::default());
    assert!(next.send(0, &NetHeader::default(), &frame(60, 1)));
    assert_eq!(receive(&mut bench), Received::Frame { len: 60 });
}

/// Writes to a device's socket and waits until it hangs up, or until all is written and it stays.
fn say(bench: &mut Bench, bytes: &[u8]) {
    let errors = bench.device.status().protocol_errors;
    let connections = bench.device.status().connections;
    let mut stream = UnixStream::connect(&bench.socket).unwrap();
    // The device may hang up in the midst of it.
    let _written = stream.write_all(bytes);
    let _closed = stream.shutdown(std::net::Shutdown::Write);
    bench.until("the device has read it", |bench| {
        let status = bench.device.status();
        status.connections > connections && !status.connected
    });
    let mut answers = Vec::new();
    let _read = stream.read_to_end(&mut answers);
    assert!(bench.device.status().protocol_errors <= errors + 1);
}

fn message(request: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap();
    let mut bytes = Vec::new();
    for word in [request, 1, len] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(body);
    bytes
}

#[test]
fn a_machine_that_babbles_is_sent_away() {
    let mut bench = Bench::new(1);
    say(&mut bench, b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(bench.device.status().protocol_errors, 1);
    // Half a message.
    say(&mut bench, &message(2, &[0; 8])[..15]);
    // Rings that do not exist, sizes that are none, features that were not offered.
    for (request, body) in [
        (8, [99u32, 256].map(u32::to_le_bytes).concat()),
        (8, [0u32, 255].map(u32::to_le_bytes).concat()),
        (8, [0u32, 0].map(u32::to_le_bytes).concat()),
        (10, [0u32, 70_000].map(u32::to_le_bytes).concat()),
        (11, [7u32, 0].map(u32::to_le_bytes).concat()),
        (2, u64::MAX.to_le_bytes().to_vec()),
        (5, vec![0; 40]),
    ] {
        let before = bench.device.status().protocol_errors;
        say(&mut bench, &message(request, &body));
        assert_eq!(
            bench.device.status().protocol_errors,
            before + 1,
            "{request}"
        );
    }
    let mut driver = bench.connect(&DriverSettings::default());
    assert!(driver.send(0, &NetHeader::default(), &frame(60, 1)));
    assert_eq!(receive(&mut bench), Received::Frame { len: 60 });
}

#[test]
fn a_ring_may_be_enabled_before_features_are_agreed() {
    let mut bench = Bench::new(1);
    let enable = |ring: u32, state: u32| message(18, &[ring, state].map(u32::to_le_bytes).concat());
    say(&mut bench, &[enable(0, 1), enable(1, 0)].concat());
    assert_eq!(bench.device.status().protocol_errors, 0);
    say(&mut bench, &enable(2, 1));
    say(&mut bench, &enable(0, 2));
    assert_eq!(bench.device.status().protocol_errors, 2);
    // Cut short, and with more than it may have.
    say(&mut bench, &enable(0, 1)[..19]);
    say(&mut bench, &message(18, &[0; 12]));
    let mut driver = bench.connect(&DriverSettings::default());
    assert!(driver.send(0, &NetHeader::default(), &frame(60, 1)));
    assert_eq!(receive(&mut bench), Received::Frame { len: 60 });
}

fn lie() -> impl Strategy<Value = Lie> {
    let address = prop_oneof![
        4 => 0x10_0000u64..0x12_0000,
        1 => any::<u64>(),
    ];
    let len = prop_oneof![4 => 0u32..200, 1 => any::<u32>()];
    (address, len, 0u16..8, 0u16..SIZE + 2).prop_map(|(address, len, flags, next)| Lie {
        address,
        len,
        flags,
        next,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_rings_are_contained(
        rounds in several(
            (
                several(lie(), usize::from(SIZE)),
                several(0u16..SIZE + 2, usize::from(SIZE)),
                0u16..SIZE + 2,
                several(any::<u8>(), 0..300),
            ),
            1..20,
        ),
        plain in any::<bool>(),
    ) {
        let features = if plain {
            Features::PLAIN.without(Features::MRG_RXBUF)
        } else {
            Features::GUEST
        };
        let (mut bench, mut driver) = lying(features);
        let rings = {
            let queue = driver.queue(0).unwrap();
            [queue.receive_at(), queue.transmit_at()]
        };
        for (lies, heads, ahead, bytes) in rounds {
            for at in rings {
                for (number, lie) in (0..).zip(&lies) {
                    lie.put(&driver, at.descriptors + 16 * number);
                }
                for (number, head) in (0..).zip(&heads) {
                    driver.write(at.available + 4 + 2 * number, &head.to_le_bytes());
                }
                let mut used = [0; 2];
                driver.read(at.used + 2, &mut used);
                let index = u16::from_le_bytes(used).wrapping_add(ahead);
                driver.write(at.available + 2, &index.to_le_bytes());
                driver.write(at.buffers, &bytes);
            }
            let before = bench.queues[0].claims().total();
            let mut refused = 0;
            for _ in 0..2 * SIZE {
                match receive(&mut bench) {
                    Received::Frame { len } => prop_assert!((14..=MAX_FRAME).contains(&len)),
                    Received::Empty => break,
                    Received::Refused(_) => refused += 1,
                }
            }
            prop_assert_eq!(bench.queues[0].claims().total(), before + refused);
            for number in 0..4 {
                bench.queues[0].send(&NetHeader::default(), &frame(500, number));
            }
            bench.queues[0].flush();
        }
        // Whatever it did, a driver that sets its device up anew is served.
        drop(driver);
        let mut next = bench.connect(&DriverSettings::default());
        prop_assert!(next.send(0, &NetHeader::default(), &frame(60, 1)));
        prop_assert_eq!(receive(&mut bench), Received::Frame { len: 60 });
    }

    #[test]
    fn any_messages_are_contained(
        messages in several((0u32..48, several(any::<u8>(), 0..80)), 1..12),
    ) {
        let mut bench = Bench::new(1);
        let bytes: Vec<_> = messages
            .iter()
            .flat_map(|(request, body)| message(*request, body))
            .collect();
        say(&mut bench, &bytes);
        let mut driver = bench.connect(&DriverSettings::default());
        prop_assert!(driver.send(0, &NetHeader::default(), &frame(60, 1)));
        prop_assert_eq!(receive(&mut bench), Received::Frame { len: 60 });
    }
}
