//! Every valid configuration gives a program that the engine runs.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rackweave_testkit::vpc::Scene;
use rackweave_types::state::{
    Cap, ExternalAddress, ExternalKind, Filters, FirewallAction, FirewallRule, FirewallRuleId,
    HostFilter, IcmpFilter, NatBlock, PortAddress, PortBlock, ProtocolFilter, Route, RouteId,
    RouteTarget, RuleSet, RuleSetId, SubnetId, TransitHolder,
};
use rackweave_types::{BytesPerSecond, Direction, Generation, Mtu, PacketsPerSecond, PortRange};
use rackweave_vpc::RuleName;

fn prefix() -> impl Strategy<Value = ipnet::IpNet> {
    let v4 = (any::<u32>(), 0..=32_u8)
        .prop_map(|(bits, len)| ipnet::IpNet::new(Ipv4Addr::from(bits).into(), len));
    let v6 = (any::<u128>(), 0..=95_u8)
        .prop_map(|(bits, len)| ipnet::IpNet::new(Ipv6Addr::from(bits).into(), len));
    prop_oneof![v4, v6].prop_map(|net| net.unwrap().trunc())
}

fn host() -> impl Strategy<Value = HostFilter> {
    prop_oneof![
        any::<u32>().prop_map(|bits| HostFilter::Ip(Ipv4Addr::from(bits).into())),
        prefix().prop_map(HostFilter::Cidr),
        (1..=2_u32).prop_map(|id| HostFilter::Subnet(SubnetId::new(id))),
        Just(HostFilter::Vpc(Scene::new().unwrap().vpc.vni)),
    ]
}

fn filters() -> impl Strategy<Value = Filters> {
    let ports =
        (any::<u16>(), any::<u16>()).prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap());
    let ported = prop_oneof![Just(ProtocolFilter::Tcp), Just(ProtocolFilter::Udp)];
    let icmp =
        (option::of(any::<u8>()), option::of(any::<u8>())).prop_map(|(icmp_type, icmp_code)| {
            IcmpFilter {
                icmp_type,
                icmp_code,
            }
        });
    let other = prop_oneof![
        icmp.clone().prop_map(ProtocolFilter::Icmp),
        icmp.prop_map(ProtocolFilter::Icmpv6),
        any::<u8>().prop_map(ProtocolFilter::Number),
        Just(ProtocolFilter::Tcp),
    ];
    prop_oneof![
        (vec(host(), 0..4), vec(ported, 0..3), vec(ports, 0..4)).prop_map(
            |(hosts, protocols, ports)| Filters {
                hosts,
                protocols,
                ports
            }
        ),
        vec(other, 0..3).prop_map(|protocols| Filters {
            protocols,
            ..Filters::default()
        }),
    ]
}

fn rules() -> impl Strategy<Value = Vec<FirewallRule>> {
    let action = prop_oneof![
        Just(FirewallAction::Allow),
        Just(FirewallAction::Deny),
        Just(FirewallAction::Reject)
    ];
    let direction = prop_oneof![Just(Direction::Out), Just(Direction::In)];
    vec((any::<u16>(), direction, action, filters()), 0..12).prop_map(|rules| {
        let numbered = (100..).zip(rules);
        let rule = |(id, (priority, direction, action, filters))| FirewallRule {
            id: FirewallRuleId::new(id),
            priority,
            direction,
            action,
            filters,
        };
        numbered.map(rule).collect()
    })
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    let target = prop_oneof![Just(RouteTarget::Drop), Just(RouteTarget::InternetGateway)];
    let any_route = (prefix(), target);
    vec(any_route, 0..6).prop_map(|routes| {
        let mut seen = std::collections::BTreeSet::new();
        let fresh = routes
            .into_iter()
            .filter(|(net, _)| net.prefix_len() > 0 && seen.insert(*net));
        let numbered = (10..).zip(fresh.collect::<Vec<_>>());
        let route = |(id, (destination, target))| Route {
            id: RouteId::new(id),
            destination,
            target,
        };
        numbered.map(route).collect()
    })
}

