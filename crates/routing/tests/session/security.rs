//! Signed sessions under attack.

use std::time::Duration;

use rackweave_routing::ddm::message::{Envelope, Frame, Hello, Keepalive, Kind};
use rackweave_routing::ddm::session::{RefusedKind, Security, SessionEvent};
use rackweave_types::{Instant, Role};

use rackweave_testkit::ends::{Cut, End, Ends, Perfect, UNIX, Wire, item, own};
use rackweave_testkit::keys::{Tree, rack_prefix};

const MOMENT: Duration = Duration::from_millis(5);

fn signed() -> (Ends, Tree) {
    let mut tree = Tree::new(1).unwrap();
    (
        Ends::new([1, 2].map(|number| tree.own(number).unwrap())),
        tree,
    )
}

fn refusals(end: &End) -> u64 {
    end.session.refusals().iter().map(|(_, count)| count).sum()
}

/// What an attacker must not change.
fn state(end: &End) -> (usize, bool, Option<Instant>, usize) {
    (
        end.events.len(),
        end.session.peer().is_some(),
        end.session.deadline(),
        end.session.window(),
    )
}

#[test]
fn ends_prove_who_they_are() {
    let (mut ends, _) = signed();
    ends.run(MOMENT, &mut Perfect);
    assert!(ends.established());
    assert_eq!(ends.key(0), ends.key(1));
    let peer = ends.ends[1].session.peer().unwrap();
    assert!(peer.proven);
    assert_eq!(
        (peer.role, peer.rack),
        (Role::Sled, Some(rack_prefix().unwrap()))
    );
    let assignment = peer.assignment.as_ref().unwrap();
    assert_eq!(assignment.prefix.to_string(), "fd00:1122:3344:101::/64");
    assert_eq!(ends.ends[0].refused, []);
    assert_eq!(ends.ends[1].refused, []);
}

/// Delivers, before each datagram, the same with each of its octets changed.
#[test]
fn whatever_octet_is_altered_nothing_changes() {
    let (mut ends, _) = signed();
    let mut altered_ones = 0;
    for round in 0..8 {
        for at in [0, 1] {
            ends.transmit(at, &mut Perfect);
        }
        for flying in core::mem::take(&mut ends.flying) {
            // One bit of each octet, and each of the header.
            for place in (0..flying.bytes.len()).chain([4, 5, 5]) {
                let mut bytes = flying.bytes.clone();
                bytes[place] ^= 1 << ((place + altered_ones) % 8);
                let before = (
                    state(&ends.ends[flying.to]),
                    refusals(&ends.ends[flying.to]),
                );
                assert!(ends.deliver(flying.to, &bytes).is_err(), "octet {place}");
                let end = &ends.ends[flying.to];
                assert_eq!(
                    (state(end), refusals(end)),
                    (before.0, before.1 + 1),
                    "octet {place}"
                );
                altered_ones += 1;
            }
            ends.deliver(flying.to, &flying.bytes).unwrap();
        }
        ends.now.at = ends.now.at.after(Duration::from_millis(2));
        if round == 3 {
            assert!(ends.established());
            ends.ends[0].session.push(&item(1));
            ends.ends[1].session.push(&item(2));
            ends.ends[0].session.restarting();
        }
    }
    assert!(altered_ones > 2500, "{altered_ones}");
    assert_eq!(ends.items(1), [item(1)]);
    assert_eq!(ends.items(0), [item(2)]);
    let bad = ends.ends[0].session.refusals();
    for kind in [
        RefusedKind::Malformed,
        RefusedKind::Version,
        RefusedKind::Unsigned,
        RefusedKind::Signature,
    ] {
        assert!(bad.of(kind) > 0, "{kind}");
    }
}

