use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use rackweave_types::{Instant, MacAddr};
use zerocopy::byteorder::little_endian::U64;

use super::header::LayerName;
use super::medium::{DRAFT_AT, DRAFT_HEAD, HEADERS, SLOTS_AT};
use super::read::{Sheet, read};
use super::*;
use crate::addr::Addr;
use crate::flow::{CompiledFlow, Record, Side};
use crate::freeze::{Flow, View, flag};
use crate::program::{Action, Layer, NatPool, Program, ProgramSpec, RuleSet, Timeouts, Underlay};

/// Do not change the test that reads it: these bytes are frozen.
const FIRST_VERSION: &[u8] = include_bytes!("../../tests/golden/journal-v1.bin");

/// The time of the golden journal's last beat.
const LAST: u64 = 90_000_000_000;
const NOW: Instant = Instant::from_nanos(100_000_000_000);

fn program() -> Arc<Program> {
    let layer = |name: &str| {
        let set = RuleSet {
            rules: Vec::new(),
            default: vec![Action::Allow],
        };
        Layer {
            name: name.into(),
            outbound: set.clone(),
            inbound: set,
        }
    };
    let spec = ProgramSpec {
        layers: ["nat", "firewall"].map(layer).into(),
        underlay: Underlay {
            source: Ipv6Addr::LOCALHOST,
            src_mac: MacAddr::ZERO,
            dst_mac: MacAddr::ZERO,
            guest_mtu: 1500,
        },
        pools: vec![NatPool {
            address: Ipv4Addr::new(198, 51, 100, 1).into(),
            first_port: 1_024,
            ports: 1_024,
        }],
        meters: Vec::new(),
        timeouts: Timeouts::default(),
    };
    Arc::new(Program::compile(&spec, Vec::new()).unwrap())
}

fn side(local: [u8; 4], port: u16) -> Side {
    Side {
        local: Addr::from(Ipv4Addr::from(local)).octets(),
        remote: Addr::from(Ipv4Addr::new(192, 0, 2, 80)).octets(),
        local_port: port,
        remote_port: 443,
        local_mac: [2, 0x72, 0x77, 0, 0, 1],
        remote_mac: [2, 0x72, 0x77, 0xff, 0xff, 1],
    }
}

fn record() -> Record {
    let mut record = Record::empty();
    record.compiled = CompiledFlow::empty();
    record.compiled.protocol = 6;
    record.compiled.guest = side([10, 0, 1, 5], 40_000);
    record.compiled.wire = side([198, 51, 100, 1], 1_700);
    record.compiled.vni = [0, 0, 99];
    record.compiled.stateful_layers = 0b11;
    record.tcp = 9;
    record.packets = [1, 2];
    record.bytes = [300, u64::MAX];
    record.start = 50_000_000_000;
    record
}

/// All flags there are.
const FLAGS: u32 = flag::BEGAN_OUT
    | flag::SOURCE_NAT
    | flag::KEPT
    | flag::ADOPTED
    | flag::EXTERNAL
    | flag::BEFORE_CUT;

fn peer() -> Addr {
    Ipv6Addr::new(0xfd52, 0, 0, 0xff10, 0, 0, 0, 1).into()
}

/// A journal with every field set: a translated connection, one from before its bits had their meaning and before a
/// change that asked to cut, a place that was left, and one that was never used.
fn golden() -> Vec<u8> {
    let mut memory = vec![0x55; len_of(5)];
    let mut header = Header::new([0x0123_4567_89ab_cdef, 2], 1, 2, 5);
    header.high = 5.into();
    header.cut_since = 2.into();
    header.rest_until = 3.into();
    let names = [("firewall", 2_u64), ("nat", 1)];
    for (layer, (name, since)) in header.layers.iter_mut().zip(names) {
        *layer = LayerName {
            since: since.into(),
            name: digest(name),
        };
    }
    let mut medium = Medium::new(&mut memory, 5).unwrap();
    medium.erase();
    medium.clear(0, 5);
    let record = record();
    let plain = Entry {
        record: &record,
        flags: flag::BEGAN_OUT,
        class: 3,
        peer: None,
        last_use: 70_000_000_000,
    };
    let entry = Entry {
        flags: FLAGS,
        peer: Some(peer()),
        last_use: 80_000_000_000,
        ..plain
    };
    medium.put_first(0, Slot::new(&plain, 1));
    medium.put(3, Slot::new(&plain, 2));
    medium.vacate(3);
    medium.put(4, Slot::new(&entry, 3));
    medium.beat(Instant::from_nanos(LAST));
    medium.write_header(&mut header);
    memory
}