fn cap() -> impl Strategy<Value = Cap> {
    let rate = || option::of(1..u64::MAX);
    (
        rate(),
        rate(),
        option::of(65_535..u64::MAX),
        option::of(64..u64::MAX),
    )
        .prop_map(|(bytes, packets, burst_bytes, burst_packets)| Cap {
            bytes: bytes.map(BytesPerSecond::new),
            burst_bytes,
            packets: packets.map(PacketsPerSecond::new),
            burst_packets,
        })
}

/// A scene in which all that may be chosen about `test` is chosen.
fn scene() -> impl Strategy<Value = Scene> {
    let externals = (
        option::of(any::<u8>()),
        option::of(any::<u8>()),
        any::<bool>(),
    );
    let own = (
        vec(10..250_u8, 0..5),
        vec(prefix(), 0..3),
        externals,
        1280..=8906_u16,
    );
    (rules(), routes(), own, cap(), cap()).prop_map(|(rules, routes, own, outbound, inbound)| {
        let mut scene = Scene::new().unwrap();
        let (more, transit, (floating, ephemeral, nat), mtu) = own;
        scene.vpc.rule_sets.push(RuleSet {
            id: RuleSetId::new(9),
            generation: Generation::ZERO,
            rules,
        });
        scene.test.rule_sets.push(RuleSetId::new(9));
        scene.vpc.routers[0].routes.extend(routes);
        for last in std::collections::BTreeSet::from_iter(more) {
            let address = Ipv4Addr::new(10, 0, 2, last).into();
            scene.test.addresses.push(PortAddress {
                address,
                subnet: SubnetId::new(2),
            });
        }
        let sled = scene.sleds[1].sled;
        scene.vpc.transit = transit
            .iter()
            .map(|prefix| TransitHolder {
                prefix: *prefix,
                sled,
            })
            .collect();
        scene.test.transit = transit;
        let inside = scene.test.addresses[0].address;
        let external = |kind, third, last| ExternalAddress {
            kind,
            outside: IpAddr::V4(Ipv4Addr::new(203, 0, third, last)),
            inside,
        };
        let floating = floating.map(|last| external(ExternalKind::Floating, 113, last));
        let ephemeral = ephemeral.map(|last| external(ExternalKind::Ephemeral, 114, last));
        scene.test.external = floating.into_iter().chain(ephemeral).collect();
        if !nat {
            scene.test.nat.clear();
        }
        scene.test.caps.outbound = outbound;
        scene.test.caps.inbound = inbound;
        scene.test.mtu = Mtu::new(mtu).unwrap();
        scene.remap();
        scene
    })
}

proptest! {
    #[test]
    fn a_valid_configuration_gives_a_valid_program(scene in scene()) {
        let program = scene.program(&scene.test);
        prop_assert!(program.is_ok(), "{}", program.unwrap_err());
        let compiled = scene.compile(&scene.test);
        prop_assert!(compiled.is_ok(), "{}", compiled.unwrap_err());
        prop_assert_eq!(&scene.program(&scene.test), &program, "twice the same");
        for layer in &program.unwrap().spec.layers {
            for rule in layer.outbound.rules.iter().chain(&layer.inbound.rules) {
                let name = RuleName::of(rule.id);
                prop_assert_eq!(name.map(|name| name.kind.layer().name()), Some(&*layer.name));
            }
        }
    }

    #[test]
    fn a_block_of_ports_goes_to_its_pool(first in 1..63_u16, power in 6..=10_u32) {
        let count = 1 << power;
        let mut scene = Scene::new().unwrap();
        let ports = PortBlock::new(first * 1024, count).unwrap();
        scene.test.nat = vec![NatBlock { ports, ..scene.test.nat[0] }];
        let spec = scene.program(&scene.test).unwrap().spec;
        let pool = spec.pools[0];
        prop_assert_eq!((pool.first_port, pool.ports), (first * 1024, count));
        prop_assert!(scene.compile(&scene.test).is_ok());
    }
}