#[test]
fn replays_change_nothing_and_are_counted() {
    let (mut ends, _) = signed();
    ends.run(MOMENT, &mut Perfect);
    ends.ends[0].session.push(&item(1));
    ends.ends[1].session.push(&item(2));
    ends.run(Duration::from_secs(4), &mut Perfect);
    // Another session, so that there are captures of one that is over.
    ends.ends[1].own.revision += 1;
    ends.run(Duration::from_secs(2), &mut Perfect);
    let keys = [ends.key(0), ends.key(1)];
    let captured = ends.captured.clone();
    assert!(captured.len() > 12);
    for (to, bytes) in &captured {
        // To whom it was sent, and back to who sent it.
        for to in [*to, 1 - to] {
            let before = (state(&ends.ends[to]), refusals(&ends.ends[to]));
            assert!(ends.deliver(to, bytes).is_err());
            let end = &ends.ends[to];
            assert_eq!((state(end), refusals(end)), (before.0, before.1 + 1));
        }
    }
    ends.run(Duration::from_secs(10), &mut Perfect);
    assert_eq!([ends.key(0), ends.key(1)], keys);
    assert_eq!(ends.items(0), [item(2)]);
}

/// All that was captured is replayed to a node that restarted and knows nothing of it: its new session comes up and
/// stands, and what was replayed is counted.
#[test]
fn replays_over_a_restart_change_nothing() {
    let (mut ends, _) = signed();
    ends.run(MOMENT, &mut Perfect);
    ends.ends[0].session.push(&item(1));
    ends.run(Duration::from_secs(1), &mut Perfect);
    let captured: Vec<_> = ends
        .captured
        .iter()
        .filter(|(to, _)| *to == 1)
        .cloned()
        .collect();
    ends.restart(1);
    for (_, bytes) in &captured {
        // A hello that asks is answered; it is counted once nothing follows it.
        let _ = ends.deliver(1, bytes);
    }
    assert_eq!(ends.ends[1].events, []);
    ends.run(Duration::from_millis(50), &mut Perfect);
    assert!(ends.established(), "accepted at once");
    for (_, bytes) in &captured {
        let _ = ends.deliver(1, bytes);
        ends.run(MOMENT, &mut Perfect);
    }
    ends.run(Duration::from_secs(4), &mut Perfect);
    assert_eq!(ends.items(1), []);
    assert_eq!(ends.ends[1].events.len(), 1);
    assert_eq!(ends.ends[0].events.len(), 2);
    let sent = u64::try_from(captured.len()).unwrap();
    let replayed = ends.ends[1].session.refusals().of(RefusedKind::Replayed);
    assert!(replayed >= 2 * sent - 2, "{replayed} of {sent} twice");
}

/// An answer to a hello that was replayed does not reach into the session that stands, on either side.
#[test]
fn a_replayed_hello_is_answered_at_most() {
    let (mut ends, _) = signed();
    ends.run(MOMENT, &mut Perfect);
    let (to, hello) = ends.captured[0].clone();
    ends.restart(1 - to);
    ends.run(Duration::from_secs(1), &mut Perfect);
    // Of the process before: nobody remembers it, so it is answered.
    ends.restart(to);
    ends.run(Duration::from_millis(500), &mut Perfect);
    assert!(ends.established());
    let keys = [ends.key(0), ends.key(1)];
    let events = [0, 1].map(|at| ends.ends[at].events.len());
    let before = refusals(&ends.ends[to]);
    ends.deliver(to, &hello).unwrap();
    ends.run(Duration::from_secs(10), &mut Perfect);
    assert_eq!([ends.key(0), ends.key(1)], keys);
    assert_eq!([0, 1].map(|at| ends.ends[at].events.len()), events);
    assert_eq!(refusals(&ends.ends[to]), before + 1);
}

