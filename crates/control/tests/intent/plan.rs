//! What sleds are told.

use std::net::IpAddr;

use rackweave_control::model::{
    FloatingIpSpec, FloatingTarget, RuleFilters, RuleHost, RuleTarget, Spec,
};
use rackweave_control::{Key, Kind};
use rackweave_types::state::{HostFilter, HostState, RouteTarget, StateDelta};
use rackweave_types::{PortRange, Vni};
use serde_json::json;

use crate::world::{World, allow, name, pool, prefix, spec};

fn vnis(state: &HostState) -> Vec<u32> {
    state.mappings.iter().map(|table| table.vni.get()).collect()
}

fn vni(world: &World, vpc: rackweave_control::Id) -> Vni {
    world.intent.vpc(vpc).unwrap().given.vni.unwrap()
}

#[test]
fn a_sled_without_guests_has_its_own_way_out_and_nothing_else() {
    let world = World::new();
    let host = world.host(1);
    let system = host.system.unwrap();
    assert_eq!(host.ports.len(), 1);
    assert_eq!(host.ports[0].id, system.port);
    assert_eq!(host.ports[0].addresses[0].address.to_string(), "100.64.1.1");
    assert_eq!(host.ports[0].nat.len(), 1);
    assert!(host.mappings.is_empty() && host.instances.is_empty());
    world.check();
}

#[test]
fn a_sled_gets_what_its_ports_can_reach() {
    let (mut world, front) = World::with_vpc();
    let back = world.vpc("shop", "back", "10.1.0.0/16");
    world.subnet(back, "db", "10.1.1.0/24");
    world.guest("web-1", 1, &["web"]);
    world.guest("web-2", 2, &["web"]);
    let db = world.instance("shop", "db-1", 3, &["db"]);
    world.nic(db, "eth0", "back", "db");
    world.check();
    let [front_vni, back_vni] = [front, back].map(|vpc| vni(&world, vpc).get());
    assert!(vnis(&world.host(1)).contains(&front_vni));
    assert!(!vnis(&world.host(1)).contains(&back_vni));
    assert_eq!(world.host(1).instances.len(), 1);
    assert_eq!(world.host(1).vpcs.len(), 2);
    assert!(world.host(4).instances.is_empty());

    world.join((front, "front"), (back, "back")).unwrap();
    world.check();
    assert!(vnis(&world.host(1)).contains(&back_vni));
    assert!(vnis(&world.host(3)).contains(&front_vni));
    let host = world.host(1);
    let vpc = host
        .vpcs
        .iter()
        .find(|vpc| vpc.vni.get() == front_vni)
        .unwrap();
    let to_peer = RouteTarget::Peer(vni(&world, back));
    let routes = &vpc.routers[0].routes;
    assert!(routes.iter().any(|route| route.target == to_peer));
}

#[test]
fn a_new_port_costs_others_one_entry() {
    let (mut world, _) = World::with_vpc();
    for sled in 1..=2 {
        world.guest(&format!("web-{sled}"), sled, &[]);
    }
    let mut before = world.host(2);
    let instance = world.instance("shop", "web-3", 3, &[]);
    let request = rackweave_control::Request::Create {
        parent: Some(instance),
        name: name("eth0"),
        description: String::new(),
        spec: crate::world::nic("front", "web"),
    };
    let (_, delta) = world.ask(&request).unwrap();
    let told: Vec<_> = delta.nodes.keys().copied().collect();
    let switch = prefix(1, 0xfd);
    // The boundary's switch hears who has the new block of ports.
    assert_eq!(told, [prefix(1, 1), prefix(1, 2), prefix(1, 3), switch]);
    assert_eq!(delta.nodes[&switch].changes.len(), 1);
    let [one, two] = [1, 2].map(|node| &delta.nodes[&prefix(1, node)]);
    assert_eq!(one.changes, two.changes, "written once for both");
    let read: StateDelta = serde_json::from_slice(&two.encode()).unwrap();
    assert_eq!(
        read.changes.len(),
        2,
        "mapping entries and the zone: {read:?}"
    );
    before.apply(read).unwrap();
    assert_eq!(before, world.host(2));
}

