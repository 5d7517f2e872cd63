//! The flow table as a whole.

mod attack;
mod eviction;
mod model;

use core::net::Ipv4Addr;
use core::time::Duration;

use rackweave_types::Instant;

use super::*;
use crate::addr::Addr;
use crate::direction::Direction;
use crate::hash::FlowHasher;
use crate::parse::protocol;
use crate::program::Timeouts;

/// A connection of the guest 10.0.0.5 that it began; inside the tunnel its address is 203.0.113.7.
fn record(protocol: u8, local_port: u16, remote: u32, remote_port: u16) -> Record {
    let mut record = Record::empty();
    let compiled = &mut record.compiled;
    compiled.protocol = protocol;
    compiled.flags = CompiledFlow::FLAG_V4 | CompiledFlow::FLAG_BEGAN_OUT;
    compiled.vni = [0, 0, 99];
    let side = |local| Side {
        local: Addr::from(local).octets(),
        remote: Addr::v4(remote).octets(),
        local_port,
        remote_port,
        local_mac: [2; 6],
        remote_mac: [4; 6],
    };
    compiled.guest = side(Ipv4Addr::new(10, 0, 0, 5));
    compiled.wire = side(Ipv4Addr::new(203, 0, 113, 7));
    record
}

fn table(capacity: u32) -> FlowTable {
    FlowTable::new(capacity, &Timeouts::default(), FlowHasher::new([7, 11])).unwrap()
}

fn seconds(n: u64) -> Instant {
    Instant::START.after(Duration::from_secs(n))
}

fn millis(n: u64) -> Instant {
    Instant::START.after(Duration::from_millis(n))
}

fn lookup(table: &FlowTable, record: &Record, direction: Direction) -> Option<u32> {
    let key = FlowKey::of(&record.compiled, direction);
    table.lookup(&key, table.hasher().hash(&key))
}

/// Adds a flow, and fails where another one ends for it.
fn add(table: &mut FlowTable, record: Record, class: FlowClass, now: Instant) -> u32 {
    table
        .insert(record, class, now, |_| panic!("there was room"))
        .unwrap()
        .number
}

/// No entry, list or count is left of flows that are gone.
fn assert_empty(table: &FlowTable) {
    assert_eq!(table.len(), 0);
    assert_eq!(table.index_entries(), 0);
    for class in CLASSES {
        assert_eq!(table.population(class), 0);
    }
    assert_eq!(table.flows_from(0, u32::MAX).count(), 0);
}

const CLASSES: [FlowClass; 4] = [
    FlowClass::Opening,
    FlowClass::Closing,
    FlowClass::Answered,
    FlowClass::Established,
];

#[test]
fn a_flow_is_found_from_both_sides() {
    let mut table = table(16);
    let flow = record(protocol::UDP, 1024, 1, 53);
    let number = add(&mut table, flow, FlowClass::Opening, seconds(1));
    assert_eq!(lookup(&table, &flow, Direction::Out), Some(number));
    assert_eq!(lookup(&table, &flow, Direction::In), Some(number));
    for other in [
        record(protocol::TCP, 1024, 1, 53),
        record(protocol::UDP, 1025, 1, 53),
        record(protocol::UDP, 1024, 2, 53),
        record(protocol::UDP, 1024, 1, 54),
    ] {
        assert_eq!(lookup(&table, &other, Direction::Out), None);
        assert_eq!(lookup(&table, &other, Direction::In), None);
    }
    table.remove(number);
    assert_eq!(lookup(&table, &flow, Direction::Out), None);
    assert_empty(&table);
}

