//! The best route is the one that RFC 4271 names, whatever the order in which routes came.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use proptest::prelude::*;

use super::net::asn;
use crate::bgp::decision::{Facts, Step, decide};
use crate::bgp::table::{Path, PeerId, Source};
use crate::bgp::{AsPath, Attributes, NextHop, Origin};

fn facts(source: Source) -> Option<Facts> {
    let Source::Peer(PeerId(number)) = source else {
        return None;
    };
    Some(Facts {
        usable: number != 99,
        external: number < 50,
        id: Ipv4Addr::from(1000 - number),
        address: IpAddr::from(Ipv4Addr::from(number)),
    })
}

fn path(number: u32, change: impl FnOnce(&mut Attributes)) -> Path {
    let mut attributes = Attributes {
        as_path: AsPath::sequence([asn(65_000 + number % 3), asn(64_512)]),
        ..Attributes::new(NextHop::V4(Ipv4Addr::from(number)))
    };
    change(&mut attributes);
    let said = Arc::new(attributes);
    Path {
        source: Source::Peer(PeerId(number)),
        epoch: 1,
        used: Some(Arc::clone(&said)),
        said,
    }
}

/// The best, and at which step each other one lost.
fn judged(paths: &[Path]) -> (Source, BTreeMap<Source, Step>) {
    let mut lost = BTreeMap::new();
    let decision = decide(paths, facts, |index, step| {
        lost.insert(paths[index].source, step);
    });
    (paths[decision.unwrap().best].source, lost)
}

#[test]
fn each_step_decides_in_its_turn() {
    let plain = |number| path(number, |_| {});
    let cases: [(Path, Path, Step); 6] = [
        (
            path(3, |it| it.local_pref = Some(101)),
            plain(6),
            Step::LocalPref,
        ),
        (
            path(3, |it| it.as_path = AsPath::sequence([asn(65_000)])),
            plain(6),
            Step::AsPath,
        ),
        (
            plain(6),
            path(3, |it| it.origin = Origin::Incomplete),
            Step::Origin,
        ),
        (plain(6), path(3, |it| it.med = Some(1)), Step::Med),
        (plain(3), plain(60), Step::External),
        (plain(6), plain(3), Step::RouterId),
    ];
    for (best, other, step) in cases {
        let wanted = (best.source, BTreeMap::from([(other.source, step)]));
        assert_eq!(judged(&[best.clone(), other.clone()]), wanted);
        assert_eq!(judged(&[other, best]), wanted);
    }
}

#[test]
fn med_is_compared_within_one_system_alone() {
    // 65001 with 10, 65001 with 5, 65002 with 20: the second beats the first, and neither the third.
    let paths = [
        path(1, |it| it.med = Some(10)),
        path(4, |it| it.med = Some(5)),
        path(5, |it| it.med = Some(20)),
    ];
    let (best, lost) = judged(&paths);
    assert_eq!(lost.get(&paths[0].source), Some(&Step::Med));
    assert_eq!(
        best, paths[2].source,
        "of the two that are left, the lower identifier"
    );
}

#[test]
fn own_routes_come_first_and_who_is_gone_does_not_count() {
    let mut own = path(1, |_| {});
    own.source = Source::Local;
    let gone = path(99, |it| it.local_pref = Some(1000));
    let heard = path(2, |it| it.local_pref = Some(500));
    let (best, lost) = judged(&[gone, heard.clone(), own]);
    assert_eq!(best, Source::Local);
    assert_eq!(lost, BTreeMap::from([(heard.source, Step::Source)]));
    assert!(decide(&[path(99, |_| {})], facts, |_, _| {}).is_none());
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(
        routes in proptest::collection::btree_map(1_u32..90, (0_u32..3, 0_u32..3, 0_usize..3), 1..12)
            .prop_flat_map(|routes| {
                let all: Vec<_> = routes.into_iter().collect();
                (Just(all.clone()), Just(all).prop_shuffle())
            }),
    ) {
        let make = |all: &[(u32, (u32, u32, usize))]| -> Vec<Path> {
            all.iter().map(|(number, (preference, med, longer))| path(*number, |it| {
                it.local_pref = Some(*preference);
                it.med = Some(*med);
                it.as_path.prepend(asn(65_000 + number % 3), *longer);
            })).collect()
        };
        let (first, second) = (make(&routes.0), make(&routes.1));
        prop_assert_eq!(judged(&first), judged(&second));
        let (_, lost) = judged(&first);
        let highest = routes.0.iter().map(|(_, (preference, ..))| *preference).max().unwrap();
        for (number, (preference, ..)) in &routes.0 {
            let source = Source::Peer(PeerId(*number));
            prop_assert_eq!(lost.get(&source) == Some(&Step::LocalPref), *preference < highest);
        }
    }
}