#[test]
fn rules_reach_their_targets_alone() {
    let (mut world, vpc) = World::with_vpc();
    world.guest("web-1", 1, &["web"]);
    world.guest("db-1", 2, &["db"]);
    let filters = RuleFilters {
        hosts: vec![RuleHost::Tag(name("web"))],
        ..RuleFilters::default()
    };
    let rule = allow(vec![RuleTarget::Tag(name("db"))], filters);
    let id = world.rule(vpc, "db-from-web", rule);
    world.check();
    let vni = vni(&world, vpc);
    let sets = |world: &World, node| {
        let host = world.host(node);
        let port = host.ports.into_iter().find(|port| port.vni == vni).unwrap();
        port.rule_sets.len()
    };
    assert_eq!((sets(&world, 1), sets(&world, 2)), (1, 2));
    let hosts = |world: &World| {
        let host = world.host(2);
        let vpc = host.vpcs.into_iter().find(|vpc| vpc.vni == vni).unwrap();
        let set = vpc.rule_sets.into_iter().next_back().unwrap();
        set.rules[0].filters.hosts.clone()
    };
    assert_eq!(hosts(&world).len(), 2, "both addresses of web-1");
    world.guest("web-2", 3, &["web"]);
    world.check();
    let web: Vec<IpAddr> = ["10.0.1.5", "10.0.1.7"]
        .map(|at| at.parse().unwrap())
        .into();
    for address in web {
        assert!(
            hosts(&world).contains(&HostFilter::Ip(address)),
            "{address}"
        );
    }
    let delta = world.try_delete(Key::new(Kind::FirewallRule, id)).unwrap();
    let told: Vec<_> = delta.nodes.keys().copied().collect();
    assert_eq!(told, [prefix(1, 2)], "only who has a target is told");
    world.check();
}

#[test]
fn a_floating_address_goes_where_it_is_sent() {
    let (mut world, _) = World::with_vpc();
    let target = |instance: &str| FloatingTarget {
        instance: name(instance),
        nic: None,
        inside: None,
    };
    world.guest("web-1", 1, &[]);
    world.guest("web-2", 2, &[]);
    let project = world.project("shop");
    let floating = world.create(
        Some(project),
        "www",
        Spec::FloatingIp(FloatingIpSpec {
            target: Some(target("web-1")),
            ..FloatingIpSpec::default()
        }),
    );
    world.check();
    let holder = |world: &World| {
        let tables = world.host(1).mappings;
        let table = tables.into_iter().find(|table| table.vni == Vni::BOUNDARY);
        let entries = table.unwrap().entries;
        entries.iter().map(|entry| entry.sled).collect::<Vec<_>>()
    };
    assert_eq!(holder(&world), [prefix(1, 1)]);
    let moved = FloatingIpSpec {
        target: Some(target("web-2")),
        ..FloatingIpSpec::default()
    };
    let key = Key::new(Kind::FloatingIp, floating);
    world.try_update(key, Spec::FloatingIp(moved)).unwrap();
    world.check();
    assert_eq!(holder(&world), [prefix(1, 2)]);
    let instance = world.find(Kind::Instance, Some(project), "web-2");
    world
        .try_delete(Key::new(Kind::Instance, instance))
        .unwrap();
    world.check();
    assert!(holder(&world).is_empty());
    assert!(world.intent.get(key).is_some(), "it outlives the instance");
}

