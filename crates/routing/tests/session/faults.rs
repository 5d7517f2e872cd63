//! Loss, duplication, reordering, restarts and new keys: items arrive once and in order, or their session is over.

use std::time::Duration;

use proptest::prelude::*;

use rackweave_routing::ddm::item::Item;
use rackweave_routing::ddm::message::MAX_DATAGRAM;
use rackweave_routing::ddm::session::SessionEvent;
use rackweave_testkit::random::Random;
use rackweave_types::Instant;

use rackweave_testkit::ends::{Ends, Perfect, UNIX, Wire, item};
use rackweave_testkit::keys::Tree;

/// Loses, doubles and delays at random.
struct Faulty {
    random: Random,
    lost: u64,
    doubled: u64,
    delay_us: u64,
}

impl Wire for Faulty {
    fn arrivals(&mut self, now: Instant, _: usize) -> Vec<Instant> {
        let copies = match self.random.between(1, 100) {
            chance if chance <= self.lost => 0,
            chance if chance <= self.lost + self.doubled => 2,
            _ => 1,
        };
        let mut arrival = || {
            now.after(Duration::from_micros(
                self.random.between(10, self.delay_us),
            ))
        };
        (0..copies).map(|_| arrival()).collect()
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push(usize, u16),
    Run(u64),
    Restart(usize),
    /// A new key, or in unsigned mode news of the node.
    Renew(usize),
    Clock(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_usize, 1..120_u16).prop_map(|(at, count)| Step::Push(at, count)),
        6 => (0..400_u64).prop_map(Step::Run),
        1 => (4000..9000_u64).prop_map(Step::Run),
        1 => (0..2_usize).prop_map(Step::Restart),
        2 => (0..2_usize).prop_map(Step::Renew),
        1 => (-500..500_i64).prop_map(Step::Clock),
    ]
}

/// What an end said, by session as it saw them.
#[derive(Default)]
struct Told {
    streams: Vec<Vec<Item>>,
    /// How many of its events were looked at.
    looked: usize,
}

struct Case {
    ends: Ends,
    told: [Told; 2],
    tree: Option<Tree>,
    next: u16,
}

impl Case {
    fn new(signed: bool) -> Self {
        let (ends, tree) = if signed {
            let mut tree = Tree::new(1).unwrap();
            (
                Ends::new([1, 2].map(|number| tree.own(number).unwrap())),
                Some(tree),
            )
        } else {
            (Ends::unsigned(), None)
        };
        Self {
            ends,
            told: [Told::default(), Told::default()],
            tree,
            next: 0,
        }
    }

    fn push(&mut self, at: usize, count: u16) {
        self.notice(at);
        if self.ends.ends[at].session.peer().is_none() {
            return;
        }
        for _ in 0..count {
            self.next += 1;
            let item = item(self.next);
            self.ends.ends[at].session.push(&item);
            self.told[at].streams.last_mut().unwrap().push(item);
        }
    }

    /// A session that began from nothing: what is pushed from now on is of it.
    fn notice(&mut self, at: usize) {
        let told = &mut self.told[at];
        for event in self.ends.ends[at].events.iter().skip(told.looked) {
            if matches!(event, SessionEvent::Established { .. }) {
                told.streams.push(Vec::new());
            }
        }
        told.looked = self.ends.ends[at].events.len();
    }

    /// What an end heard in its last session.
    fn heard(&self, at: usize) -> Vec<Item> {
        let mut heard = Vec::new();
        for event in &self.ends.ends[at].events {
            match event {
                SessionEvent::Established { .. } => heard.clear(),
                SessionEvent::Item(item) => heard.push(item.clone()),
                _ => {}
            }
        }
        heard
    }