/// A node of the fabric passes the nonces of two others on under its own certificate, so that one takes the other for its
/// neighbour and the other takes the node in the middle: their sessions have different names, and neither takes what the
/// other says.
#[test]
fn a_node_in_the_middle_joins_nobody() {
    let (mut ends, mut tree) = signed();
    let middle = tree.own(3).unwrap();
    let Security::Signed { credentials, .. } = &middle.security else {
        panic!("no credentials");
    };
    let chain = credentials.chain().to_bytes();
    let pass_on = |bytes: &[u8], echo: Option<[u8; 16]>| {
        let hello = Hello::parse(Frame::parse(bytes).unwrap().body).unwrap();
        let own = Hello {
            instance: middle.instance,
            id: middle.id,
            name: &middle.name,
            role: middle.role,
            echo,
            chain: Some(&chain),
            assignment: None,
            ..hello
        };
        let mut datagram = own.emit(true);
        let signature = credentials.sign(&datagram);
        datagram.extend(signature);
        datagram
    };
    ends.transmit(0, &mut Cut);
    let (_, asking) = ends.captured[0].clone();
    ends.deliver(1, &pass_on(&asking, None)).unwrap();
    ends.transmit(1, &mut Cut);
    let (_, answer) = ends.captured.last().unwrap().clone();
    let echo = Hello::parse(Frame::parse(&answer).unwrap().body)
        .unwrap()
        .nonce;
    ends.deliver(0, &answer).unwrap();
    ends.deliver(1, &pass_on(&asking, Some(echo))).unwrap();
    assert_eq!(ends.ends[0].session.peer().unwrap().name, "node-2");
    assert_eq!(ends.ends[1].session.peer().unwrap().name, "node-3");
    assert_ne!(ends.key(0), ends.key(1));
    let before = ends.captured.len();
    for at in [0, 1] {
        ends.ends[at].session.push(&item(1));
        ends.transmit(at, &mut Cut);
    }
    for (to, bytes) in ends.captured.split_off(before) {
        if Frame::parse(&bytes).unwrap().kind != Kind::Hello {
            assert_eq!(
                ends.deliver(to, &bytes).unwrap_err().kind,
                RefusedKind::Replayed
            );
        }
    }
    assert_eq!((ends.items(0), ends.items(1)), (Vec::new(), Vec::new()));
}

#[test]
fn unsigned_messages_are_refused() {
    let (mut ends, _) = signed();
    ends.run(MOMENT, &mut Perfect);
    let mut plain = Ends::new([3, 4].map(|number| own(number, Security::Unsigned)));
    plain.run(MOMENT, &mut Perfect);
    for (_, bytes) in &plain.captured {
        let refused = ends.deliver(0, bytes).unwrap_err();
        assert_eq!(refused.kind, RefusedKind::Unsigned);
        assert!(refused.reason.contains("rackweave keys"), "{refused}");
    }
    // And the other way round.
    for (_, bytes) in &ends.captured.clone() {
        let refused = plain.deliver(0, bytes).unwrap_err();
        assert_eq!(refused.kind, RefusedKind::Foreign);
    }
    let forged = Keepalive {
        envelope: Envelope {
            session: [0; 16],
            number: 1,
            ack: 0,
        },
        restarting: true,
    };
    assert_eq!(
        ends.deliver(0, &forged.emit(false)).unwrap_err().kind,
        RefusedKind::Unsigned
    );
}

#[test]
fn another_tree_of_keys_is_foreign() {
    let (mut one, mut other) = (Tree::new(1).unwrap(), Tree::new(2).unwrap());
    let mut ends = Ends::new([one.own(1).unwrap(), other.own(2).unwrap()]);
    ends.run(Duration::from_secs(2), &mut Perfect);
    assert!(!ends.established());
    for end in &ends.ends {
        assert!(
            end.refused
                .iter()
                .all(|refused| refused.kind == RefusedKind::Signature)
        );
        assert!(!end.refused.is_empty());
        assert_eq!(end.events, []);
    }
}

#[test]
fn a_node_cannot_claim_to_be_another() {
    let (mut ends, _) = signed();
    ends.ends[0].own.id = own(7, Security::Unsigned).id;
    ends.run(Duration::from_secs(1), &mut Perfect);
    assert!(!ends.established());
    let refused = ends.ends[1].refused.first().unwrap();
    assert_eq!(refused.kind, RefusedKind::Foreign);
    assert_eq!(
        refused.reason,
        "it says it is the sled node-1 (a8:40:25:10:00:07), and its certificate is that of the sled node-1 (a8:40:25:10:00:01)"
    );
}

