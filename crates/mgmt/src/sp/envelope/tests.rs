use alloc::string::String;
use alloc::vec;
use core::fmt::Write;

use proptest::prelude::*;

use super::super::auth::{Key, Way};
use super::super::message::{Here, Image, Kind, Port, Power, Progress, State};
use super::super::probe::{Probe, Witness};
use super::*;

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").unwrap();
        text
    })
}

/// The octets of messages of version 1, as they were on the day they landed.
#[test]
fn version_1_is_frozen() {
    let image = Image {
        name: "a".into(),
        len: 9,
        hash: [3; 32],
    };
    let here = Here {
        kind: Kind::Psc,
        serial: "S1".into(),
        first_mac: [1, 2, 3, 4, 5, 6],
        reached: Port::Two,
        boot: [9; 16],
        version: 1,
    };
    let state = State {
        power: Power::On,
        firmware: "f".into(),
        on_trial: true,
        uptime: 7,
        refused: 0,
    };
    let cases = [
        (Message::Request(Request::Discover), FROZEN[0]),
        (Message::Request(Request::ReplyIfAt(Port::One)), FROZEN[1]),
        (
            Message::Request(Request::ConsoleWrite(4, vec![0x6c, 0x73])),
            FROZEN[2],
        ),
        (
            Message::Request(Request::UpdateBegin(image.clone())),
            FROZEN[3],
        ),
        (Message::Response(Response::Here(here)), FROZEN[4]),
        (Message::Response(Response::State(state)), FROZEN[5]),
        (
            Message::Response(Response::Update(Progress {
                image: Some(image),
                next: 5,
            })),
            FROZEN[6],
        ),
    ];
    for (message, frozen) in cases {
        let octets = write(0x0102_0304, &message, None).unwrap();
        assert_eq!(hex(&octets), frozen, "{message:?}");
        let letter = read(&octets, None).unwrap();
        assert_eq!(
            letter,
            Letter {
                id: 0x0102_0304,
                proven: false,
                message
            }
        );
    }
}

const FROZEN: [&str; 7] = [
    "010001020304820080",
    "01000102030482018101",
    "010001020304820b8204426c73",
    "010001020304820d818361610958200303030303030303030303030303030303030303030303030303030303030303",
    "01010102030482008186016253314601020304050602500909090909090909090909090909090901",
    "01010102030482028185016166f50700",
    "01010102030482098182836161095820030303030303030303030303030303030303030303030303030303030303030305",
];

/// The octets of what version 1 has learned since.
#[test]
fn probes_are_frozen() {
    let probe = Probe {
        port: Port::Two,
        tags: vec![0x301, 0x102],
        destination: [0xff; 6],
        marker: 0x0102_0304_0506,
    };
    let witness = Witness {
        marker: 7,
        port: Some(Port::One),
        tags: vec![0x301],
    };
    let elsewhere = Witness {
        marker: 8,
        port: None,
        tags: vec![],
    };
    let cases = [
        (
            Message::Request(Request::Inject(vec![probe])),
            FROZEN_PROBES[0],
        ),
        (Message::Request(Request::Witnessed(3)), FROZEN_PROBES[1]),
        (
            Message::Response(Response::Witnessed(vec![witness, elsewhere], 9)),
            FROZEN_PROBES[2],
        ),
    ];
    for (message, frozen) in cases {
        let octets = write(0x0102_0304, &message, None).unwrap();
        assert_eq!(hex(&octets), frozen, "{message:?}");
        assert_eq!(read(&octets, None).unwrap().message, message);
    }
}

const FROZEN_PROBES: [&str; 3] = [
    "0100010203048213818184028219030119010246ffffffffffff1b0000010203040506",
    "01000102030482148103",
    "010101020304820b8282830701811903018308f68009",
];

#[test]
fn proofs_cover_every_bit() {
    let key = Key::new(&[5; 32]);
    let mut sealer = Sealer::new(key.clone(), Way::ToSp, [1; 16], 0);
    let opener = Opener::new(key, Way::ToSp, [1; 16]);
    let octets = write(7, &Message::Request(Request::Reset), Some(&mut sealer)).unwrap();
    assert!(read(&octets, Some(&mut opener.clone())).unwrap().proven);
    assert!(!read(&octets, None).unwrap().proven);
    for bit in 0..8 * octets.len() {
        let mut changed = octets.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let believed = read(&changed, Some(&mut opener.clone())).is_ok_and(|letter| letter.proven);
        assert!(!believed, "bit {bit}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let long = Message::Request(Request::UpdateChunk(0, vec![0; DATAGRAM_MAX]));
    assert_eq!(write(1, &long, None), Err(Unreadable::Length));
    assert_eq!(read(&[0; DATAGRAM_MAX + 1], None), Err(Unreadable::Length));
    assert_eq!(read(&[1, 0, 0], None), Err(Unreadable::Length));
    assert_eq!(read(&[2, 0, 0, 0, 0, 0], None), Err(Unreadable::Version(2)));
    assert_eq!(read(&[1, 0, 0, 0, 0, 0], None), Err(Unreadable::Body));
}

proptest! {
    #[test]
    fn no_datagram_panics(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
        let mut opener = Opener::new(Key::new(&[5; 32]), Way::ToSp, [1; 16]);
        let _result = read(&octets, Some(&mut opener));
    }

    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..80), response: bool) {
        let octets = [&[VERSION, u8::from(response), 0, 0, 0, 0][..], &body].concat();
        let _result = read(&octets, None);
    }
}
