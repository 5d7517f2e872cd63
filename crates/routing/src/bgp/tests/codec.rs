//! What is written is read again, and nothing that is read makes a parser panic.

use proptest::prelude::*;
use rackweave_types::Asn;

use super::arbitrary::{self, TERMS};
use crate::bgp::message::{
    MAX, Message, Notification, Prefixes, Refresh, Terms, Update, announce, end_of_rib, frame,
    subcode, withdraw,
};
use crate::bgp::{AsPath, Attributes, Family};

/// The only message in some octets.
fn read(bytes: &[u8], terms: &Terms) -> Message {
    let frame = frame(bytes).unwrap().unwrap();
    assert_eq!(frame.len(), bytes.len());
    Message::parse(frame, terms).unwrap()
}

fn update(bytes: &[u8], terms: &Terms) -> Update {
    match read(bytes, terms) {
        Message::Update(update) => update,
        other => panic!("{other:?}"),
    }
}

/// What a list of announcements says again.
fn announced(messages: &[Vec<u8>], terms: &Terms) -> (Option<Attributes>, Vec<ipnet::IpNet>) {
    let (mut attributes, mut all) = (None, Vec::new());
    for message in messages {
        assert!(message.len() <= MAX);
        let update = update(message, terms);
        assert!(
            update.withdrawn.is_empty() && update.flaws.is_empty(),
            "{update:?}"
        );
        for reach in update.reach {
            assert!(attributes.is_none() || attributes.as_ref() == Some(&reach.attributes));
            attributes = Some(reach.attributes);
            all.extend(reach.prefixes.iter());
        }
    }
    (attributes, all)
}

