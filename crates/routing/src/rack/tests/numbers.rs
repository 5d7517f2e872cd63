//! Who gets which number.

use proptest::prelude::*;
use rackweave_trust::SecretKey;
use rackweave_types::{MacAddr, RackPrefix, Role};

use crate::rack::{Member, Table, TableError};

pub(crate) fn rack() -> RackPrefix {
    "fd00:1122:3344:100::/56".parse().unwrap()
}

pub(crate) fn member(role: Role, number: u8) -> Member {
    Member {
        identity: format!("{role}-{number:03}"),
        hardware: MacAddr::new([2, 0, 0, 0, u8::from(role == Role::Switch), number]),
        role,
    }
}

fn sled(number: u8) -> Member {
    member(Role::Sled, number)
}

fn switch(number: u8) -> Member {
    member(Role::Switch, number)
}

/// The last octet of each node's /64.
fn numbers(table: &Table) -> Vec<(&str, u8)> {
    let all = table.assignments.iter();
    all.map(|given| (given.identity.as_str(), given.prefix.node().get()))
        .collect()
}

#[test]
fn numbers_are_in_order_of_identity() {
    let members = [switch(2), sled(3), sled(1), switch(1), sled(2)];
    let table = Table::first(rack(), &members, None).unwrap();
    assert_eq!(
        numbers(&table),
        [
            ("sled-001", 0x01),
            ("sled-002", 0x02),
            ("sled-003", 0x03),
            ("switch-001", 0xfd),
            ("switch-002", 0xfe)
        ]
    );
    assert_eq!(table.keepers, ["sled-001", "sled-002", "sled-003"]);
    assert_eq!((table.version, table.majority()), (1, 2));
    assert_eq!(table.check(), Ok(()));
}

#[test]
fn a_small_rack_is_kept_by_its_switches_too() {
    let table = Table::first(rack(), &[switch(1), sled(1), switch(2)], None).unwrap();
    assert_eq!(table.keepers, ["sled-001", "switch-001", "switch-002"]);
    let alone = Table::first(rack(), &[sled(9)], None).unwrap();
    assert_eq!(
        (alone.keepers(), alone.majority()),
        (vec![sled(9).hardware], 1)
    );
}

#[test]
fn a_later_arrival_gets_the_lowest_free_number_and_keeps_it() {
    let key = SecretKey::new(&[1; 32]);
    let table = Table::first(rack(), &[sled(5), sled(6), switch(1)], Some(&key)).unwrap();
    let table = table.with(&sled(1), Some(&key)).unwrap().unwrap();
    assert_eq!(numbers(&table)[2], ("sled-001", 0x03));
    assert_eq!(table.version, 2);
    // It asks again: nothing changes.
    assert_eq!(table.with(&sled(1), Some(&key)), Ok(None));
    // It comes with another NIC: the same number, stated anew.
    let mut other = sled(1);
    other.hardware = MacAddr::new([2, 9, 9, 9, 9, 9]);
    let table = table.with(&other, Some(&key)).unwrap().unwrap();
    let given = table.of("sled-001").unwrap();
    assert_eq!(
        (given.prefix.node().get(), given.hardware),
        (3, other.hardware)
    );
    for given in &table.assignments {
        assert_eq!(
            given.verify(rack(), &key.public()),
            Ok(()),
            "{}",
            given.identity
        );
    }
}

#[test]
fn who_can_have_no_number_is_told_why() {
    let table = Table::first(rack(), &[sled(1), switch(1), switch(2)], None).unwrap();
    let text = |member: &Member| table.with(member, None).unwrap_err().to_string();
    assert_eq!(
        text(&switch(3)),
        "a rack has two switches, and this one has switch-001, switch-002 and now switch-003"
    );
    let mut as_switch = sled(1);
    as_switch.role = Role::Switch;
    assert_eq!(
        text(&as_switch),
        "sled-001 is a switch, and a sled in the rack's table"
    );
    let mut renamed = sled(1);
    renamed.identity = "sled-one".into();
    assert_eq!(
        text(&renamed),
        "sled-one has the hardware address 02:00:00:00:00:01, which is sled-001's in the rack's table"
    );
    assert_eq!(
        text(&member(Role::Spine, 9)),
        "spine-009 is a spine, which is of no rack and has no /64"
    );
    let mut double = sled(2);
    double.identity = "sled-001".into();
    assert_eq!(
        Table::first(rack(), &[sled(1), double], None)
            .unwrap_err()
            .to_string(),
        "two nodes are called sled-001: 02:00:00:00:00:01 and 02:00:00:00:00:02; \
         give one another name by `--id`"
    );
    assert_eq!(Table::first(rack(), &[], None), Err(TableError::Nobody));
}

#[test]
fn a_rack_has_numbers_for_252_sleds() {
    let all: Vec<_> = (1..=0xfc).map(sled).collect();
    let table = Table::first(rack(), &all, None).unwrap();
    assert_eq!(
        table.with(&sled(0xff), None),
        Err(TableError::Full("sled-255".into()))
    );
}

#[test]
fn a_table_that_contradicts_itself_is_none() {
    let table = Table::first(rack(), &[sled(1), sled(2), switch(1)], None).unwrap();
    let breakings: [fn(&mut Table); 6] = [
        |table| table.assignments[1].prefix = table.assignments[0].prefix,
        |table| table.assignments[1].identity = table.assignments[0].identity.clone(),
        |table| table.assignments[1].hardware = table.assignments[0].hardware,
        |table| table.assignments[1].role = Role::Switch,
        |table| table.keepers = vec!["nobody".into()],
        |table| table.keepers.clear(),
    ];
    for (at, breaking) in breakings.into_iter().enumerate() {
        let mut broken = table.clone();
        breaking(&mut broken);
        assert!(matches!(broken.check(), Err(TableError::Broken(_))), "{at}");
    }
}

proptest! {
    #[test]
    fn numbers_are_unique_and_never_change(first in prop::collection::btree_set(1_u8..60, 1..20), later in prop::collection::vec(1_u8..90, 0..40)) {
        let members: Vec<_> = first.into_iter().map(sled).collect();
        let mut table = Table::first(rack(), &members, None).unwrap();
        for number in later {
            let Some(next) = table.with(&sled(number), None).unwrap() else {
                continue;
            };
            prop_assert_eq!(next.check(), Ok(()));
            prop_assert_eq!(next.version, table.version + 1);
            for given in &table.assignments {
                prop_assert_eq!(next.of(&given.identity), Some(given));
            }
            let count = u8::try_from(next.assignments.len()).unwrap();
            prop_assert_eq!(next.assignments.last().unwrap().prefix.node().get(), count);
            table = next;
        }
    }
}
