//! The table against a naive model: a map of keys, and each flow's exact time.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const CAPACITY: u32 = 24;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Insert { flow: u16, class: FlowClass },
    Remove { flow: u16 },
    Touch { flow: u16 },
    Reclass { flow: u16, class: FlowClass },
    Expire { budget: u32 },
    Pass { millis: u64 },
    Timeouts { factor: u32 },
}

fn class() -> impl Strategy<Value = FlowClass> {
    prop::sample::select(CLASSES.as_slice())
}

fn operation() -> impl Strategy<Value = Operation> {
    let flow = 0_u16..40;
    prop_oneof![
        6 => (flow.clone(), class()).prop_map(|(flow, class)| Operation::Insert { flow, class }),
        2 => flow.clone().prop_map(|flow| Operation::Remove { flow }),
        3 => flow.clone().prop_map(|flow| Operation::Touch { flow }),
        3 => (flow, class()).prop_map(|(flow, class)| Operation::Reclass { flow, class }),
        2 => (0_u32..30).prop_map(|budget| Operation::Expire { budget }),
        4 => prop_oneof![0_u64..2000, 0_u64..100_000, 0_u64..10_000_000]
            .prop_map(|millis| Operation::Pass { millis }),
        1 => (1_u32..4).prop_map(|factor| Operation::Timeouts { factor }),
    ]
}

/// What the model knows of a flow.
#[derive(Clone, Copy, Debug)]
struct Flow {
    protocol: u8,
    class: FlowClass,
    last_use: Instant,
    number: u32,
}

impl Flow {
    fn timeout(&self, timeouts: &Timeouts) -> Duration {
        let icmp = self.protocol == protocol::ICMP;
        match self.class {
            FlowClass::Opening if self.protocol == protocol::TCP => timeouts.tcp_half_open,
            FlowClass::Opening if icmp => timeouts.icmp,
            FlowClass::Opening => timeouts.unanswered,
            FlowClass::Closing => timeouts.tcp_closing,
            FlowClass::Answered if icmp => timeouts.icmp,
            FlowClass::Answered => timeouts.answered,
            FlowClass::Established => timeouts.tcp_established,
        }
    }
}

fn times(factor: u32) -> Timeouts {
    let timeouts = Timeouts::default();
    Timeouts {
        tcp_half_open: timeouts.tcp_half_open * factor,
        unanswered: timeouts.unanswered / factor,
        answered: timeouts.answered * factor,
        tcp_established: timeouts.tcp_established / factor,
        ..timeouts
    }
}

struct Pair {
    table: FlowTable,
    model: BTreeMap<u16, Flow>,
    timeouts: Timeouts,
    now: Instant,
}

impl Pair {
    fn protocol(flow: u16) -> u8 {
        [protocol::TCP, protocol::UDP, protocol::ICMP][usize::from(flow % 3)]
    }

