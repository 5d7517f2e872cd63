//! Whatever is lost, doubled, late or restarted: of each version one table is chosen, and none is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rackweave_types::{MacAddr, Role};

use super::numbers::{member, rack};
use crate::rack::{Acceptor, Ballot, Member, Proposer, Reply, Request, Step, Table};

/// A node: its acceptor is on disk, its attempt is not.
#[derive(Debug)]
struct Node {
    own: Member,
    acceptor: Acceptor,
    attempt: Option<(Proposer, Vec<MacAddr>)>,
    beaten: Option<Ballot>,
}

#[derive(Clone, Debug)]
enum Message {
    Ask(Request),
    Answer(Reply),
}

/// A rack whose network does with messages what the seed says.
struct World {
    nodes: BTreeMap<MacAddr, Node>,
    wire: Vec<(MacAddr, MacAddr, Message)>,
    /// They hear nothing and say nothing.
    dead: BTreeSet<MacAddr>,
    chosen: BTreeMap<u64, Table>,
}

/// What happens next; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Event {
    /// A node wants the rack to begin, or another one in the table.
    Wish(usize, u8),
    /// A node wants a keeper replaced by another node.
    Replace(usize, u8),
    /// A message arrives; the copy on the wire stays where it is doubled.
    Deliver(usize, bool),
    Lose(usize),
    Restart(usize),
}

impl World {
    fn new(count: u8) -> Self {
        let node = |number| {
            let own = member(Role::Sled, number);
            let node = Node {
                own: own.clone(),
                acceptor: Acceptor::default(),
                attempt: None,
                beaten: None,
            };
            (own.hardware, node)
        };
        Self {
            nodes: (1..=count).map(node).collect(),
            wire: Vec::new(),
            dead: BTreeSet::new(),
            chosen: BTreeMap::new(),
        }
    }