fn view(side: &Side) -> View {
    View {
        local: Addr::from_octets(side.local),
        remote: Addr::from_octets(side.remote),
        local_port: side.local_port,
        remote_port: side.remote_port,
        local_mac: side.local_mac,
        remote_mac: side.remote_mac,
    }
}

fn expected() -> Vec<Flow> {
    let record = record();
    let first = Flow {
        protocol: 6,
        guest: view(&record.compiled.guest),
        wire: Some(view(&record.compiled.wire)),
        flags: flag::BEGAN_OUT | flag::BEFORE_CUT,
        class: 3,
        tcp: 9,
        packets: [1, 2],
        bytes: [300, u64::MAX],
        age: NOW.nanos() - 50_000_000_000,
        idle: LAST - 70_000_000_000,
        stateful: 0b10,
        vni: Some(99),
        peer: None,
    };
    let second = Flow {
        flags: FLAGS,
        idle: LAST - 80_000_000_000,
        stateful: 0b11,
        peer: Some(peer()),
        ..first.clone()
    };
    vec![first, second]
}

fn read_now(bytes: &[u8]) -> Result<Sheet, Problem> {
    read(bytes, &program(), NOW)
}

fn check(sheet: &Sheet) {
    assert_eq!(sheet.part.flows, expected());
    assert_eq!((sheet.part.header.index, sheet.part.header.count), (1, 2));
    assert_eq!(sheet.part.header.layers[..3], ["firewall", "nat", ""]);
    assert_eq!((sheet.damaged, &sheet.lost_ports[..]), (0, &[][..]));
    let header = &sheet.header;
    assert_eq!(header.secret.map(U64::get), [0x0123_4567_89ab_cdef, 2]);
    assert_eq!(header.rest_until.get(), 3);
    assert_eq!(sheet.last.nanos(), LAST);
}

/// Do not change this test: these bytes are frozen. Journals of the first version are read by every later one.
#[test]
fn bytes_of_the_first_version_are_read_for_ever() {
    check(&read_now(FIRST_VERSION).unwrap());
}

#[test]
fn the_first_version_is_what_is_written() {
    assert_eq!(
        golden(),
        FIRST_VERSION,
        "a change of the form is a new version"
    );
}

/// The same journal with longer headers and slots, and the versions it says.
fn lengthened(version: u16, oldest_reader: u16) -> Vec<u8> {
    const MORE: usize = 64;
    let mut next = FIRST_VERSION[..SLOTS_AT].to_vec();
    let seal_slot = |place: u32, octets: &[u8]| {
        let mut octets = octets.to_vec();
        octets.extend([0x77; MORE]);
        if octets[..8] != [0; 8] {
            let sum = ink::checksum(place.into(), &octets[8..]);
            octets[..8].copy_from_slice(&sum.to_le_bytes());
        }
        octets
    };
    for (place, octets) in (0..).zip(FIRST_VERSION[SLOTS_AT..].chunks(Slot::LEN)) {
        next.extend(seal_slot(place, octets));
    }
    let draft = DRAFT_AT + DRAFT_HEAD;
    let drafted = seal_slot(4, &FIRST_VERSION[draft..draft + Slot::LEN]);
    next[draft..draft + Slot::LEN + MORE].copy_from_slice(&drafted);
    for at in HEADERS {
        let header = &mut next[at..at + Header::LEN + MORE];
        header[8..10].copy_from_slice(&version.to_le_bytes());
        header[10..12].copy_from_slice(&oldest_reader.to_le_bytes());
        let length = u16::try_from(Header::LEN + MORE).unwrap();
        header[12..14].copy_from_slice(&length.to_le_bytes());
        header[52..56].copy_from_slice(&u32::try_from(Slot::LEN + MORE).unwrap().to_le_bytes());
        header[Header::LEN..].fill(0x77);
        let sum = ink::checksum(ink::checksum(0, &header[..16]), &header[24..]);
        header[16..24].copy_from_slice(&sum.to_le_bytes());
    }
    next
}

