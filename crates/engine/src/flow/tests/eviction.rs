//! Who ends for a new flow in a full table.

use alloc::vec::Vec;

use super::*;

/// Adds a flow to a full table and returns the port of the one that ended.
fn evict(table: &mut FlowTable, record: Record, class: FlowClass, now: Instant) -> u16 {
    let mut ended = Vec::new();
    let result = table.insert(record, class, now, |end| {
        assert_eq!(end.why, EndReason::Evicted);
        ended.push(end.record.compiled.guest.local_port);
    });
    assert!(result.is_ok());
    assert_eq!(ended.len(), 1);
    ended[0]
}

/// An inbound flow, of which no answer is expected by lot.
fn inbound(protocol: u8, local_port: u16, remote: u32) -> Record {
    let mut record = record(protocol, local_port, remote, 53);
    record.compiled.flags = CompiledFlow::FLAG_V4;
    record
}

#[test]
fn least_valuable_class_first_and_the_longest_idle_of_it() {
    let mut table = table(256);
    for port in 0..256 {
        let (class, protocol) = match port % 4 {
            0 => (FlowClass::Established, protocol::TCP),
            1 => (FlowClass::Answered, protocol::UDP),
            2 => (FlowClass::Closing, protocol::TCP),
            _ => (
                FlowClass::Opening,
                [protocol::TCP, protocol::UDP, protocol::ICMP][usize::from(port) / 4 % 3],
            ),
        };
        add(
            &mut table,
            inbound(protocol, port, 1),
            class,
            seconds(u64::from(port / 32)),
        );
    }
    // Half-open ones that are old, though they are few (64 are safe): all 64, the oldest first.
    let order: Vec<u16> = (0..64)
        .map(|n| {
            evict(
                &mut table,
                inbound(protocol::TCP, 1000 + n, 2),
                FlowClass::Established,
                seconds(19),
            )
        })
        .collect();
    assert!(order.iter().all(|port| port % 4 == 3));
    assert!(order.is_sorted_by_key(|port| port / 32), "{order:?}");
    // Then closing ones, then answered ones.
    let order: Vec<u16> = (0..64)
        .map(|n| {
            evict(
                &mut table,
                inbound(protocol::TCP, 2000 + n, 2),
                FlowClass::Established,
                seconds(19),
            )
        })
        .collect();
    assert!(order.iter().all(|port| port % 4 == 2));
    assert!(order.is_sorted_by_key(|port| port / 32), "{order:?}");
    assert_eq!(
        evict(
            &mut table,
            inbound(protocol::TCP, 3000, 2),
            FlowClass::Established,
            seconds(19)
        ) % 4,
        1
    );
    assert_eq!(table.population(FlowClass::Answered), 63);
    // 64 answered ones are safe; the longest idle established one goes.
    assert_eq!(
        evict(
            &mut table,
            inbound(protocol::TCP, 3001, 2),
            FlowClass::Established,
            seconds(19)
        ) % 4,
        0
    );
}

#[test]
fn what_was_used_is_not_the_longest_idle() {
    // Later than the width of a list, and within it.
    for used in [3600, 20] {
        let mut table = table(64);
        for port in 0..64 {
            let flow = inbound(protocol::TCP, port, 1);
            add(&mut table, flow, FlowClass::Established, seconds(0));
        }
        for number in (0..64).filter(|&number| number != 40) {
            table.touch(number, seconds(used));
        }
        let gone: Vec<u16> = (0..11)
            .map(|n| {
                let flow = inbound(protocol::TCP, 100 + n, 2);
                evict(&mut table, flow, FlowClass::Established, seconds(used + 1))
            })
            .collect();
        // Each eviction looks at four: the idle one is met by the eleventh.
        assert_eq!(gone.last(), Some(&40), "{gone:?}");
    }
}

/// A guest that fills its table with finished connections does not lose those that it uses.
#[test]
fn used_connections_survive_many_idle_ones() {
    let mut table = table(4096);
    let used: Vec<u32> = (0..100)
        .map(|port| {
            add(
                &mut table,
                inbound(protocol::TCP, port, 1),
                FlowClass::Established,
                seconds(0),
            )
        })
        .collect();
    for n in 0..50_000_u32 {
        let now = millis(u64::from(n));
        if n % 1000 == 0 {
            for &number in &used {
                table.touch(number, now);
            }
        }
        let flow = inbound(protocol::TCP, 1, 100 + n);
        let result = table.insert(flow, FlowClass::Established, now, |end| {
            assert!(!used.contains(&end.handle.number), "used, and ended at {n}");
        });
        assert!(result.is_ok());
        table.expire(now, 64, |_| ());
    }
}

#[test]
fn few_new_flows_are_safe_from_newer_ones() {
    let mut table = table(1024);
    for port in 0..1024 {
        add(
            &mut table,
            inbound(protocol::TCP, port, 1),
            FlowClass::Established,
            seconds(1),
        );
    }
    for port in 0..200 {
        let gone = evict(
            &mut table,
            inbound(protocol::UDP, port, 2),
            FlowClass::Opening,
            seconds(2),
        );
        // The first 64 new flows take the place of established ones, the others that of new ones.
        assert_eq!(
            table.population(FlowClass::Opening),
            u32::from(port + 1).min(64),
            "{gone}"
        );
    }
    assert_eq!(table.population(FlowClass::Established), 1024 - 64);
}

#[test]
fn tables_of_any_size_accept_flows_without_end() {
    for capacity in 1..40 {
        let mut table = table(capacity);
        let mut ended = 0;
        for port in 0..2000_u16 {
            let class = CLASSES[usize::from(port % 7 % 4)];
            let result = table.insert(
                record(protocol::UDP, port, u32::from(port), 53),
                class,
                millis(u64::from(port)),
                |_| ended += 1,
            );
            assert!(result.is_ok());
            table.check_lists();
        }
        assert_eq!((table.len(), ended), (capacity, 2000 - capacity));
        while let Some((handle, _)) = table.flows_from(0, u32::MAX).next() {
            table.remove(handle.number);
        }
        assert_empty(&table);
    }
}

#[test]
fn a_ping_survives_a_flood_of_another_kind() {
    let mut table = table(1024);
    for n in 0..1024 {
        add(
            &mut table,
            inbound(protocol::TCP, n, 1),
            FlowClass::Opening,
            millis(0),
        );
    }
    evict(
        &mut table,
        inbound(protocol::ICMP, 7, 2),
        FlowClass::Opening,
        millis(1),
    );
    for n in 0..1000 {
        evict(
            &mut table,
            inbound(protocol::TCP, n, 3),
            FlowClass::Opening,
            millis(2),
        );
    }
    assert!(lookup(&table, &inbound(protocol::ICMP, 7, 2), Direction::Out).is_some());
}

#[test]
fn who_answered_lately_is_given_more_time() {
    let mut table = table(1024);
    let server = 0x0808_0808;
    let first = add(
        &mut table,
        record(protocol::UDP, 1, server, 53),
        FlowClass::Opening,
        seconds(1),
    );
    table.reclass(first, FlowClass::Answered);
    for n in 1..1024_u32 {
        add(
            &mut table,
            inbound(protocol::UDP, 9, n),
            FlowClass::Opening,
            seconds(1),
        );
    }
    let again = record(protocol::UDP, 2, server, 53);
    evict(&mut table, again, FlowClass::Opening, seconds(2));
    for n in 0..10_000_u32 {
        evict(
            &mut table,
            inbound(protocol::UDP, 10, n),
            FlowClass::Opening,
            seconds(2),
        );
    }
    assert!(lookup(&table, &again, Direction::Out).is_some());
}