fn same(attributes: &Attributes, prefixes: &Prefixes, terms: &Terms) {
    let messages = announce(terms, attributes, prefixes).unwrap();
    let (again, all) = announced(&messages, terms);
    assert_eq!(again.as_ref(), Some(attributes));
    assert_eq!(all, prefixes.iter().collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn an_open_is_read_as_it_was_written(open in arbitrary::open()) {
        prop_assert_eq!(read(&open.emit(), &TERMS), Message::Open(open));
    }

    #[test]
    fn ipv4_by_ipv4_is_read_as_it_was_written(
        attributes in arbitrary::attributes(arbitrary::four()),
        prefixes in arbitrary::prefixes4(),
    ) {
        same(&attributes, &prefixes, &TERMS);
    }

    #[test]
    fn ipv4_by_ipv6_is_read_as_it_was_written(
        attributes in arbitrary::attributes(arbitrary::six()),
        prefixes in arbitrary::prefixes4(),
    ) {
        same(&attributes, &prefixes, &TERMS);
    }

    #[test]
    fn ipv6_is_read_as_it_was_written(
        attributes in arbitrary::attributes(arbitrary::six()),
        prefixes in arbitrary::prefixes6(),
    ) {
        same(&attributes, &prefixes, &TERMS);
    }

    #[test]
    fn long_numbers_pass_a_speaker_of_short_ones(
        attributes in arbitrary::attributes(arbitrary::four()),
    ) {
        let terms = Terms { four_octets: false, ..TERMS };
        let prefixes = Prefixes::V4(vec!["10.0.0.0/8".parse().unwrap()]);
        same(&attributes, &prefixes, &terms);
    }

    #[test]
    fn what_is_withdrawn_is_read_as_it_was_written(
        four in arbitrary::prefixes4(),
        six in arbitrary::prefixes6(),
    ) {
        for prefixes in [four, six] {
            let mut all = Vec::new();
            for message in withdraw(&prefixes) {
                prop_assert!(message.len() <= MAX);
                let update = update(&message, &TERMS);
                prop_assert!(update.reach.is_empty() && update.end_of_rib.is_none());
                all.extend(update.withdrawn.iter().flat_map(Prefixes::iter).collect::<Vec<_>>());
            }
            prop_assert_eq!(all, prefixes.iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_octets_make_it_panic(
        kind in 0_u8..8,
        body in proptest::collection::vec(any::<u8>(), 0..200),
        external in any::<bool>(),
        four_octets in any::<bool>(),
    ) {
        let terms = Terms { external, four_octets, ..TERMS };
        let mut bytes = vec![0xff; 16];
        bytes.extend_from_slice(&u16::try_from(19 + body.len()).unwrap().to_be_bytes());
        bytes.push(kind);
        bytes.extend_from_slice(&body);
        if let Ok(Some(frame)) = frame(&bytes) {
            let _read = Message::parse(frame, &terms);
        }
    }

    #[test]
    fn no_changed_octet_makes_it_panic(
        attributes in arbitrary::attributes(arbitrary::six()),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        external in any::<bool>(),
    ) {
        let prefixes = Prefixes::V4(vec!["10.1.0.0/16".parse().unwrap()]);
        let mut bytes = announce(&TERMS, &attributes, &prefixes).unwrap().remove(0);
        let at = 19 + at.index(bytes.len() - 19);
        bytes[at] = to;
        let terms = Terms { external, ..TERMS };
        if let Ok(Some(frame)) = frame(&bytes) {
            let _read = Message::parse(frame, &terms);
        }
    }
}

#[test]
fn a_message_is_found_when_it_is_all_there() {
    let bytes = Message::keepalive();
    for len in 0..bytes.len() {
        assert_eq!(frame(&bytes[..len]), Ok(None));
    }
    assert_eq!(read(&bytes, &TERMS), Message::Keepalive);
}

#[test]
fn a_header_that_is_none_is_refused_as_the_rfc_says() {
    let mut marker = Message::keepalive();
    marker[3] = 0;
    let broken = frame(&marker).unwrap_err();
    assert_eq!(
        (broken.notification.code, broken.notification.subcode),
        (1, 1)
    );
    for (kind, len) in [
        (1, 28),
        (2, 22),
        (3, 20),
        (4, 20),
        (5, 22),
        (2, 4097),
        (9, 18),
    ] {
        let mut bytes = vec![0xff; 16];
        bytes.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        bytes.push(kind);
        let broken = frame(&bytes).unwrap_err();
        assert_eq!(
            (broken.notification.code, broken.notification.subcode),
            (1, 2),
            "{kind}"
        );
        assert_eq!(
            broken.notification.data,
            u16::try_from(len).unwrap().to_be_bytes()
        );
    }
    let mut kind = Message::keepalive();
    kind[18] = 77;
    let broken = frame(&kind).unwrap_err();
    assert_eq!(
        (broken.notification.code, broken.notification.subcode),
        (1, 3)
    );
    assert_eq!(broken.notification.data, [77]);
}

#[test]
fn the_end_is_one_of_a_family() {
    for family in Family::ALL {
        let update = update(&end_of_rib(family), &TERMS);
        assert_eq!(update.end_of_rib, Some(family));
        assert!(update.withdrawn.is_empty() && update.reach.is_empty());
    }
}

#[test]
fn a_refresh_is_one_of_a_family() {
    for family in Family::ALL {
        let expected = Refresh {
            family: Some(family),
            subtype: 0,
        };
        assert_eq!(
            read(&Refresh::emit(family), &TERMS),
            Message::Refresh(expected)
        );
    }
}

#[test]
fn an_administrator_is_heard() {
    let said = Notification::shutdown(subcode::SHUTDOWN, "maintenance until 14:00");
    let Message::Notification(heard) = read(&said.emit(), &TERMS) else {
        panic!("no notification");
    };
    assert_eq!(heard.text().as_deref(), Some("maintenance until 14:00"));
    assert_eq!(
        heard.to_string(),
        "cease: administrative shutdown (6/2): maintenance until 14:00"
    );
    let long = Notification::shutdown(subcode::SHUTDOWN, &"ä".repeat(200));
    assert_eq!(long.text().unwrap().chars().count(), 127);
    let hard = Notification::cease(subcode::BFD_DOWN).hard();
    assert!(hard.is_hard());
    assert_eq!(
        hard.to_string(),
        "cease: hard reset (6/9): cease: bfd down (6/10)"
    );
}

#[test]
fn attributes_without_room_for_a_prefix_are_refused() {
    let path = AsPath::sequence((1..=1100).map(|number| Asn::new(number).unwrap()));
    let attributes = Attributes {
        as_path: path,
        ..Attributes::new(crate::bgp::NextHop::V4([10, 0, 0, 1].into()))
    };
    let prefixes = Prefixes::V4(vec!["10.0.0.0/8".parse().unwrap()]);
    assert!(announce(&TERMS, &attributes, &prefixes).is_err());
}
