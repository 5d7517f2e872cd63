//! What is wrong with an attribute costs what RFC 7606 says, and no more.

use super::arbitrary::TERMS;
use crate::bgp::Attributes;
use crate::bgp::message::{Broken, Consequence, Message, Terms, Update, frame};

const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
const PATH: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9];
const HOP: &[u8] = &[0x40, 3, 4, 10, 0, 0, 1];
const PREFIX: &[u8] = &[8, 10];
const EXTERNAL: Terms = Terms {
    external: true,
    ..TERMS
};

fn parse(attributes: &[&[u8]], prefixes: &[u8], terms: &Terms) -> Result<Update, Broken> {
    let attributes = attributes.concat();
    let mut bytes = vec![0xff; 16];
    let len = 23 + attributes.len() + prefixes.len();
    bytes.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
    bytes.extend_from_slice(&[2, 0, 0]);
    bytes.extend_from_slice(&u16::try_from(attributes.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&attributes);
    bytes.extend_from_slice(prefixes);
    match Message::parse(frame(&bytes).unwrap().unwrap(), terms)? {
        Message::Update(update) => Ok(update),
        other => panic!("{other:?}"),
    }
}

/// The update comes, and its prefix is withdrawn because of this attribute.
fn withdraws(attribute: u8, attributes: &[&[u8]], terms: &Terms) {
    let update = parse(attributes, PREFIX, terms).unwrap();
    assert!(update.reach.is_empty(), "{attributes:?}");
    assert_eq!(update.withdrawn.len(), 1, "{attributes:?}");
    let flaw = update.flaws.iter().find(|flaw| flaw.attribute == attribute);
    assert_eq!(
        flaw.unwrap().consequence,
        Consequence::Withdraw,
        "{attributes:?}"
    );
}

/// The update comes, without this attribute.
fn discards(attribute: u8, attributes: &[&[u8]], terms: &Terms) -> Attributes {
    let update = parse(attributes, PREFIX, terms).unwrap();
    let flaw = update.flaws.iter().find(|flaw| flaw.attribute == attribute);
    assert_eq!(
        flaw.unwrap().consequence,
        Consequence::Discard,
        "{attributes:?}"
    );
    assert!(update.withdrawn.is_empty());
    update.reach.into_iter().next().unwrap().attributes
}

fn resets(attributes: &[&[u8]], prefixes: &[u8]) -> (u8, u8) {
    let notification = parse(attributes, prefixes, &EXTERNAL)
        .unwrap_err()
        .notification;
    (notification.code, notification.subcode)
}

#[test]
fn what_is_right_is_taken() {
    let update = parse(&[ORIGIN, PATH, HOP], PREFIX, &EXTERNAL).unwrap();
    assert!(update.flaws.is_empty() && update.withdrawn.is_empty());
    assert_eq!(update.reach[0].attributes.as_path.to_string(), "65001");
}

#[test]
fn wrong_attributes_withdraw() {
    let with = |bad: &'static [u8]| [ORIGIN, PATH, HOP, bad];
    withdraws(1, &[&[0x40, 1, 1, 3], PATH, HOP], &EXTERNAL);
    withdraws(1, &[&[0x40, 1, 2, 0, 0], PATH, HOP], &EXTERNAL);
    withdraws(1, &[&[0xc0, 1, 1, 0], PATH, HOP], &EXTERNAL);
    for path in [
        &[0x40, 2, 6, 5, 1, 0, 0, 0xfd, 0xe9][..],
        &[0x40, 2, 2, 2, 0],
        &[0x40, 2, 1, 2],
        &[0x40, 2, 6, 2, 2, 0, 0, 0xfd, 0xe9],
        &[0x40, 2, 6, 2, 1, 0, 0, 0, 0],
    ] {
        withdraws(2, &[ORIGIN, path, HOP], &EXTERNAL);
    }
    withdraws(3, &[ORIGIN, PATH, &[0x40, 3, 3, 10, 0, 0]], &EXTERNAL);
    withdraws(3, &[ORIGIN, PATH, &[0x40, 3, 4, 224, 0, 0, 1]], &EXTERNAL);
    withdraws(4, &with(&[0x80, 4, 3, 0, 0, 0]), &EXTERNAL);
    withdraws(5, &with(&[0x40, 5, 3, 0, 0, 0]), &TERMS);
    withdraws(8, &with(&[0xc0, 8, 3, 0, 0, 0]), &EXTERNAL);
    withdraws(8, &with(&[0xc0, 8, 0]), &EXTERNAL);
    withdraws(9, &with(&[0x80, 9, 3, 0, 0, 0]), &TERMS);
    withdraws(10, &with(&[0x80, 10, 3, 0, 0, 0]), &TERMS);
    withdraws(16, &with(&[0xc0, 16, 4, 0, 0, 0, 0]), &EXTERNAL);
    withdraws(32, &with(&[0xc0, 32, 4, 0, 0, 0, 0]), &EXTERNAL);
}

#[test]
fn missing_attributes_withdraw() {
    withdraws(1, &[PATH, HOP], &EXTERNAL);
    withdraws(2, &[ORIGIN, HOP], &EXTERNAL);
    withdraws(3, &[ORIGIN, PATH], &EXTERNAL);
}

#[test]
fn an_attribute_beyond_the_end_withdraws() {
    withdraws(0, &[ORIGIN, PATH, HOP, &[0x80, 4, 200, 0]], &EXTERNAL);
    withdraws(0, &[ORIGIN, PATH, HOP, &[0x80]], &EXTERNAL);
}

#[test]
fn some_are_discarded() {
    let with = |bad: &'static [u8]| [ORIGIN, PATH, HOP, bad];
    assert_eq!(
        discards(5, &with(&[0x40, 5, 4, 0, 0, 0, 200]), &EXTERNAL).local_pref,
        None
    );
    assert_eq!(
        discards(9, &with(&[0x80, 9, 4, 1, 1, 1, 1]), &EXTERNAL).originator,
        None
    );
    assert!(!discards(6, &with(&[0x40, 6, 1, 0]), &EXTERNAL).atomic_aggregate);
    assert!(!discards(6, &with(&[0xc0, 6, 0]), &EXTERNAL).atomic_aggregate);
    assert_eq!(
        discards(7, &with(&[0xc0, 7, 6, 0, 1, 1, 1, 1, 1]), &EXTERNAL).aggregator,
        None
    );
    let twice = discards(1, &with(&[0x40, 1, 1, 2]), &EXTERNAL);
    assert_eq!(twice.origin, crate::bgp::Origin::Igp, "the first counts");
}

#[test]
fn what_cannot_be_understood_resets() {
    assert_eq!(resets(&[ORIGIN, PATH, HOP, &[0x40, 99, 0]], PREFIX), (3, 2));
    assert_eq!(resets(&[ORIGIN, PATH, HOP], &[33, 10, 0, 0, 0, 0]), (3, 10));
    assert_eq!(resets(&[ORIGIN, PATH, HOP], &[24, 10]), (3, 10));
    let reach = &[0x80, 14, 7, 0, 2, 1, 2, 0, 0, 0][..];
    assert_eq!(resets(&[ORIGIN, PATH, reach], &[]), (3, 9));
    let unreach = &[0x80, 15, 3, 0, 2, 1][..];
    assert_eq!(resets(&[unreach, unreach], &[]), (3, 1));
}

#[test]
fn unknown_transitive_attributes_are_kept_and_others_not() {
    let attributes: [&[u8]; 5] = [ORIGIN, PATH, HOP, &[0xc0, 99, 1, 7], &[0x80, 98, 1, 7]];
    let update = parse(&attributes, PREFIX, &EXTERNAL).unwrap();
    let unknown = &update.reach[0].attributes.unknown;
    assert_eq!(unknown.len(), 1);
    assert_eq!((unknown[0].kind, &unknown[0].value[..]), (99, &[7][..]));
}

#[test]
fn a_family_that_was_not_agreed_upon_is_ignored() {
    let terms = Terms {
        ipv6: false,
        ..EXTERNAL
    };
    let mut reach = vec![0x80, 14, 22, 0, 2, 1, 16];
    reach.extend([0x20; 16]);
    reach.extend([0, 0]);
    let update = parse(&[ORIGIN, PATH, &reach], &[], &terms).unwrap();
    assert!(update.reach.is_empty() && update.withdrawn.is_empty() && update.flaws.is_empty());
}