#[test]
fn what_the_next_version_adds_is_ignored() {
    check(&read_now(&lengthened(2, 1)).unwrap());
}

#[test]
fn a_version_that_takes_something_away_is_refused() {
    let problem = read_now(&lengthened(3, 2)).unwrap_err();
    assert_eq!(
        problem,
        Problem::Version {
            version: 3,
            oldest_reader: 2
        }
    );
}

#[test]
fn one_header_is_enough() {
    for (at, value) in HEADERS
        .into_iter()
        .flat_map(|at| (0..24).map(move |i| (at + 20 * i, i)))
    {
        let mut bytes = FIRST_VERSION.to_vec();
        bytes[at] ^= 0x80 | value.to_le_bytes()[0];
        check(&read_now(&bytes).unwrap());
    }
}

#[test]
fn what_keeps_a_journal_from_being_read_is_named() {
    let changed = |at: usize, octet: u8| {
        let mut bytes = FIRST_VERSION.to_vec();
        for header in HEADERS {
            bytes[header + at] ^= octet;
        }
        bytes
    };
    let cases = [
        (Vec::new(), Problem::TooShort),
        (FIRST_VERSION[..100].to_vec(), Problem::TooShort),
        (vec![0; 10_000], Problem::Magic),
        (changed(0, 1), Problem::Magic),
        (changed(30, 1), Problem::Headers),
    ];
    for (bytes, problem) in cases {
        assert_eq!(read_now(&bytes).unwrap_err(), problem);
    }
}

#[test]
fn header_fields_are_claims() {
    type Change = fn(&mut Header);
    let cases: [(&str, Change); 5] = [
        ("count", |header| header.count = 3.into()),
        ("index", |header| header.index = 2.into()),
        ("slot length", |header| header.slot_len = 191.into()),
        ("slots' place", |header| header.slots_at = 4_200.into()),
        ("high", |header| header.high = 6.into()),
    ];
    for (field, change) in cases {
        let mut bytes = golden();
        let mut header = Header::read(&bytes).unwrap();
        change(&mut header);
        Medium::new(&mut bytes, 5)
            .unwrap()
            .write_header(&mut header);
        assert_eq!(read_now(&bytes).unwrap_err(), Problem::Value { field });
    }
}

#[test]
fn bytes_that_are_cut_short_lose_what_stood_behind() {
    let sheet = read_now(&FIRST_VERSION[..SLOTS_AT + 2 * Slot::LEN]).unwrap();
    assert_eq!(sheet.part.flows[..], expected()[..1]);
    assert_eq!((sheet.damaged, &sheet.lost_ports[..]), (3, &[None][..]));
}

/// Each octet of the slot that was written last, wrong: the draft has it. Of another slot: it alone is lost, and says
/// which port it held as long as that can be told.
#[test]
fn a_damaged_slot_is_noticed() {
    for at in 0..Slot::LEN {
        let mut bytes = FIRST_VERSION.to_vec();
        bytes[SLOTS_AT + 4 * Slot::LEN + at] ^= 0x10;
        check(&read_now(&bytes).unwrap());
        // The draft is for another place now.
        bytes[DRAFT_AT] = 3;
        let sheet = read_now(&bytes).unwrap();
        assert_eq!(sheet.part.flows[..], expected()[..1], "octet {at}");
        let port = (!matches!(at, 16 | 17 | 28..=31 | 112 | 113)).then_some(1_700);
        assert_eq!(
            (sheet.damaged, &sheet.lost_ports[..]),
            (1, &[port][..]),
            "octet {at}"
        );
        let mut bytes = FIRST_VERSION.to_vec();
        bytes[SLOTS_AT + at] ^= 0x10;
        let sheet = read_now(&bytes).unwrap();
        assert_eq!(
            (sheet.part.flows.len(), sheet.damaged),
            (1, 1),
            "octet {at}"
        );
    }
}

