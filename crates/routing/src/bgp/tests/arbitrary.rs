//! Values to be drawn.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use rackweave_types::Asn;

use crate::bgp::message::{Capabilities, Open, Prefixes, Restart, RestartFamily, Terms};
use crate::bgp::{
    Aggregator, AsPath, Attributes, Community, Family, LargeCommunity, NextHop, Origin, Segment,
    SegmentKind, Unknown,
};

/// What both of a pair of modern speakers agree on.
pub(super) const TERMS: Terms = Terms {
    external: false,
    four_octets: true,
    extended_next_hop: true,
    ipv4: true,
    ipv6: true,
};

pub(super) fn asn() -> impl Strategy<Value = Asn> {
    (1..=u32::MAX).prop_map(|number| Asn::new(number).unwrap())
}

pub(super) fn as_path() -> impl Strategy<Value = AsPath> {
    let kind = prop_oneof![Just(SegmentKind::Set), Just(SegmentKind::Sequence)];
    let segment = (kind, vec(asn(), 1..6)).prop_map(|(kind, asns)| Segment { kind, asns });
    vec(segment, 0..4).prop_map(AsPath)
}

fn host4() -> impl Strategy<Value = Ipv4Addr> {
    (1_u8..=223, any::<[u8; 3]>())
        .prop_filter("a host", |(first, _)| *first != 127)
        .prop_map(|(first, [b, c, d])| Ipv4Addr::new(first, b, c, d))
}

fn global() -> impl Strategy<Value = Ipv6Addr> {
    any::<[u8; 15]>().prop_map(|rest| {
        let mut octets = [0x20; 16];
        octets[1..].copy_from_slice(&rest);
        octets.into()
    })
}

fn on_link() -> impl Strategy<Value = Ipv6Addr> {
    any::<u64>().prop_map(|id| Ipv6Addr::from(0xfe80 << 112 | u128::from(id)))
}

pub(super) fn six() -> impl Strategy<Value = NextHop> {
    let with = |(global, link_local)| NextHop::V6 { global, link_local };
    prop_oneof![
        (global(), option::of(on_link())).prop_map(with),
        on_link().prop_map(|address| NextHop::V6 {
            global: Ipv6Addr::UNSPECIFIED,
            link_local: Some(address),
        }),
    ]
}

pub(super) fn four() -> impl Strategy<Value = NextHop> {
    host4().prop_map(NextHop::V4)
}

pub(super) fn prefixes4() -> impl Strategy<Value = Prefixes> {
    let net = (any::<u32>(), 0_u8..=32);
    let net = net.prop_map(|(bits, len)| Ipv4Net::new(bits.into(), len).unwrap().trunc());
    btree_set(net, 1..2000).prop_map(|all| Prefixes::V4(all.into_iter().collect()))
}

pub(super) fn prefixes6() -> impl Strategy<Value = Prefixes> {
    let net = (any::<u128>(), 0_u8..=128);
    let net = net.prop_map(|(bits, len)| Ipv6Net::new(bits.into(), len).unwrap().trunc());
    btree_set(net, 1..800).prop_map(|all| Prefixes::V6(all.into_iter().collect()))
}

prop_compose! {
    pub(super) fn attributes(next_hop: impl Strategy<Value = NextHop>)(
        as_path in as_path(),
        next_hop in next_hop,
        origin in prop_oneof![Just(Origin::Igp), Just(Origin::Egp), Just(Origin::Incomplete)],
        med in any::<Option<u32>>(),
        local_pref in any::<Option<u32>>(),
        communities in btree_set(any::<u32>().prop_map(Community), 0..80),
        large in btree_set(any::<[u32; 3]>().prop_map(LargeCommunity), 0..5),
        extended in btree_set(any::<[u8; 8]>(), 0..5),
        aggregator in option::of((asn(), host4()).prop_map(|(asn, id)| Aggregator { asn, id })),
        atomic_aggregate in any::<bool>(),
        unknown in btree_set((40_u8..=255, vec(any::<u8>(), 0..300)), 0..2),
    ) -> Attributes {
        let unknown = unknown.into_iter().map(|(kind, value)| Unknown { kind, value });
        let mut unknown: Vec<Unknown> = unknown.collect();
        unknown.dedup_by_key(|it| it.kind);
        Attributes {
            as_path,
            next_hop,
            origin,
            med,
            local_pref,
            communities: communities.into_iter().collect(),
            large_communities: large.into_iter().collect(),
            extended_communities: extended.into_iter().collect(),
            aggregator,
            atomic_aggregate,
            originator: None,
            unknown,
        }
    }
}

fn restart() -> impl Strategy<Value = Restart> {
    let families = vec(any::<(bool, bool)>(), 0..2);
    (any::<bool>(), any::<bool>(), 0_u16..4096, families).prop_map(
        |(restarted, notifications, seconds, families)| Restart {
            restarted,
            notifications,
            seconds,
            families: families
                .into_iter()
                .map(|(six, preserved)| RestartFamily {
                    family: if six { Family::Ipv6 } else { Family::Ipv4 },
                    preserved,
                })
                .collect(),
        },
    )
}

prop_compose! {
    pub(super) fn open()(
        asn in asn(),
        hold in prop_oneof![Just(0), 3_u16..],
        id in host4(),
        families in proptest::sample::subsequence(Family::ALL.to_vec(), 1..=2),
        route_refresh in any::<bool>(),
        extended_next_hop in any::<bool>(),
        restart in option::of(restart()),
    ) -> Open {
        Open {
            asn,
            hold,
            id,
            capabilities: Capabilities {
                families,
                multiprotocol: true,
                route_refresh,
                extended_next_hop,
                four_octet_as: Some(asn),
                restart,
                others: Vec::new(),
            },
        }
    }
}