    /// What each end heard in its last session is what the other said from the beginning of one.
    fn check(&mut self) -> Result<(), TestCaseError> {
        let longest = self
            .ends
            .captured
            .iter()
            .map(|(_, bytes)| bytes.len())
            .max();
        prop_assert!(longest <= Some(MAX_DATAGRAM), "{longest:?} octets");
        for at in [0, 1] {
            self.notice(at);
            let heard = self.heard(at);
            let streams = &self.told[1 - at].streams;
            prop_assert!(
                heard.is_empty() || streams.iter().any(|told| told.starts_with(&heard)),
                "end {at} heard {heard:?}, of {streams:?}"
            );
        }
        Ok(())
    }

    fn play(&mut self, step: Step, wire: &mut Faulty) {
        match step {
            Step::Push(at, count) => self.push(at, count),
            Step::Run(ms) => self.ends.run(Duration::from_millis(ms), wire),
            Step::Restart(at) => {
                self.ends.restart(at);
                self.told[at].looked = 0;
            }
            Step::Renew(at) => {
                let own = &mut self.ends.ends[at].own;
                own.revision += 1;
                if let Some(tree) = &mut self.tree {
                    let credentials = tree.credentials(own, UNIX + 100_000).unwrap();
                    tree.equip(own, credentials);
                }
            }
            Step::Clock(by) => {
                self.ends.now.unix = self.ends.now.unix.saturating_add_signed(by);
            }
        }
    }
}

fn run(
    signed: bool,
    steps: &[Step],
    seed: u64,
    lost: u64,
    doubled: u64,
    delay_us: u64,
) -> Result<(), TestCaseError> {
    let mut case = Case::new(signed);
    let mut wire = Faulty {
        random: Random::new(seed),
        lost,
        doubled,
        delay_us,
    };
    for step in steps {
        case.play(*step, &mut wire);
        case.check()?;
    }
    case.ends.run(Duration::from_secs(8), &mut Perfect);
    case.push(0, 50);
    case.push(1, 50);
    case.ends.run(Duration::from_secs(2), &mut Perfect);
    case.check()?;
    prop_assert!(case.ends.established());
    prop_assert_eq!(case.ends.key(0), case.ends.key(1));
    for at in [0, 1] {
        let said = case.told[1 - at]
            .streams
            .last()
            .cloned()
            .unwrap_or_default();
        prop_assert_eq!(case.heard(at), said);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn items_arrive_once_and_in_order(
        steps in proptest::collection::vec(step(), 1..30),
        seed: u64,
        lost in 0..40_u64,
        doubled in 0..20_u64,
        delay_us in 20..15_000_u64,
    ) {
        run(false, &steps, seed, lost, doubled, delay_us)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn items_arrive_once_and_in_order_signed(
        steps in proptest::collection::vec(step(), 1..20),
        seed: u64,
        lost in 0..40_u64,
        doubled in 0..20_u64,
        delay_us in 20..15_000_u64,
    ) {
        run(true, &steps, seed, lost, doubled, delay_us)?;
    }
}

/// No session is lost by new keys at both ends while items flow over a link that loses a tenth.
#[test]
fn rotation_during_traffic_loses_nothing() {
    let mut case = Case::new(true);
    let mut wire = Faulty {
        random: Random::new(7),
        lost: 10,
        doubled: 0,
        delay_us: 2000,
    };
    case.ends.run(Duration::from_millis(500), &mut wire);
    for round in 0..8 {
        case.push(0, 100);
        case.push(1, 100);
        case.play(Step::Renew(round % 2), &mut wire);
        case.ends.run(Duration::from_millis(100), &mut wire);
    }
    case.ends.run(Duration::from_secs(3), &mut Perfect);
    for at in [0, 1] {
        let events = &case.ends.ends[at].events;
        let count =
            |wanted: fn(&SessionEvent) -> bool| events.iter().filter(|event| wanted(event)).count();
        assert_eq!(
            count(|event| matches!(event, SessionEvent::Established { .. })),
            1
        );
        assert_eq!(
            count(|event| matches!(event, SessionEvent::ControlDead { .. })),
            0
        );
        assert!(count(|event| matches!(event, SessionEvent::Rekeyed { .. })) >= 4);
        assert_eq!(case.told[1 - at].streams, [case.heard(at)]);
    }
}