    fn at(&self, index: usize) -> MacAddr {
        let mut all = self.nodes.keys();
        *all.nth(index % self.nodes.len()).unwrap()
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Wish(index, number) => self.wish(self.at(index), 100 + number % 40),
            Event::Replace(index, which) => self.replace(self.at(index), which.into()),
            Event::Restart(index) => {
                let at = self.at(index);
                let node = self.nodes.get_mut(&at).unwrap();
                (node.attempt, node.beaten) = (None, None);
            }
            Event::Lose(index) if !self.wire.is_empty() => {
                self.wire.swap_remove(index % self.wire.len());
            }
            Event::Deliver(index, doubled) if !self.wire.is_empty() => {
                let index = index % self.wire.len();
                let (from, to, message) = if doubled {
                    self.wire[index].clone()
                } else {
                    self.wire.swap_remove(index)
                };
                self.deliver(from, to, message);
            }
            Event::Lose(_) | Event::Deliver(..) => (),
        }
    }

    /// A node begins the rack with whom it sees, or has another sled added.
    fn wish(&mut self, at: MacAddr, number: u8) {
        // Each sees all but one, another one each time.
        let seen = self.nodes.values().map(|node| node.own.clone());
        let seen: Vec<_> = seen
            .enumerate()
            .filter(|(index, own)| index % 5 != usize::from(number % 5) || own.hardware == at)
            .map(|(_, own)| own)
            .collect();
        let node = self.nodes.get_mut(&at).unwrap();
        let (wish, acceptors, quorum) = match node.acceptor.chosen() {
            None => {
                let table = Table::first(rack(), &seen, None).unwrap();
                let all: Vec<_> = seen.iter().map(|own| own.hardware).collect();
                let quorum = all.len();
                (table, all, quorum)
            }
            Some(table) => {
                let arrival = member(Role::Sled, number);
                let Some(next) = table.with(&arrival, None).unwrap() else {
                    return;
                };
                (next, table.keepers(), table.majority())
            }
        };
        self.attempt(at, wish, &acceptors, quorum);
    }

    /// A node has one of the keepers replaced by one of the nodes that run.
    fn replace(&mut self, at: MacAddr, which: usize) {
        let Some(table) = self.nodes[&at].acceptor.chosen() else {
            return;
        };
        let dead = &table.keepers[which % table.keepers.len()];
        let running = self.nodes.values().map(|node| &node.own.identity);
        let mut replaced = running.filter_map(|next| table.replaced(dead, next).ok());
        if let Some(next) = replaced.nth(which % 3) {
            let (acceptors, quorum) = (table.keepers(), table.majority());
            self.attempt(at, next, &acceptors, quorum);
        }
    }

    fn attempt(&mut self, at: MacAddr, wish: Table, acceptors: &[MacAddr], quorum: usize) {
        let node = self.nodes.get_mut(&at).unwrap();
        let ballot = node.acceptor.attempt(at, node.beaten);
        let proposer = Proposer::new(wish, ballot, acceptors, quorum);
        let request = proposer.prepare();
        node.attempt = Some((proposer, acceptors.to_vec()));
        self.ask(at, acceptors, &request);
    }

    fn ask(&mut self, from: MacAddr, to: &[MacAddr], request: &Request) {
        for to in to {
            self.wire.push((from, *to, Message::Ask(request.clone())));
        }
    }

    fn deliver(&mut self, from: MacAddr, to: MacAddr, message: Message) {
        if self.dead.contains(&to) {
            return;
        }
        let node = self.nodes.get_mut(&to).unwrap();
        let reply = match message {
            Message::Ask(request) => {
                let before = node.acceptor.clone();
                let (reply, changed) = node.acceptor.answer(request);
                assert!(
                    changed || before == node.acceptor,
                    "what changes is written"
                );
                self.wire.push((to, from, Message::Answer(reply)));
                return;
            }
            Message::Answer(reply) => reply,
        };
        let Some((proposer, acceptors)) = &mut node.attempt else {
            return;
        };
        let acceptors = acceptors.clone();
        match proposer.reply(from, reply) {
            Step::Wait => (),
            Step::Ask(request) => self.ask(to, &acceptors, &request),
            Step::Teach(behind, request) => {
                // What it learned since it began its attempt serves as well.
                let table = node.acceptor.chosen().unwrap().clone();
                self.ask(to, &[behind], &Request::Learn { table });
                self.ask(to, &[behind], &request);
            }
            Step::Chosen(table) => {
                (node.attempt, node.beaten) = (None, None);
                node.acceptor.learn(table.clone());
                self.chosen_once(&table);
                let all: Vec<_> = self.nodes.keys().copied().collect();
                self.ask(to, &all, &Request::Learn { table });
            }
            Step::Beaten(ballot) => {
                node.attempt = None;
                node.beaten = Some(ballot);
            }
            Step::Alone => node.attempt = None,
        }
    }

    /// The invariant: of each version one table, which holds all that the version before held.
    fn chosen_once(&mut self, table: &Table) {
        assert_eq!(table.check(), Ok(()));
        let first = self
            .chosen
            .entry(table.version)
            .or_insert_with(|| table.clone());
        assert_eq!(first, table, "two tables of one version");
        if let Some(before) = self.chosen.get(&(table.version - 1)) {
            for given in &before.assignments {
                assert_eq!(
                    table.of(&given.identity),
                    Some(given),
                    "a node lost its /64"
                );
            }
        }
    }

    /// From now on nothing is lost: whoever wishes gets there.
    fn settle(&mut self, at: MacAddr, number: u8) -> Table {
        let wish = member(Role::Sled, number).identity;
        for _ in 0..64 {
            let known = self.nodes[&at].acceptor.chosen().cloned();
            if let Some(table) = known.filter(|table| table.of(&wish).is_some()) {
                return table;
            }
            self.wish(at, number);
            self.deliver_all();
        }
        panic!(
            "nothing is chosen though nothing is lost: {:?}",
            self.nodes[&at]
        );
    }
}

impl World {
    fn deliver_all(&mut self) {
        while !self.wire.is_empty() {
            let (from, to, message) = self.wire.remove(0);
            self.deliver(from, to, message);
        }
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        2 => (any::<usize>(), any::<u8>()).prop_map(|(at, number)| Event::Wish(at, number)),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(at, which)| Event::Replace(at, which)),
        24 => (any::<usize>(), prop::bool::weighted(0.1)).prop_map(|(at, twice)| Event::Deliver(at, twice)),
        2 => any::<usize>().prop_map(Event::Lose),
        1 => any::<usize>().prop_map(Event::Restart),
    ];
    prop::collection::vec(event, 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn of_each_version_one_table_is_chosen(count in 3_u8..8, events in events(), last: usize) {
        let mut world = World::new(count);
        for event in &events {
            world.happen(event);
        }
        let at = world.at(last);
        let before = world.chosen.clone();
        // Nobody wished for this sled before, so the last version is needed to have it.
        let table = world.settle(at, 99);
        for (version, earlier) in before {
            prop_assert!(version < table.version || table.version == 1);
            for given in &earlier.assignments {
                prop_assert_eq!(table.of(&given.identity), Some(given));
            }
        }
    }
}

