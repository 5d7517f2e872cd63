//! The octets of messages: frozen, and the same there and back.

use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::Ipv6Net;
use proptest::prelude::*;

use rackweave_routing::ddm::item::{Announcement, Cost, Item, Members, NodeId, RouteKey, Scope};
use rackweave_routing::ddm::message::{
    Envelope, Frame, FrameError, Hello, Items, Keepalive, Kind, MAX_DATAGRAM, MAX_ITEM, MAX_ITEMS,
    MAX_PATH, SIGNATURE, Update, emit_item,
};
use rackweave_types::{MacAddr, Role};

fn hello() -> Hello<'static> {
    Hello {
        instance: 0x0102_0304_0506_0708,
        nonce: [0x11; 16],
        echo: Some([0x22; 16]),
        stream: Some([0x33; 16]),
        id: NodeId(MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, 1])),
        name: "sled-1",
        role: Role::Sled,
        hold: Duration::from_secs(3),
        rack: Some("fd00:1122:3344:100::/56".parse().unwrap()),
        az: Some("fd00:1122:3344::/48".parse().unwrap()),
        agreement: Some([0x44; 32]),
        chain: Some(&[1, 2, 3]),
        assignment: Some(&[4, 5]),
    }
}

fn envelope() -> Envelope {
    Envelope {
        session: [0x55; 16],
        number: 300,
        ack: 7,
    }
}

fn items() -> Vec<Item> {
    let node = |last| NodeId(MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, last]));
    let key = RouteKey {
        prefix: "fd00:1122:3344:100::/56".parse().unwrap(),
        origin: node(1),
    };
    vec![
        Item::Announce(Announcement {
            key,
            scope: Scope::Summary,
            path: vec![node(1), node(2)],
            cost: Cost(100_000),
            members: Some(Members([1, 2, 3, 1 << 62])),
        }),
        Item::Withdraw(key),
        Item::EndOfRib,
    ]
}