#[test]
fn an_instance_moves_with_its_ports() {
    let (mut world, vpc) = World::with_vpc();
    world.guest("web-1", 1, &[]);
    world.guest("web-2", 2, &[]);
    let project = world.project("shop");
    let instance = world.find(Kind::Instance, Some(project), "web-1");
    let there = spec(Kind::Instance, json!({"sled": "sled-3"}));
    let delta = world
        .try_update(Key::new(Kind::Instance, instance), there)
        .unwrap();
    let told: Vec<_> = delta.nodes.keys().copied().collect();
    // The sled it leaves, one that talks to it, the one it comes to, and the boundary's switch.
    assert_eq!(told, [1, 2, 3, 0xfd].map(|node| prefix(1, node)));
    world.check();
    assert_eq!(world.host(1).instances.len(), 0);
    assert_eq!(world.host(3).instances.len(), 1);
    let vni = vni(&world, vpc);
    let table = world
        .host(2)
        .mappings
        .into_iter()
        .find(|table| table.vni == vni);
    let at_three = table
        .unwrap()
        .entries
        .iter()
        .filter(|entry| entry.sled == prefix(1, 3))
        .count();
    assert_eq!(at_three, 2);
}

#[test]
fn a_boundary_switch_knows_who_holds_what_outside() {
    let (mut world, _) = World::with_vpc();
    let nic = world.guest("web-1", 2, &[]);
    world.check();
    let [boundary, other] = ["1fd", "1fe"].map(|node| {
        let prefix = format!("fd00:1122:3344:{node}::/64").parse().unwrap();
        world.plan.switch(prefix).unwrap()
    });
    assert_eq!((other.external, other.nat), (None, None));
    assert_eq!(
        boundary.config.peers[0].uplink,
        boundary.config.uplinks[0].name
    );
    let device = boundary.config.boundary.unwrap();
    assert_eq!(device.group.to_string(), "fd00:1122:3344:ff10::1");
    let block = world.intent.nic(nic).unwrap().given.nat[0].block;
    let entries = boundary.nat.unwrap().entries;
    let entry = entries.iter().find(|entry| entry.block == block).unwrap();
    assert_eq!(entry.sled, prefix(1, 2));
    assert_eq!(entries.len(), 5, "four sleds and a guest");
    let port = block.ports.first() + 7;
    let holder = rackweave_control::allocate::nat::holder(&world.intent, block.address, port);
    assert_eq!(holder, Some(Key::new(Kind::Nic, nic)));
}

#[test]
fn users_reach_a_controller_from_outside() {
    let (mut world, _) = World::with_vpc();
    world.guest("web-1", 2, &[]);
    let sled = Key::new(Kind::Sled, world.find(Kind::Sled, None, "sled-1"));
    let serving = |api: bool| {
        spec(
            Kind::Sled,
            json!({"prefix": "fd00:1122:3344:101::/64", "src_mac": "a8:40:25:00:00:01",
                "dst_mac": "a8:40:25:00:00:02", "api": api}),
        )
    };
    let refusal = world.try_update(sled, serving(true)).unwrap_err();
    assert_eq!(
        refusal.field, "api",
        "no address of the system is free: {refusal}"
    );
    let addresses = pool(&["198.51.100.7/32"], &[], true);
    world.create(None, "controllers", addresses);
    world.try_update(sled, serving(true)).unwrap();
    world.check();
    let outside: IpAddr = "198.51.100.7".parse().unwrap();
    let host = world.host(1);
    assert_eq!(host.ports[0].external[0].outside, outside);
    assert_eq!(host.ports[0].rule_sets.len(), 2);
    let rules = host.vpcs[0].rule_sets.iter().flat_map(|set| &set.rules);
    let ports: Vec<_> = rules.flat_map(|rule| &rule.filters.ports).collect();
    assert_eq!(ports, [&PortRange::single(443)]);
    let switch = |world: &World| {
        let boundary = world.plan.switch(prefix(1, 0xfd)).unwrap();
        let entries = boundary.external.unwrap().entries;
        let mut to = entries
            .iter()
            .filter(|entry| entry.prefix.contains(&outside));
        to.next().map(|entry| (entry.sled, entry.mac))
    };
    assert_eq!(switch(&world), Some((prefix(1, 1), host.ports[0].mac)));
    let away = world.host(3);
    assert_eq!(away.ports[0].rule_sets.len(), 1, "nobody serves there");
    world.try_update(sled, serving(false)).unwrap();
    world.check();
    assert_eq!(switch(&world), None);
    assert!(world.host(1).ports[0].external.is_empty());
}