#[test]
fn an_assignment_of_another_node_gives_nothing() {
    let (mut ends, tree) = signed();
    let mut other = own(1, Security::Unsigned);
    other.name = "node-5".to_owned();
    ends.ends[0].own.assignment = Some(tree.assignment(&other).unwrap());
    ends.run(MOMENT, &mut Perfect);
    let peer = ends.ends[1].session.peer().unwrap();
    assert_eq!(peer.assignment, None);
    let why = peer.unassigned.as_ref().unwrap();
    assert!(
        why.contains("fd00:1122:3344:1") && why.contains("node-1"),
        "{why}"
    );
}

#[test]
fn an_echo_of_oneself_is_told() {
    let (mut ends, _) = signed();
    ends.transmit(0, &mut Perfect);
    let (_, hello) = ends.captured[0].clone();
    let refused = ends.deliver(0, &hello).unwrap_err();
    assert_eq!(refused.kind, RefusedKind::Foreign);
    assert!(refused.reason.contains("the link is a loop"), "{refused}");
}

#[test]
fn expired_certificates_end_a_session_with_the_reason() {
    let mut tree = Tree::new(1).unwrap();
    let mut ends = Ends::new([1, 2].map(|number| tree.own(number).unwrap()));
    let short = tree.credentials(&ends.ends[0].own, UNIX + 60).unwrap();
    tree.equip(&mut ends.ends[0].own, short);
    ends.run(Duration::from_secs(1), &mut Perfect);
    assert!(ends.established());
    ends.now.unix = UNIX + 61;
    ends.run(Duration::from_secs(4), &mut Perfect);
    let dead = ends.ends[1].events.iter().find_map(|event| match event {
        SessionEvent::ControlDead { reason } => Some(reason.clone()),
        _ => None,
    });
    let reason = dead.unwrap();
    assert!(
        reason.contains("the certificates of node-1 ended at 2027-01-15T08:01:00Z"),
        "{reason}"
    );
    assert!(ends.ends[1].session.refusals().of(RefusedKind::Expired) > 2);
    // New ones, and all is well.
    let new = tree.credentials(&ends.ends[0].own, UNIX + 1000).unwrap();
    tree.equip(&mut ends.ends[0].own, new);
    ends.run(Duration::from_secs(2), &mut Perfect);
    assert!(ends.established());
}

#[test]
fn a_rack_certificate_is_renewed_in_time() {
    let mut tree = Tree::new(1).unwrap();
    tree.renew_rack(UNIX + 60);
    let mut ends = Ends::new([1, 2].map(|number| tree.own(number).unwrap()));
    ends.run(Duration::from_secs(1), &mut Perfect);
    tree.renew_rack(UNIX + 1000);
    for at in [0, 1] {
        let new = tree.credentials(&ends.ends[at].own, UNIX + 1000).unwrap();
        tree.equip(&mut ends.ends[at].own, new);
    }
    ends.run(Duration::from_secs(1), &mut Perfect);
    ends.now.unix = UNIX + 61;
    ends.run(Duration::from_secs(10), &mut Perfect);
    for end in &ends.ends {
        assert!(
            !end.events
                .iter()
                .any(|event| matches!(event, SessionEvent::ControlDead { .. }))
        );
        assert_eq!(end.session.refusals().of(RefusedKind::Expired), 0);
    }
}

/// A clock that jumps costs no session that stands, as long as certificates hold at the new time or were seen to hold
/// before.
#[test]
fn jumps_of_the_clock() {
    let (mut ends, _) = signed();
    ends.run(MOMENT, &mut Perfect);
    for unix in [0, UNIX + 50_000, UNIX - 999, u64::from(u32::MAX) / 1000] {
        ends.now.unix = unix;
        ends.run(Duration::from_secs(10), &mut Perfect);
        assert!(ends.established());
        assert_eq!(ends.ends[0].events.len(), 1);
    }
    // A new one is refused until the clock is right, and says so.
    ends.restart(1);
    ends.run(Duration::from_secs(1), &mut Perfect);
    let mut refused = ends.ends[0].refused.iter();
    let early = refused
        .find(|refused| refused.kind == RefusedKind::Expired)
        .unwrap();
    assert!(early.reason.contains("look at the clocks"), "{early}");
    ends.now.unix = UNIX;
    ends.run(Duration::from_secs(2), &mut Perfect);
    assert!(ends.established());
}