fn octets(items: &[Item]) -> Vec<u8> {
    let mut octets = Vec::new();
    for item in items {
        emit_item(&mut octets, item);
    }
    octets
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap();
    let digits = bytes.iter().flat_map(|octet| [octet >> 4, octet & 0xf]);
    digits.map(digit).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| u8::try_from(digit).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

// What version 1 is on the wire. Do not change these: a node of an older or newer release reads and writes them.
const HELLO: &str = "7277646d0181ad001b01020304050607080150111111111111111111111111111111110250222222222222222222222222222222220350333333333333333333333333333333330446a840251000010566736c65642d31060007190bb80847fd0011223344010946fd00112233440a582044444444444444444444444444444444444444444444444444444444444444440b430102030c420405";
const UPDATE: &str = "7277646d0102a50050555555555555555555555555555555550119012c0207031a00011170045866a70000014838fd0011223344010246a840251000010302044ca84025100001a84025100002051a000186a00658200000000000000001000000000000000200000000000000034000000000000000a30001014838fd0011223344010246a84025100001a10002";
const LET_IN: &str = "a20003014940fd00112233440102";
const KEEPALIVE: &str = "7277646d0103a40050555555555555555555555555555555550119012c020705f5";

#[test]
fn version_1_is_frozen() {
    let items = octets(&items());
    let update = Update {
        envelope: envelope(),
        update: 70_000,
        items: &items,
    };
    let keepalive = Keepalive {
        envelope: envelope(),
        restarting: true,
    };
    assert_eq!(hex(&hello().emit(true)), HELLO);
    assert_eq!(hex(&update.emit(false)), UPDATE);
    assert_eq!(hex(&keepalive.emit(false)), KEEPALIVE);
    let let_in = Item::LetIn("fd00:1122:3344:102::/64".parse().unwrap());
    assert_eq!(hex(&octets(&[let_in])), LET_IN);

    let mut signed = unhex(HELLO);
    signed.extend([9; SIGNATURE]);
    let frame = Frame::parse(&signed).unwrap();
    assert_eq!(
        (frame.kind, frame.signature),
        (Kind::Hello, Some(&[9; SIGNATURE]))
    );
    assert_eq!(hex(frame.signed), HELLO);
    assert_eq!(Hello::parse(frame.body), Ok(hello()));
    let bytes = unhex(UPDATE);
    assert_eq!(
        Update::parse(Frame::parse(&bytes).unwrap().body),
        Ok(update)
    );
    let bytes = unhex(KEEPALIVE);
    assert_eq!(
        Keepalive::parse(Frame::parse(&bytes).unwrap().body),
        Ok(keepalive)
    );
}

/// A later release adds fields to every map, and kinds of items and scopes: this one passes over them.
#[test]
fn what_a_later_release_adds_is_passed_over() {
    let add = |mut bytes: Vec<u8>, at: usize| {
        // One more pair in a map of fewer than 23: key 99, value [1, {2: "x"}].
        bytes[at] += 1;
        bytes.extend(unhex("1863 82 01 a1 02 61 78"));
        bytes
    };
    let bytes = add(hello().emit(false), 6);
    assert_eq!(
        Hello::parse(Frame::parse(&bytes).unwrap().body),
        Ok(hello())
    );
    let keepalive = Keepalive {
        envelope: envelope(),
        restarting: false,
    };
    let bytes = add(keepalive.emit(false), 6);
    assert_eq!(
        Keepalive::parse(Frame::parse(&bytes).unwrap().body),
        Ok(keepalive)
    );

    let known = items();
    let mut bytes = add(octets(&known[..1]), 0);
    // An item of kind 9 with a field of its own, between two that are known.
    bytes.extend(unhex("a2 00 09 18 20 f5"));
    bytes.extend(octets(&known[1..]));
    let read: Vec<Item> = Items::new(&bytes).map(Result::unwrap).collect();
    assert_eq!(read, known);
}

/// A scope that this release does not know is no way to go: what was announced under the key before is gone.
#[test]
fn an_unknown_scope_withdraws() {
    let known = items();
    let mut bytes = octets(&known[..1]);
    let scope = bytes.windows(2).position(|pair| pair == [3, 2]).unwrap();
    bytes[scope + 1] = 20;
    let read: Vec<Item> = Items::new(&bytes).map(Result::unwrap).collect();
    assert_eq!(read, known[1..2]);
}

#[test]
fn wrong_frames_are_told_apart() {
    let good = hello().emit(false);
    let change = |at: usize, octet: u8| {
        let mut bytes = good.clone();
        bytes[at] = octet;
        Frame::parse(&bytes).map(|_| ()).unwrap_err()
    };
    assert_eq!(change(0, b'x'), FrameError::Magic);
    assert_eq!(change(4, 2), FrameError::Version(2));
    assert_eq!(change(5, 0x7f), FrameError::Kind(0x7f));
    assert_eq!(Frame::parse(&good[..5]), Err(FrameError::Short(5)));
    assert_eq!(Frame::parse(&good[..3]), Err(FrameError::Magic));
    assert_eq!(Frame::parse(&[0; 1233]), Err(FrameError::Long(1233)));
    let signed = hello().emit(true);
    assert_eq!(Frame::parse(&signed[..69]), Err(FrameError::Short(69)));
}

#[test]
fn a_path_too_long_is_told_as_withdrawn() {
    let Some(Item::Announce(mut announcement)) = items().into_iter().next() else {
        panic!("no announcement");
    };
    announcement.path = vec![announcement.key.origin; MAX_PATH + 1];
    let bytes = octets(&[Item::Announce(announcement.clone())]);
    assert_eq!(
        Items::new(&bytes).collect::<Result<Vec<_>, _>>(),
        Ok(vec![Item::Withdraw(announcement.key)])
    );
}

fn arbitrary_key() -> impl Strategy<Value = RouteKey> {
    (any::<u128>(), 0..=128_u8, any::<[u8; 6]>()).prop_map(|(address, length, mac)| RouteKey {
        prefix: Ipv6Net::new(Ipv6Addr::from(address), length)
            .unwrap()
            .trunc(),
        origin: NodeId(MacAddr::new(mac)),
    })
}

fn arbitrary_item() -> impl Strategy<Value = Item> {
    let scope = prop_oneof![
        Just(Scope::Bootstrap),
        Just(Scope::Rack),
        Just(Scope::Summary),
        Just(Scope::Service),
        Just(Scope::Site),
    ];
    let path = proptest::collection::vec(any::<[u8; 6]>(), 1..=MAX_PATH);
    let members = proptest::option::of(any::<[u64; 4]>());
    let announcement = (arbitrary_key(), scope, path, any::<u32>(), members).prop_map(
        |(key, scope, path, cost, members)| {
            Item::Announce(Announcement {
                key,
                scope,
                path: path
                    .into_iter()
                    .map(|mac| NodeId(MacAddr::new(mac)))
                    .collect(),
                cost: Cost(cost),
                members: members.map(Members),
            })
        },
    );
    prop_oneof![
        announcement,
        arbitrary_key().prop_map(Item::Withdraw),
        Just(Item::EndOfRib),
        arbitrary_key().prop_map(|key| Item::LetIn(key.prefix)),
    ]
}

proptest! {
    #[test]
    fn items_are_the_same_there_and_back(items in proptest::collection::vec(arbitrary_item(), 0..20)) {
        for item in &items {
            prop_assert!(octets(std::slice::from_ref(item)).len() <= MAX_ITEM);
        }
        let bytes = octets(&items);
        prop_assert_eq!(Items::new(&bytes).collect::<Result<Vec<_>, _>>(), Ok(items));
    }

    /// Whatever the numbers are, a full update fits into a datagram.
    #[test]
    fn a_full_update_fits(session: [u8; 16], number: u64, ack: u64, update: u64) {
        let items = [0; MAX_ITEMS];
        let message = Update {
            envelope: Envelope { session, number, ack },
            update,
            items: &items,
        };
        prop_assert!(message.emit(true).len() + SIGNATURE <= MAX_DATAGRAM);
    }

    #[test]
    fn no_octets_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Frame::parse(&bytes);
        let _ = Hello::parse(&bytes);
        let _ = Update::parse(&bytes);
        let _ = Keepalive::parse(&bytes);
        prop_assert!(Items::new(&bytes).count() <= bytes.len());
    }
}
