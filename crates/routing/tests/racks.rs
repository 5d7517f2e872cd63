//! The property of rack setup for lines that a property test damages; `fuzz/` tries more.
#![expect(clippy::unwrap_used, reason = "literals of the tests")]

use proptest::prelude::*;
use rackweave_routing::rack::{Ballot, Member, Reply, Request, Table};
use rackweave_testkit::property;
use rackweave_types::{MacAddr, Role};

/// A conversation in which a rack begins.
fn lines() -> Vec<u8> {
    let members = [1, 2, 3].map(|number| Member {
        identity: format!("sled-{number}"),
        hardware: MacAddr::new([2, 0, 0, 0, 0, number]),
        role: Role::Sled,
    });
    let rack = "fd00:1122:3344:100::/56".parse().unwrap();
    let table = Table::first(rack, &members, None).unwrap();
    let ballot = Ballot::first(members[0].hardware);
    let requests = [
        Request::Prepare { version: 1, ballot },
        Request::Accept {
            ballot,
            table: table.clone(),
        },
    ];
    let replies = [
        Reply::Promised {
            ballot,
            accepted: Some((ballot, table.clone())),
        },
        Reply::Accepted { ballot },
        Reply::Behind { version: u64::MAX },
        Reply::Chosen {
            table: table.clone(),
        },
    ];
    let mut lines = Vec::new();
    for line in requests
        .iter()
        .map(serde_json::to_vec)
        .chain(replies.iter().map(serde_json::to_vec))
        .chain([serde_json::to_vec(&Request::Learn { table })])
    {
        lines.extend(line.unwrap());
        lines.push(b'\n');
    }
    lines
}

#[test]
fn a_rack_that_begins_holds() {
    assert_eq!(property::racks(&lines()), Ok(()));
}

proptest! {
    #[test]
    fn a_rack_that_is_told_anything_holds(damage in prop::collection::vec((any::<usize>(), any::<u8>()), 0..6)) {
        let mut lines = lines();
        for (at, octet) in damage {
            let at = at % lines.len();
            lines[at] = if octet < 128 { octet } else { b'0' + octet % 10 };
        }
        property::racks(&lines).map_err(TestCaseError::fail)?;
    }
}