    /// Every second flow shares its wire port with another one of its protocol.
    fn record(flow: u16) -> Record {
        let mut record = record(Self::protocol(flow), flow, 9, 53);
        if flow.is_multiple_of(2) {
            record.compiled.wire.local_port = 40_000 + flow / 12;
        }
        record
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Insert { flow, class } => self.insert(flow, class),
            Operation::Remove { flow } => {
                if let Some(known) = self.model.remove(&flow) {
                    self.table.remove(known.number);
                }
            }
            Operation::Touch { flow } => {
                if let Some(known) = self.model.get_mut(&flow) {
                    known.last_use = self.now;
                    self.table.touch(known.number, self.now);
                }
            }
            Operation::Reclass { flow, class } => {
                if let Some(known) = self.model.get_mut(&flow) {
                    known.class = class;
                    self.table.reclass(known.number, class);
                }
            }
            Operation::Expire { budget } => self.expire(budget),
            Operation::Pass { millis } => self.now = self.now.after(Duration::from_millis(millis)),
            Operation::Timeouts { factor } => {
                self.timeouts = times(factor);
                self.table.set_timeouts(&self.timeouts);
            }
        }
    }

    fn insert(&mut self, flow: u16, class: FlowClass) {
        let new = Self::record(flow);
        let full = self.table.len() == CAPACITY;
        let mut ended = Vec::new();
        let result = self.table.insert(new, class, self.now, |end| {
            ended.push((
                end.record.compiled.guest.local_port,
                end.handle.number,
                end.why,
            ));
        });
        for &(port, number, why) in &ended {
            let known = self.model.remove(&port).unwrap();
            assert_eq!(known.number, number);
            if why == EndReason::Expired {
                assert!(self.now.since(known.last_use) >= known.timeout(&self.timeouts));
            } else {
                assert!(full && ended.len() == 1, "evicted without need: {ended:?}");
            }
        }
        let holder = self.model.iter().find(|(port, _)| {
            let there = Self::record(**port).compiled;
            [Direction::Out, Direction::In]
                .into_iter()
                .any(|way| FlowKey::of(&there, way) == FlowKey::of(&new.compiled, way))
        });
        match (result, holder) {
            (Ok(handle), None) => {
                let number = handle.number;
                let protocol = Self::protocol(flow);
                self.model.insert(
                    flow,
                    Flow {
                        protocol,
                        class,
                        last_use: self.now,
                        number,
                    },
                );
            }
            (Err(InsertError::KeyInUse { .. }), Some((_, known))) => {
                assert!(self.now.since(known.last_use) < known.timeout(&self.timeouts));
            }
            (result, holder) => panic!("{result:?} where {holder:?}"),
        }
    }

    fn expire(&mut self, budget: u32) {
        let mut ended = Vec::new();
        let count = self.table.expire(self.now, budget, |end| {
            assert_eq!(end.why, EndReason::Expired);
            ended.push(end.record.compiled.guest.local_port);
        });
        assert!(count <= budget && usize::try_from(count).unwrap() == ended.len());
        for port in ended {
            let known = self.model.remove(&port).unwrap();
            assert!(
                self.now.since(known.last_use) >= known.timeout(&self.timeouts),
                "early"
            );
        }
    }

    fn compare(&self) {
        assert_eq!(usize::try_from(self.table.len()).unwrap(), self.model.len());
        assert_eq!(self.table.index_entries(), 2 * self.model.len());
        for (&flow, known) in &self.model {
            let record = Self::record(flow);
            assert_eq!(
                lookup(&self.table, &record, Direction::Out),
                Some(known.number)
            );
            assert_eq!(
                lookup(&self.table, &record, Direction::In),
                Some(known.number)
            );
            let there = self.table.get(known.number);
            assert_eq!(
                (there.class(), there.last_use),
                (known.class, known.last_use.nanos())
            );
            let expired = self.now.since(known.last_use) >= known.timeout(&self.timeouts);
            assert_eq!(self.table.is_expired(there, self.now), expired);
        }
        for class in CLASSES {
            let there = self
                .model
                .values()
                .filter(|known| known.class == class)
                .count();
            assert_eq!(
                usize::try_from(self.table.population(class)).unwrap(),
                there
            );
        }
        self.table.check_lists();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn behaves_like_the_model(operations in prop::collection::vec(operation(), 0..300)) {
        let mut pair = Pair {
            table: table(CAPACITY),
            model: BTreeMap::new(),
            timeouts: Timeouts::default(),
            now: seconds(1),
        };
        for operation in operations {
            pair.apply(operation);
            pair.compare();
        }
        // With enough budget nothing outlives its timeout by more than the width of a list.
        let longest = seconds(u64::from(u32::MAX));
        pair.now = longest;
        pair.expire(u32::MAX);
        prop_assert!(pair.model.is_empty());
        assert_empty(&pair.table);
    }

    /// Flows that are used at random end no earlier than they should, and at most a list's width later.
    #[test]
    fn expiry_is_late_by_a_list_at_most(
        uses in prop::collection::vec((0_u16..20, 0_u64..20_000), 1..200),
        factors in prop::collection::vec(1_u32..4, 0..4),
    ) {
        let mut pair = Pair {
            table: table(CAPACITY),
            model: BTreeMap::new(),
            timeouts: Timeouts::default(),
            now: seconds(1),
        };
        let mut changes = factors.into_iter();
        for (i, (flow, millis)) in uses.into_iter().enumerate() {
            if pair.model.contains_key(&flow) {
                pair.apply(Operation::Touch { flow });
            } else {
                let class = CLASSES[usize::from(flow % 4)];
                pair.apply(Operation::Insert { flow, class });
            }
            pair.apply(Operation::Pass { millis });
            if i % 50 == 49 && let Some(factor) = changes.next() {
                pair.apply(Operation::Timeouts { factor });
                // Looking at every record once puts all of them where they belong.
                pair.apply(Operation::Expire { budget: u32::MAX });
            }
            pair.apply(Operation::Expire { budget: u32::MAX });
            for known in pair.model.values() {
                let timeout = known.timeout(&pair.timeouts);
                prop_assert!(pair.now.since(known.last_use) <= timeout + timeout / 30, "{known:?}");
            }
        }
    }
}
