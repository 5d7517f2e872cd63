use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use minicbor::{Decoder, Encoder};
use proptest::prelude::*;

use super::frame;
use super::*;
use crate::addr::Addr;
use crate::direction::Direction;

/// Do not change the test that reads it: these bytes are frozen.
const FIRST_VERSION: &[u8] = include_bytes!("../../tests/golden/frozen-v1.bin");

fn v4(last: u8) -> Addr {
    Ipv4Addr::new(10, 0, 1, last).into()
}

fn v6(last: u16) -> Addr {
    Ipv6Addr::new(0xfd12, 0, 0, 0, 0, 0, 0, last).into()
}

fn view_of(local: Addr, remote: Addr) -> View {
    View {
        local,
        remote,
        local_port: 40_000,
        remote_port: 80,
        local_mac: [2, 0x72, 0x77, 0, 0, 1],
        remote_mac: [2, 0x72, 0x77, 0xff, 0xff, 1],
    }
}

fn plain_flow(protocol: u8) -> Flow {
    Flow {
        protocol,
        guest: view_of(v6(1), v6(2)),
        wire: None,
        flags: 0,
        class: 0,
        tcp: 0,
        packets: [0; 2],
        bytes: [0; 2],
        age: 0,
        idle: 0,
        stateful: 0,
        vni: None,
        peer: None,
    }
}

/// A shard with every field of every item set, and a connection in every TCP state.
fn everything() -> Part {
    let translated = Flow {
        wire: Some(View {
            local_port: 16_384,
            ..view_of(Ipv4Addr::new(198, 51, 100, 1).into(), v4(9))
        }),
        guest: view_of(v4(5), v4(9)),
        flags: flag::BEGAN_OUT
            | flag::SOURCE_NAT
            | flag::KEPT
            | flag::ADOPTED
            | flag::EXTERNAL
            | flag::BEFORE_CUT,
        class: 2,
        packets: [1, 2],
        bytes: [300, u64::MAX],
        age: 5_000_000_000,
        idle: 4_000_000_000,
        stateful: 0b101,
        vni: Some(99),
        peer: Some(Ipv6Addr::new(0xfd52, 0, 0, 0xff10, 0, 0, 0, 1).into()),
        ..plain_flow(17)
    };
    let states = (0..16).map(|tcp| Flow {
        tcp,
        class: tcp % 4,
        ..plain_flow(6)
    });
    let (out, inbound) = (Direction::Out, Direction::In);
    let cell = Cell {
        direction: out,
        bound: 64,
        cast: 2,
        network: 1,
        transport: 3,
        packets: 7,
        bytes: 448,
    };
    let fragment = Fragment {
        direction: inbound,
        src: v4(1),
        dst: v4(2),
        protocol: 17,
        id: 0xdead_beef,
        src_port: 1,
        dst_port: 2,
        icmp_type: 3,
        icmp_code: 4,
        left: 1_000_000_000,
    };
    Part {
        header: Header {
            index: 1,
            count: 2,
            layers: vec!["firewall".to_string(), "nat".to_string()],
        },
        flows: [translated].into_iter().chain(states).collect(),
        totals: Totals {
            received: [1, 2],
            forwarded: [3, 4],
            hairpinned: [5, 6],
            punted: [7, 8],
            handed_over: [9, 10],
            refusals: 11,
            from_previous_host: 12,
            flows_created: 13,
            flows_expired: 14,
            flows_evicted: 15,
            flows_cut: 16,
        },
        traffic: vec![
            cell,
            Cell {
                direction: inbound,
                bound: u32::MAX,
                cast: 0,
                ..cell
            },
        ],
        drops: vec![Drops {
            direction: inbound,
            reason: "rule_denied".to_string(),
            count: 17,
        }],
        hits: vec![
            Hits {
                layer: 0,
                direction: out,
                rule: Some(u64::MAX),
                count: 18,
            },
            Hits {
                layer: 1,
                direction: inbound,
                rule: None,
                count: 19,
            },
        ],
        meters: vec![
            Meter {
                place: None,
                bytes_ahead: None,
                packets_ahead: Some(20),
            },
            Meter {
                place: Some(3),
                bytes_ahead: Some(21),
                packets_ahead: None,
            },
        ],
        fragments: vec![fragment],
        punts: vec![Punted {
            queue: 1,
            direction: out,
            bytes: Box::new([1, 2, 3]),
        }],
    }
}

fn write(part: &Part) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.section(core::iter::once(part.header.clone()));
    writer.section(part.flows.iter().cloned());
    writer.section(core::iter::once(part.totals.clone()));
    writer.section(part.traffic.iter().copied());
    writer.section(part.drops.iter().cloned());
    writer.section(part.hits.iter().copied());
    writer.section(part.meters.iter().copied());
    writer.section(part.fragments.iter().copied());
    writer.section(part.punts.iter().cloned());
    writer.finish()
}

/// Do not change this test: these bytes are frozen. Ports frozen by the first version are read by every later one.
#[test]
fn bytes_of_the_first_version_are_read_for_ever() {
    assert_eq!(read(FIRST_VERSION).unwrap(), everything());
}

#[test]
fn the_first_version_is_what_is_written() {
    assert_eq!(
        write(&everything()),
        FIRST_VERSION,
        "a change of the form is a new version"
    );
}