/// What the neighbour signs and nobody can read ends its session, and it alone, with a reason; and it is not spoken to
/// for a while.
#[test]
fn nonsense_under_ones_own_name_costs_the_session() {
    let mut ends = Ends::unsigned();
    ends.run(MOMENT, &mut Perfect);
    ends.ends[0].session.push(&item(1));
    ends.transmit(0, &mut Cut);
    let (_, mut bytes) = ends.captured.last().unwrap().clone();
    let last = bytes.len() - 1;
    bytes[last] = 0xff;
    let refused = ends.deliver(1, &bytes).unwrap_err();
    assert_eq!(refused.kind, RefusedKind::Malformed);
    let Some(SessionEvent::ControlDead { reason }) = ends.ends[1].events.last() else {
        panic!("{:?}", ends.ends[1].events);
    };
    assert_eq!(reason, "an item cannot be read: its body is no cbor map");
    ends.run(Duration::from_secs(4), &mut Perfect);
    assert!(ends.ends[1].session.peer().is_none());
    ends.run(Duration::from_secs(3), &mut Perfect);
    assert!(ends.established());
}

/// What is large gets lost.
struct Narrow;

impl Wire for Narrow {
    fn arrivals(&mut self, now: Instant, octets: usize) -> Vec<Instant> {
        (octets < 500).then_some(now).into_iter().collect()
    }
}

#[test]
fn who_acknowledges_nothing_is_given_up_with_a_reason() {
    let mut ends = Ends::unsigned();
    ends.run(MOMENT, &mut Perfect);
    for number in 0..40 {
        ends.ends[0].session.push(&item(number));
    }
    ends.run(Duration::from_secs(20), &mut Narrow);
    let reasons = ends.ends[0].events.iter().filter_map(|event| match event {
        SessionEvent::ControlDead { reason } => Some(reason.as_str()),
        _ => None,
    });
    assert_eq!(
        reasons.collect::<Vec<_>>(),
        [
            "node-2 talks and acknowledges nothing for 15000 ms; does the link carry packets of 1,280 octets?"
        ]
    );
}

/// A hello that was believed once is not believed for ever: not when its certificates have ended, nor when others are
/// trusted.
#[test]
fn a_hello_that_comes_again_is_looked_at_again() {
    let mut tree = Tree::new(1).unwrap();
    let mut ends = Ends::new([1, 2].map(|number| tree.own(number).unwrap()));
    let short = tree.credentials(&ends.ends[0].own, UNIX + 60).unwrap();
    tree.equip(&mut ends.ends[0].own, short);
    ends.transmit(0, &mut Cut);
    let (_, hello) = ends.captured.last().unwrap().clone();
    for _ in 0..2 {
        ends.deliver(1, &hello).unwrap();
    }
    let mut altered = hello.clone();
    *altered.last_mut().unwrap() ^= 1;
    let refused = ends.deliver(1, &altered).unwrap_err();
    assert_eq!(refused.kind, RefusedKind::Signature);
    for (unix, kind) in [
        (UNIX + 61, RefusedKind::Expired),
        (UNIX - 1001, RefusedKind::Expired),
    ] {
        ends.now.unix = unix;
        assert_eq!(ends.deliver(1, &hello).unwrap_err().kind, kind);
    }
    ends.now.unix = UNIX;
    ends.deliver(1, &hello).unwrap();
    let mut other = Tree::new(2).unwrap();
    let credentials = other.credentials(&ends.ends[1].own, UNIX + 1000).unwrap();
    other.equip(&mut ends.ends[1].own, credentials);
    let refused = ends.deliver(1, &hello).unwrap_err();
    assert_eq!(refused.kind, RefusedKind::Signature);
}