#[test]
fn a_clock_of_another_boot_makes_nobody_idle() {
    let sheet = read(FIRST_VERSION, &program(), Instant::from_nanos(5)).unwrap();
    let idle: Vec<u64> = sheet.part.flows.iter().map(|flow| flow.idle).collect();
    assert_eq!(idle, [10_000_000_000, 0]);
    assert!(sheet.part.flows.iter().all(|flow| flow.age == 0));
}

#[test]
fn ports_rest_as_far_as_their_owners_are_unknown() {
    let whole = golden();
    let gather = |journals: &[&[u8]]| gather(journals, &program(), NOW);
    // The other shard's journal is missing: its half of the pool.
    let found = gather(&[&whole]);
    assert_eq!(
        (found.recovery.missing, found.recovery.resting_ports),
        (1, 512)
    );
    let resting = found.resting.unwrap();
    assert!(resting.rests(1_024, NOW) && resting.rests(1_535, NOW));
    assert!(!resting.rests(1_536, NOW) && !resting.rests(1_023, NOW));
    assert!(!resting.rests(1_024, NOW.after(CARE)));
    // No journal at all: the whole pool.
    let found = gather(&[]);
    assert_eq!(
        (found.recovery.shards, found.recovery.resting_ports),
        (None, 1_024)
    );
    // Damaged, and the port unknown: what the shard has, but for the ports of connections that are known.
    let mut other = golden();
    let mut header = Header::read(&other).unwrap();
    header.index = 0.into();
    Medium::new(&mut other, 5)
        .unwrap()
        .write_header(&mut header);
    let mut damaged = whole.clone();
    damaged[SLOTS_AT + 30] ^= 1;
    let found = gather(&[&other, &damaged]);
    assert_eq!(
        (found.recovery.damaged, found.recovery.resting_ports),
        (1, 511)
    );
    assert!(
        !found.resting.unwrap().rests(1_700, NOW),
        "a known connection has it"
    );
    // Damaged, and no port was held: none.
    let mut damaged = whole.clone();
    damaged[SLOTS_AT + 40] ^= 1;
    let found = gather(&[&other, &damaged]);
    assert_eq!(
        (found.recovery.damaged, found.recovery.resting_ports),
        (1, 0)
    );
    assert!(!found.recovery.is_clean());
    assert!(gather(&[&other, &whole]).recovery.is_clean());
    // Ports that rested already go on, as far as is known.
    let mut header = Header::read(&other).unwrap();
    header.rest_until = (NOW.nanos() + 1).into();
    Medium::new(&mut other, 5)
        .unwrap()
        .write_header(&mut header);
    assert_eq!(gather(&[&other, &whole]).recovery.resting_ports, 512);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        len in any::<prop::sample::Index>(),
    ) {
        let mut bytes = golden();
        for (at, octet) in changes {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        bytes.truncate(SLOTS_AT / 2 + len.index(bytes.len()));
        if let Ok(sheet) = read_now(&bytes) {
            let there = u32::try_from(sheet.part.flows.len()).unwrap();
            prop_assert!(sheet.damaged + there <= sheet.header.high.get());
        }
    }

    /// The header is whole, and says anything.
    #[test]
    fn any_header_is_read_or_refused(
        at in 24..Header::LEN,
        octets in any::<[u8; 4]>(),
    ) {
        let mut bytes = golden();
        for from in HEADERS {
            let header = &mut bytes[from..from + Header::LEN];
            for (to, octet) in header[at..].iter_mut().zip(octets) {
                *to = octet;
            }
            let sum = ink::checksum(ink::checksum(0, &header[..16]), &header[24..]);
            header[16..24].copy_from_slice(&sum.to_le_bytes());
        }
        let found = gather(&[&bytes], &program(), NOW);
        prop_assert_eq!(found.recovery.unreadable.len() + found.parts.len(), 1);
    }
}
