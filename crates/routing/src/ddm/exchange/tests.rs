use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn id(last: u8) -> NodeId {
    NodeId(MacAddr::new([2, 0, 0, 0, 0, last]))
}

fn key(number: u8) -> RouteKey {
    RouteKey {
        prefix: format!("fd00:1122:3344:{number:x}00::/56").parse().unwrap(),
        origin: id(number),
    }
}

fn said(path: &[u8], cost: u32) -> Said {
    Said {
        path: path.iter().map(|last| id(*last)).collect(),
        cost: Cost(cost),
        members: Some(Arc::default()),
    }
}

fn members(words: [u64; 4]) -> Said {
    Said {
        members: Some(Arc::new(Members(words))),
        ..said(&[1, 9], 0)
    }
}

/// A neighbour of the outbox: what it knows by what it was told.
struct Told {
    who: (NeighborIndex, NodeId),
    cursor: Cursor,
    knows: BTreeMap<RouteKey, Vec<NodeId>>,
    is_complete: bool,
}

impl Told {
    fn new(index: u8) -> Self {
        Self {
            who: (NeighborIndex(index.into()), id(index)),
            cursor: Cursor::default(),
            knows: BTreeMap::new(),
            is_complete: false,
        }
    }

    fn take(&mut self, outbox: &mut Outbox, most: usize) {
        for _ in 0..most {
            match outbox.next(&mut self.cursor, self.who) {
                None => return,
                Some(Item::EndOfRib) => self.is_complete = true,
                Some(Item::LetIn(_)) => panic!("sessions tell of filters, outboxes of routes"),
                Some(Item::Withdraw(key)) => {
                    self.knows.remove(&key);
                }
                Some(Item::Announce(said)) => {
                    assert!(!said.path.contains(&self.who.1), "told of itself");
                    self.knows.insert(said.key, said.path);
                }
            }
        }
    }
}

#[test]
fn news_is_told_by_what_it_is() {
    let mut outbox = Outbox::default();
    assert_eq!(outbox.announce(key(1), said(&[1, 5, 9], 0)), News::Good);
    assert_eq!(outbox.announce(key(1), said(&[1, 5, 9], 0)), News::None);
    assert_eq!(outbox.announce(key(1), said(&[1, 9], 0)), News::Good);
    assert_eq!(outbox.announce(key(1), said(&[1, 5, 9], 0)), News::Bad);
    assert_eq!(outbox.announce(key(1), said(&[1, 6, 9], 0)), News::Bad);
    assert_eq!(outbox.withdraw(key(1)), News::Bad);
    assert_eq!(outbox.withdraw(key(1)), News::None);
    outbox.announce(key(2), members([1, 0, 0, 0]));
    assert_eq!(outbox.announce(key(2), members([3, 0, 0, 0])), News::Good);
    assert_eq!(outbox.announce(key(2), members([2, 0, 0, 0])), News::Bad);
}

#[test]
fn costs_are_told_when_they_moved_and_not_too_often() {
    let mut outbox = Outbox::default();
    let mut told = Told::new(4);
    let ms = |ms| Instant::START.after(Duration::from_millis(ms));
    outbox.announce(key(1), said(&[1, 9], 1_000_000));
    told.take(&mut outbox, 10);
    assert_eq!(
        outbox.announce(key(1), said(&[1, 9], 1_150_000)),
        News::None
    );
    assert_eq!(outbox.deadline(), None);
    assert_eq!(
        outbox.announce(key(1), said(&[1, 9], 2_000_000)),
        News::Cost
    );
    assert!(outbox.tell_costs(ms(1_000)));
    assert_eq!(outbox.said(key(1)).unwrap().cost, Cost(2_000_000));
    assert_eq!(
        outbox.announce(key(1), said(&[1, 9], 4_000_000)),
        News::Cost
    );
    assert_eq!(outbox.deadline(), Some(ms(1_050)));
    assert!(!outbox.tell_costs(ms(1_049)));
    // It went back before it was told.
    assert_eq!(
        outbox.announce(key(1), said(&[1, 9], 2_100_000)),
        News::None
    );
    assert!(!outbox.tell_costs(ms(1_050)));
    assert!(!outbox.is_done(&told.cursor));
    told.take(&mut outbox, 10);
    assert!(outbox.is_done(&told.cursor));
}

#[test]
fn what_was_withdrawn_is_kept_until_all_were_told() {
    let mut outbox = Outbox::default();
    let (mut quick, mut slow) = (Told::new(4), Told::new(5));
    outbox.announce(key(1), said(&[1, 9], 0));
    quick.take(&mut outbox, 10);
    slow.take(&mut outbox, 10);
    outbox.withdraw(key(1));
    quick.take(&mut outbox, 10);
    outbox.forget([&quick.cursor, &slow.cursor].into_iter());
    assert_eq!(outbox.entries.len(), 1);
    slow.take(&mut outbox, 10);
    assert!(slow.knows.is_empty());
    outbox.forget([&quick.cursor, &slow.cursor].into_iter());
    assert!(outbox.entries.is_empty() && outbox.order.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Announce(u8, Vec<u8>),
    Withdraw(u8),
    Take(usize, usize),
    /// The session begins anew.
    Begin(usize),
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1_u8..6, proptest::sample::subsequence(vec![1_u8, 2, 3, 4, 5, 6], 0..4))
            .prop_map(|(number, path)| Step::Announce(number, path)),
        3 => (1_u8..6).prop_map(Step::Withdraw),
        5 => (0_usize..3, 1_usize..4).prop_map(|(who, most)| Step::Take(who, most)),
        1 => (0_usize..3).prop_map(Step::Begin),
        1 => Just(Step::Forget),
    ]
}

proptest! {
    /// However slowly a neighbour takes what it is told, and however often its session begins anew: in the end it knows
    /// what is said, but for what passed itself.
    #[test]
    fn neighbours_know_in_the_end_what_is_said(steps in proptest::collection::vec(step(), 1..80)) {
        let mut outbox = Outbox::default();
        let mut all = [Told::new(4), Told::new(5), Told::new(6)];
        for step in steps {
            match step {
                Step::Announce(number, mut path) => {
                    path.push(9);
                    outbox.announce(key(number), said(&path, 0));
                }
                Step::Withdraw(number) => {
                    outbox.withdraw(key(number));
                }
                Step::Take(who, most) => all[who].take(&mut outbox, most),
                Step::Begin(who) => all[who] = Told::new(4 + u8::try_from(who).unwrap()),
                Step::Forget => outbox.forget(all.iter().map(|told| &told.cursor)),
            }
        }
        for told in &mut all {
            told.take(&mut outbox, 1_000);
            prop_assert!(told.is_complete && outbox.is_done(&told.cursor));
            let keys: Vec<RouteKey> = outbox.keys().collect();
            let mut wanted = BTreeMap::new();
            for key in keys {
                let path = outbox.said(key).unwrap().path.to_vec();
                if !path.contains(&told.who.1) {
                    wanted.insert(key, path);
                }
            }
            prop_assert_eq!(&told.knows, &wanted);
        }
    }
}