#[test]
fn a_majority_suffices_and_less_does_not() {
    let all: Vec<_> = (1..=3).map(|number| member(Role::Sled, number)).collect();
    let table = Table::first(rack(), &all, None).unwrap();
    let keepers = table.keepers();
    let next = table.with(&member(Role::Sled, 9), None).unwrap().unwrap();
    let mut acceptors = [(); 2].map(|()| {
        let mut acceptor = Acceptor::default();
        assert!(acceptor.learn(table.clone()));
        acceptor
    });
    let ballot = acceptors[0].attempt(keepers[0], None);
    let mut proposer = Proposer::new(next.clone(), ballot, &keepers, table.majority());
    assert_eq!(proposer.unreachable(keepers[2]), Step::Wait);
    let prepare = proposer.prepare();
    let mut replies = acceptors
        .iter_mut()
        .map(|acceptor| acceptor.answer(prepare.clone()).0);
    assert_eq!(
        proposer.reply(keepers[0], replies.next().unwrap()),
        Step::Wait
    );
    let Step::Ask(accept) = proposer.reply(keepers[1], replies.next().unwrap()) else {
        panic!("two of three promised");
    };
    let mut replies = acceptors
        .iter_mut()
        .map(|acceptor| acceptor.answer(accept.clone()).0);
    assert_eq!(
        proposer.reply(keepers[0], replies.next().unwrap()),
        Step::Wait
    );
    let chosen = proposer.reply(keepers[1], replies.next().unwrap());
    assert_eq!(chosen, Step::Chosen(next.clone()));
    let mut lone = Proposer::new(next, ballot, &keepers, table.majority());
    assert_eq!(lone.unreachable(keepers[1]), Step::Wait);
    assert_eq!(lone.unreachable(keepers[2]), Step::Alone);
}

/// Of three keepers one dies, is replaced, and then another one dies: the table goes on, since the first one's successor
/// keeps it now.
#[test]
fn a_keeper_that_is_replaced_is_missed_no_longer() {
    let mut world = World::new(5);
    let ids: Vec<_> = world.nodes.keys().copied().collect();
    let first = world.settle(ids[0], 90);
    let keepers = first.keepers();
    assert_eq!(keepers.len(), 3);
    let others: Vec<_> = ids.iter().filter(|id| !keepers.contains(id)).collect();
    let dead = |world: &mut World, dead: MacAddr| {
        world.nodes.get_mut(&dead).unwrap().attempt = None;
        world.dead.insert(dead);
    };
    dead(&mut world, keepers[0]);
    let name = |world: &World, id: MacAddr| world.nodes[&id].own.identity.clone();
    let (lost, next) = (name(&world, keepers[0]), name(&world, *others[0]));
    let wish = first.replaced(&lost, &next).unwrap();
    world.attempt(keepers[1], wish.clone(), &keepers, first.majority());
    world.deliver_all();
    assert_eq!(world.chosen.get(&wish.version), Some(&wish));
    dead(&mut world, keepers[1]);
    // Two of the three that keep it now run, and one of them was none before.
    let last = world.settle(keepers[2], 91);
    assert_eq!(last.version, wish.version + 1);
    assert_eq!(last.keepers, wish.keepers);
}

#[test]
fn who_can_replace_whom() {
    let all: Vec<_> = (1..=4).map(|number| member(Role::Sled, number)).collect();
    let table = Table::first(rack(), &all, None).unwrap();
    let [one, two, _, four] = [1, 2, 3, 4].map(|number| member(Role::Sled, number).identity);
    let next = table.replaced(&two, &four).unwrap();
    assert_eq!(next.check(), Ok(()));
    assert_eq!((next.version, &next.keepers[1]), (2, &four));
    assert_eq!(next.assignments, table.assignments);
    let error = |dead: &str, next: &str| table.replaced(dead, next).unwrap_err().to_string();
    assert_eq!(
        error(&four, &two),
        format!(
            "{four} does not keep the rack's table: {} do",
            table.keepers.join(", ")
        )
    );
    assert!(error(&two, &one).ends_with("it does already"));
    assert!(error(&two, "nobody").ends_with("it has no /64 of the rack"));
}