/// The bytes as a next version would write them: it knows more sections, and more fields of every item.
fn with_additions(bytes: &[u8]) -> Vec<u8> {
    let mut next = Vec::from(*b"rwfrozen\x00\x02\x00\x01");
    for section in frame::open(bytes).unwrap() {
        let section = section.unwrap();
        for id in [section.id + 1_000, section.id] {
            let mut items = Vec::new();
            let mut decoder = Decoder::new(section.items);
            while decoder.position() < section.items.len() {
                extended(&mut decoder, &mut items);
            }
            next.extend(id.to_be_bytes());
            next.extend(u32::try_from(items.len()).unwrap().to_be_bytes());
            next.extend(items);
        }
    }
    frame::seal(next)
}

/// More fields than an item of the first version has.
const FIELDS: u64 = 20;

/// Copies an item with three more fields: a number, a list of a map, a text.
fn extended(decoder: &mut Decoder<'_>, into: &mut Vec<u8>) {
    let fields = decoder.array().unwrap().unwrap();
    Encoder::new(&mut *into).array(FIELDS + 3).unwrap();
    let start = decoder.position();
    for _ in 0..fields {
        decoder.skip().unwrap();
    }
    into.extend_from_slice(&decoder.input()[start..decoder.position()]);
    let mut encoder = Encoder::new(into);
    // Trailing fields that are nothing may be left out where no other follows.
    for _ in fields..FIELDS {
        encoder.null().unwrap();
    }
    encoder
        .u64(u64::MAX)
        .unwrap()
        .array(1)
        .unwrap()
        .map(1)
        .unwrap()
        .u8(1)
        .unwrap()
        .null()
        .unwrap();
    encoder.str("new").unwrap();
}

#[test]
fn what_the_next_version_adds_is_ignored() {
    assert_eq!(read(&with_additions(FIRST_VERSION)).unwrap(), everything());
}

#[test]
fn a_version_that_takes_something_away_is_refused() {
    let mut bytes = FIRST_VERSION[..FIRST_VERSION.len() - 32].to_vec();
    bytes[8..12].copy_from_slice(&[0, 3, 0, 2]);
    let error = read(&frame::seal(bytes)).unwrap_err();
    assert_eq!(
        error,
        PartError {
            offset: 8,
            problem: Problem::Version {
                version: 3,
                oldest_reader: 2
            }
        }
    );
}

fn sections(parts: &[(u16, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = frame::begin();
    for (id, len, items) in parts {
        bytes.extend(id.to_be_bytes());
        bytes.extend(len.to_be_bytes());
        bytes.extend(*items);
    }
    frame::seal(bytes)
}

/// Shard 0 of 1, without layers.
const SHARD: (u16, u32, &[u8]) = (1, 4, &[0x83, 0, 1, 0x80]);

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let missing = Problem::Missing { section: "shard" };
    let cases: Vec<(Vec<u8>, usize, Problem)> = vec![
        (Vec::new(), 0, Problem::TooShort),
        (vec![0; 64], 0, Problem::Magic),
        (sections(&[]), 44, missing),
        (
            sections(&[(9, 5, &[])]),
            12,
            Problem::Overlong { section: 9, len: 5 },
        ),
        (
            sections(&[SHARD, SHARD]),
            28,
            Problem::Repeated { section: "shard" },
        ),
        (
            sections(&[(1, 4, &[0x83, 1, 1, 0x80])]),
            18,
            Problem::Value {
                section: "shard",
                field: "index",
            },
        ),
        (
            sections(&[(1, 4, &[0x83, 0, 3, 0x80])]),
            18,
            Problem::Value {
                section: "shard",
                field: "count",
            },
        ),
    ];
    for (bytes, offset, problem) in cases {
        assert_eq!(read(&bytes).unwrap_err(), PartError { offset, problem });
    }
    let flow = [0x83, 6, 0x01, 0x02];
    let error = read(&sections(&[SHARD, (2, 4, &flow)])).unwrap_err();
    assert!(
        matches!(
            error.problem,
            Problem::Item {
                section: "flows",
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.offset, 30, "the field that is no view: {error}");
}

#[test]
fn families_do_not_mix() {
    let mut part = everything();
    part.flows[0].wire = Some(view_of(v4(1), v6(1)));
    let error = read(&write(&part)).unwrap_err();
    assert_eq!(
        error.problem,
        Problem::Value {
            section: "flows",
            field: "wire"
        }
    );
}

#[test]
fn every_damaged_octet_is_noticed() {
    for at in 0..FIRST_VERSION.len() {
        let mut bytes = FIRST_VERSION.to_vec();
        bytes[at] ^= 1;
        assert!(read(&bytes).is_err(), "octet {at}");
        assert!(read(&FIRST_VERSION[..at]).is_err(), "{at} octets");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(read(&bytes).is_err());
    }

    /// The digest is right, so that what is inside is looked at.
    #[test]
    fn any_sections_are_read_or_refused(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = FIRST_VERSION[..FIRST_VERSION.len() - 32].to_vec();
        for (at, octet) in changes {
            let at = 12 + at.index(bytes.len() - 12);
            bytes[at] = octet;
        }
        let len = bytes.len();
        if let Err(error) = read(&frame::seal(bytes)) {
            prop_assert!(error.offset <= len + 32, "{}", error);
        }
    }
}
