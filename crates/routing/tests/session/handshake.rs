//! From nothing to a session.

use std::time::Duration;

use rackweave_routing::ddm::item::Item;
use rackweave_routing::ddm::message::{Frame, Hello, Kind};
use rackweave_routing::ddm::session::SessionEvent;

use rackweave_testkit::ends::{Cut, Ends, Perfect, item};

const MOMENT: Duration = Duration::from_millis(5);

#[test]
fn two_ends_meet_at_once() {
    let mut ends = Ends::unsigned();
    ends.run(MOMENT, &mut Perfect);
    assert!(ends.established());
    assert_eq!(ends.key(0), ends.key(1));
    assert_eq!(ends.ends[0].session.peer().unwrap().name, "node-2");
    for end in &ends.ends {
        assert_eq!(end.refused, []);
        assert_eq!(end.events.len(), 1);
    }
}

#[test]
fn items_come_once_and_in_order() {
    let mut ends = Ends::unsigned();
    ends.run(MOMENT, &mut Perfect);
    let items: Vec<Item> = (0..500).map(item).chain([Item::EndOfRib]).collect();
    for item in &items {
        ends.ends[0].session.push(item);
    }
    ends.run(MOMENT, &mut Perfect);
    assert_eq!(ends.items(1), items);
    assert_eq!(ends.items(0), []);
}

#[test]
fn an_idle_session_says_little() {
    let mut ends = Ends::unsigned();
    ends.run(Duration::from_secs(1), &mut Perfect);
    let before = ends.captured.len();
    ends.run(Duration::from_secs(30), &mut Perfect);
    assert!(ends.established());
    let said = ends.captured.len() - before;
    assert!((58..=62).contains(&said), "{said} messages");
}

#[test]
fn silence_ends_a_session() {
    let mut ends = Ends::unsigned();
    ends.run(Duration::from_secs(1), &mut Perfect);
    ends.restart(1);
    ends.ends[0].events.clear();
    ends.run(Duration::from_secs(3), &mut Cut);
    let [SessionEvent::ControlDead { reason }] = ends.ends[0].events.as_slice() else {
        panic!("{:?}", ends.ends[0].events);
    };
    assert_eq!(reason, "nothing of node-2 for the hold time of 3000 ms");
    ends.run(Duration::from_secs(1), &mut Perfect);
    assert!(ends.established());
}

#[test]
fn a_restarted_end_is_taken_back_at_once() {
    let mut ends = Ends::unsigned();
    ends.run(Duration::from_secs(1), &mut Perfect);
    ends.ends[0].events.clear();
    ends.restart(1);
    ends.run(MOMENT, &mut Perfect);
    assert!(ends.established());
    assert!(matches!(
        ends.ends[0].events.as_slice(),
        [SessionEvent::Established {
            restarted: true,
            ..
        }]
    ));
}

#[test]
fn news_of_a_node_lose_nothing() {
    let mut ends = Ends::unsigned();
    ends.run(MOMENT, &mut Perfect);
    ends.ends[0].session.push(&item(1));
    ends.ends[0].own.revision += 1;
    ends.ends[0].own.name = "renamed".to_owned();
    ends.ends[1].events.clear();
    ends.run(MOMENT, &mut Perfect);
    let [
        SessionEvent::Item(first),
        SessionEvent::Rekeyed { peer, .. },
    ] = ends.ends[1].events.as_slice()
    else {
        panic!("{:?}", ends.ends[1].events);
    };
    assert_eq!(*first, item(1));
    assert_eq!(peer.name, "renamed");
    ends.ends[0].session.push(&item(2));
    ends.run(MOMENT, &mut Perfect);
    assert_eq!(ends.items(1), [item(1), item(2)]);
    assert_eq!(ends.key(0), ends.key(1));
}

#[test]
fn who_is_about_to_restart_says_so() {
    let mut ends = Ends::unsigned();
    ends.run(MOMENT, &mut Perfect);
    ends.ends[0].session.restarting();
    ends.run(MOMENT, &mut Perfect);
    assert_eq!(ends.ends[1].events.last(), Some(&SessionEvent::Restarting));
}

/// However many ask, and be they one or many: one answer in 20 ms leaves, and the last who asked has it.
#[test]
fn a_flood_of_hellos_is_answered_at_its_pace() {
    let mut ends = Ends::unsigned();
    let mut asking = Vec::new();
    for _ in 0..4 {
        ends.transmit(0, &mut Cut);
        asking.push(ends.captured.pop().unwrap().1);
        ends.restart(0);
    }
    let nonce = |bytes: &[u8]| {
        Hello::parse(Frame::parse(bytes).unwrap().body)
            .unwrap()
            .nonce
    };
    ends.captured.clear();
    for round in 0..1_000 {
        ends.deliver(1, &asking[round % 4]).unwrap();
        ends.transmit(1, &mut Cut);
        ends.now.at = ends.now.at.after(Duration::from_micros(100));
    }
    ends.run(Duration::from_millis(20), &mut Cut);
    let hellos = ends.captured.iter().filter(|(to, _)| *to == 0);
    let echoes: Vec<_> = hellos
        .filter_map(|(_, bytes)| {
            let frame = Frame::parse(bytes).unwrap();
            assert_eq!(frame.kind, Kind::Hello);
            Hello::parse(frame.body).unwrap().echo
        })
        .collect();
    assert_eq!(echoes.len(), 6, "at 0, 20, 40, 60, 80 and 100 ms");
    assert_eq!(echoes.last(), Some(&nonce(&asking[3])));
}
