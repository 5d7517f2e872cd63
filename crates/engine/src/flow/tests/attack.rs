//! A guest under its own flood, in virtual time: what was there survives, and what is new still works.

use super::*;

/// How long it lasts, in virtual seconds. What is in the table is replaced ten times a second or more often, so that
/// a minute shows no more than this.
const SECONDS: u64 = if cfg!(debug_assertions) { 3 } else { 20 };
const NEW_FLOWS_PER_MILLI: u64 = 1000;
const CONNECTIONS: u16 = 1000;
const CONNECTION_INTERVAL: u64 = 30_000;
const DNS_INTERVAL: u64 = 10;
const DNS_ANSWER_AFTER: u64 = 20;
const RESOLVER: u32 = 0x0a00_0002;

struct Attack {
    table: FlowTable,
    random: u64,
    /// Questions whose answer found no flow: until the first that did, and since.
    lost_at_first: u64,
    lost: u64,
    answered: u64,
}

impl Attack {
    fn random(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        u32::try_from(self.random >> 32).unwrap()
    }

    fn open(&mut self, record: Record, now: Instant) {
        // A random flow may meet itself; nothing else can go wrong.
        let result = self.table.insert(record, FlowClass::Opening, now, |end| {
            assert_ne!(end.record.class(), FlowClass::Established);
        });
        assert!(matches!(result, Ok(_) | Err(InsertError::KeyInUse { .. })));
    }

    fn flood(&mut self, now: Instant) {
        for n in 0..NEW_FLOWS_PER_MILLI {
            let protocol = if n % 2 == 0 {
                protocol::TCP
            } else {
                protocol::UDP
            };
            let [a, b, ..] = self.random().to_le_bytes();
            let flow = record(protocol, u16::from_le_bytes([a, b]), self.random(), 80);
            self.open(flow, now);
        }
    }

    fn query(n: u64) -> Record {
        record(
            protocol::UDP,
            u16::try_from(n % 60_000).unwrap(),
            RESOLVER,
            53,
        )
    }

    /// The answer to a question, if its flow is still there.
    fn answer(&mut self, n: u64, now: Instant) {
        if let Some(number) = lookup(&self.table, &Self::query(n), Direction::In) {
            self.table.touch(number, now);
            self.table.reclass(number, FlowClass::Answered);
            self.answered += 1;
        } else if self.answered == 0 {
            self.lost_at_first += 1;
        } else {
            self.lost += 1;
        }
    }

    fn connection(n: u16) -> Record {
        record(protocol::TCP, n, 0x0a00_0009, 443)
    }

    fn connections(&mut self, at: u64) {
        // A debug build passes through the interval faster, so that every connection is used.
        let interval = CONNECTION_INTERVAL * SECONDS / 60;
        for n in (0..CONNECTIONS).filter(|&n| at % interval == u64::from(n) % interval) {
            let flow = Self::connection(n);
            let number = lookup(&self.table, &flow, Direction::Out).expect("it survives");
            self.table.touch(number, millis(at));
        }
    }
}

fn attack(capacity: u32) {
    let mut attack = Attack {
        table: table(capacity),
        random: 0x1234_5678_9abc_def1,
        lost_at_first: 0,
        lost: 0,
        answered: 0,
    };
    for n in 0..CONNECTIONS {
        add(
            &mut attack.table,
            Attack::connection(n),
            FlowClass::Established,
            millis(0),
        );
    }
    // The table is full before the first question: the resolver never answered before.
    while attack.table.len() < capacity {
        attack.flood(millis(0));
    }
    for at in 1..=SECONDS * 1000 {
        let now = millis(at);
        attack.flood(now);
        if at % DNS_INTERVAL == 0 {
            attack.open(Attack::query(at / DNS_INTERVAL), now);
        }
        if at % DNS_INTERVAL == 0 && at > DNS_ANSWER_AFTER {
            attack.answer((at - DNS_ANSWER_AFTER) / DNS_INTERVAL, now);
        }
        attack.connections(at);
        attack.table.expire(now, 64, |_| ());
    }
    let Attack {
        lost_at_first,
        lost,
        answered,
        ..
    } = attack;
    // Those that were under way when the first answer came.
    assert!(
        lost <= DNS_ANSWER_AFTER / DNS_INTERVAL,
        "{lost} of {answered} at {capacity}"
    );
    // One in a hundred of the whole minute.
    assert!(lost_at_first <= 60, "{lost_at_first} at {capacity}");
    for n in 0..CONNECTIONS {
        let flow = Attack::connection(n);
        assert!(
            lookup(&attack.table, &flow, Direction::Out).is_some(),
            "connection {n}"
        );
    }
}

#[test]
fn a_table_of_65536_stands_a_flood() {
    attack(65_536);
}

#[test]
fn a_table_of_16384_stands_a_flood() {
    attack(16_384);
}