#[test]
fn a_key_in_use_is_named() {
    let mut table = table(16);
    let flow = record(protocol::UDP, 1024, 1, 53);
    let number = add(&mut table, flow, FlowClass::Opening, seconds(1));
    let direction = Direction::Out;
    let again = table.insert(flow, FlowClass::Opening, seconds(2), |_| {
        panic!("nothing ends")
    });
    assert_eq!(again, Err(InsertError::KeyInUse { direction, number }));

    // Another socket of the guest, translated to the same port.
    let mut other = flow;
    other.compiled.guest.local_port = 1025;
    let direction = Direction::In;
    let taken = table.insert(other, FlowClass::Opening, seconds(2), |_| {
        panic!("nothing ends")
    });
    assert_eq!(taken, Err(InsertError::KeyInUse { direction, number }));
    assert_eq!((table.len(), table.index_entries()), (1, 2));

    // Once the first has expired, it gives way.
    let mut ended = 0;
    let handle = table.insert(other, FlowClass::Opening, seconds(31), |end| {
        assert_eq!((end.why, end.handle.number), (EndReason::Expired, number));
        ended += 1;
    });
    assert_eq!((ended, table.len(), table.index_entries()), (1, 1, 2));
    assert_eq!(
        lookup(&table, &other, Direction::In),
        Some(handle.unwrap().number)
    );
}

#[test]
fn an_old_handle_meets_no_new_flow() {
    let mut table = table(1);
    let flow = record(protocol::UDP, 1024, 1, 53);
    let old = table
        .insert(flow, FlowClass::Opening, seconds(1), |_| ())
        .unwrap();
    assert_eq!(table.resolve(old), Some(old.number));
    table.remove(old.number);
    assert_eq!(table.resolve(old), None);
    let new = table
        .insert(flow, FlowClass::Opening, seconds(1), |_| ())
        .unwrap();
    assert_eq!(old.number, new.number);
    assert_eq!(table.resolve(old), None);
    assert_eq!(
        table.resolve(FlowHandle {
            number: 7,
            serial: 1
        }),
        None
    );
}

#[test]
fn memory_for_a_flow_is_bounded() {
    for capacity in [16, 1000, 39_322, 65_536, 78_643, 78_644, 524_288] {
        let bytes = table(capacity).bytes_per_flow();
        assert!(bytes <= 256, "{bytes} at {capacity}");
    }
}

#[test]
fn capacity_has_bounds() {
    let make = |capacity| FlowTable::new(capacity, &Timeouts::default(), FlowHasher::new([1, 2]));
    assert_eq!(make(0).unwrap_err(), TableError::Capacity(0));
    assert_eq!(make(u32::MAX).unwrap_err(), TableError::Capacity(u32::MAX));
    assert!(make(1).is_ok());
}

#[test]
fn a_walk_meets_every_flow_once() {
    let mut table = table(1000);
    for port in 0..500 {
        add(
            &mut table,
            record(protocol::UDP, port, 1, 53),
            FlowClass::Opening,
            seconds(1),
        );
    }
    for number in (0..500).step_by(3) {
        table.remove(number);
    }
    let mut met = alloc::vec::Vec::new();
    let mut cursor = Some(0);
    while let Some(at) = cursor {
        let page = table.flows_from(at, 64);
        cursor = page.next_cursor();
        met.extend(page.map(|(handle, record)| (handle.number, record.compiled.guest.local_port)));
    }
    let left = (0..500_u16)
        .filter(|port| port % 3 != 0)
        .map(|port| (u32::from(port), port));
    assert!(met.into_iter().eq(left));
}

#[test]
fn times_at_the_ends_of_the_scale_are_times() {
    for timeout in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let timeouts = Timeouts {
            unanswered: timeout,
            ..Timeouts::default()
        };
        let mut table = FlowTable::new(8, &timeouts, FlowHasher::new([7, 11])).unwrap();
        for (port, nanos) in (0..).zip([u64::MAX, 0, u64::MAX / 2, 1, u64::MAX - 1, u64::MAX]) {
            let flow = record(protocol::UDP, port, 1, 53);
            let now = Instant::from_nanos(nanos);
            add(&mut table, flow, FlowClass::Opening, now);
            table.touch(table.len() - 1, now);
            table.check_lists();
        }
        table.expire(Instant::from_nanos(u64::MAX), 1000, |end| {
            assert!(
                u64::MAX - end.record.last_use
                    >= u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)
            );
        });
        table.check_lists();
        table.set_timeouts(&Timeouts::default());
        table.check_lists();
        for n in 0..100 {
            let flow = record(protocol::UDP, 100 + n, 1, 53);
            let result = table.insert(
                flow,
                FlowClass::Opening,
                Instant::from_nanos(u64::MAX),
                |_| (),
            );
            assert!(result.is_ok());
            table.check_lists();
        }
    }
}
