//! Every refusal names its field, and leaves everything as it was.

use rackweave_control::model::{
    FirewallRuleSpec, FloatingIpSpec, RuleFilters, RuleHost, RuleTarget, Spec,
};
use rackweave_control::{Key, Kind, ProblemKind, Refusal, Request};
use rackweave_types::state::ProtocolFilter;
use serde_json::{Value, json};

use crate::world::{World, allow, name, nic, pool, sled, spec};

fn told<T: std::fmt::Debug>(result: Result<T, Refusal>) -> (String, ProblemKind) {
    let refusal = result.unwrap_err();
    (refusal.field.clone(), refusal.problem.kind())
}

fn at(field: &str, kind: ProblemKind) -> (String, ProblemKind) {
    (field.to_owned(), kind)
}

#[test]
fn nothing_comes_before_the_az() {
    let mut world = World::empty();
    let project = spec(Kind::Project, json!({}));
    let refusal = told(world.try_create(None, "shop", project));
    assert_eq!(refusal, at("", ProblemKind::Conflict));
}

#[test]
fn a_name_is_given_once() {
    let (mut world, vpc) = World::with_vpc();
    let again = spec(Kind::Subnet, json!({"ipv4": "10.0.2.0/24"}));
    let refusal = told(world.try_create(Some(vpc), "web", again));
    assert_eq!(refusal, at("name", ProblemKind::Exists));
}

#[test]
fn prefixes_are_checked_field_by_field() {
    let (mut world, vpc) = World::with_vpc();
    let project = world.project("shop");
    let subnets: [(Value, &str, ProblemKind); 6] = [
        (
            json!({"ipv4": "10.0.1.128/25"}),
            "ipv4",
            ProblemKind::Conflict,
        ),
        (json!({"ipv4": "10.9.0.0/24"}), "ipv4", ProblemKind::Invalid),
        (json!({"ipv4": "10.0.2.1/24"}), "ipv4", ProblemKind::Invalid),
        (json!({"ipv4": "10.0.2.0/30"}), "ipv4", ProblemKind::Invalid),
        (
            json!({"ipv4": "10.0.2.0/24", "ipv6": "fd00::/64"}),
            "ipv6",
            ProblemKind::Invalid,
        ),
        (
            json!({"ipv4": "10.0.2.0/24", "router": "none"}),
            "router",
            ProblemKind::NotFound,
        ),
    ];
    for (json, field, kind) in subnets {
        let refusal = world.try_create(Some(vpc), "other", spec(Kind::Subnet, json.clone()));
        assert_eq!(told(refusal), at(field, kind), "{json}");
    }
    let vpcs: [(Value, &str, ProblemKind); 5] = [
        (
            json!({"ipv4": ["10.0.0.0/16", "10.0.1.0/24"]}),
            "ipv4[1]",
            ProblemKind::Conflict,
        ),
        (
            json!({"ipv4": ["203.0.0.0/16"]}),
            "ipv4[0]",
            ProblemKind::Conflict,
        ),
        (
            json!({"ipv4": ["127.0.0.0/8"]}),
            "ipv4[0]",
            ProblemKind::Invalid,
        ),
        (
            json!({"ipv6": "fd00:1122:3344::/48"}),
            "ipv6",
            ProblemKind::Conflict,
        ),
        (
            json!({"ipv6": "2001:db8::/48"}),
            "ipv6",
            ProblemKind::Invalid,
        ),
    ];
    for (json, field, kind) in vpcs {
        let refusal = world.try_create(Some(project), "other", spec(Kind::Vpc, json.clone()));
        assert_eq!(told(refusal), at(field, kind), "{json}");
    }
    world.check();
}

#[test]
fn the_same_addresses_are_given_in_two_vpcs_and_never_twice_in_one() {
    let (mut world, _) = World::with_vpc();
    let other = world.vpc("shop", "other", "10.0.0.0/16");
    world.subnet(other, "web", "10.0.1.0/24");
    let instance = world.instance("shop", "web-1", 1, &[]);
    let asked = |vpc: &str| {
        let json = json!({"vpc": vpc, "subnet": "web", "addresses": ["10.0.1.9"]});
        spec(Kind::Nic, json)
    };
    world.create(Some(instance), "eth0", asked("front"));
    world.create(Some(instance), "eth1", asked("other"));
    let refusal = told(world.try_create(Some(instance), "eth2", asked("front")));
    assert_eq!(refusal, at("addresses[0]", ProblemKind::Conflict));
    let reserved = json!({"vpc": "front", "subnet": "web", "addresses": ["10.0.1.1"]});
    let refusal = told(world.try_create(Some(instance), "eth2", spec(Kind::Nic, reserved)));
    assert_eq!(refusal, at("addresses[0]", ProblemKind::Invalid));
    world.check();
}

#[test]
fn a_slot_stays_empty_until_it_is_taken_again() {
    let (mut world, _) = World::with_vpc();
    let instance = world.instance("shop", "web-1", 1, &[]);
    let nics = ["a", "b", "c"].map(|name| world.nic(instance, name, "front", "web"));
    let slot = |world: &World, nic| world.intent.nic(nic).unwrap().given.slot;
    assert_eq!(nics.map(|nic| slot(&world, nic)), [0, 1, 2]);
    let mac = |world: &World, nic| world.intent.nic(nic).unwrap().given.mac;
    let (before, port) = (mac(&world, nics[2]), world.host(1).ports.len());
    world.try_delete(Key::new(Kind::Nic, nics[1])).unwrap();
    assert_eq!(slot(&world, nics[2]), 2, "the others stay where they are");
    assert_eq!(mac(&world, nics[2]), before);
    assert_eq!(world.host(1).ports.len(), port - 1);
    let moved = json!({"vpc": "front", "subnet": "web", "slot": 5});
    let refusal = told(world.try_update(Key::new(Kind::Nic, nics[2]), spec(Kind::Nic, moved)));
    assert_eq!(refusal, at("slot", ProblemKind::Invalid));
    world.check();
}

#[test]
fn pools_run_out_with_an_error_of_their_own() {
    let (mut world, _) = World::with_vpc();
    world.create(None, "tiny", pool(&["198.51.100.0/31"], &[], false));
    let project = world.project("shop");
    world.create(Some(project), "tiny", spec(Kind::PoolLink, json!({})));
    let floating = || {
        Spec::FloatingIp(FloatingIpSpec {
            pool: Some(name("tiny")),
            ..FloatingIpSpec::default()
        })
    };
    world.create(Some(project), "a", floating());
    let b = world.create(Some(project), "b", floating());
    let refusal = told(world.try_create(Some(project), "c", floating()));
    assert_eq!(refusal, at("pool", ProblemKind::Exhausted));
    world.try_delete(Key::new(Kind::FloatingIp, b)).unwrap();
    world.create(Some(project), "c", floating());
    let pool_id = world.find(Kind::IpPool, None, "tiny");
    let refusal = told(world.try_delete(Key::new(Kind::IpPool, pool_id)));
    assert_eq!(refusal, at("", ProblemKind::InUse));
}

#[test]
fn quotas_hold() {
    let mut world = World::new();
    let tight = spec(Kind::Project, json!({"quota": {"vpcs": 1}}));
    let project = world.create(None, "tight", tight);
    world.vpc("tight", "one", "10.0.0.0/16");
    let another = spec(Kind::Vpc, json!({}));
    let refusal = told(world.try_create(Some(project), "two", another));
    assert_eq!(refusal, at("", ProblemKind::Quota));
}

#[test]
fn of_two_that_race_one_is_told() {
    let (mut world, vpc) = World::with_vpc();
    let key = Key::new(Kind::Vpc, vpc);
    let seen = world.object(Kind::Vpc, vpc).meta().generation;
    let update = |block: &str| Request::Update {
        key,
        if_match: Some(seen),
        description: None,
        spec: spec(Kind::Vpc, json!({"ipv4": ["10.0.0.0/16", block]})),
    };
    world.ask(&update("10.1.0.0/16")).unwrap();
    let refusal = told(world.ask(&update("10.2.0.0/16")));
    assert_eq!(refusal, at("", ProblemKind::Stale));
    let (decision, _) = world
        .ask(&Request::Update {
            key,
            if_match: None,
            description: None,
            spec: spec(Kind::Vpc, json!({"ipv4": ["10.0.0.0/16", "10.1.0.0/16"]})),
        })
        .unwrap();
    assert!(decision.commit.changes.is_empty(), "all is as asked for");
}

#[test]
fn what_is_needed_stays() {
    let (mut world, vpc) = World::with_vpc();
    let nic = world.guest("web-1", 1, &[]);
    let subnet = world.find(Kind::Subnet, Some(vpc), "web");
    let project = world.project("shop");
    let sled = world.find(Kind::Sled, None, "sled-1");
    let router = world.find(Kind::Router, Some(vpc), "system");
    for (kind, id) in [
        (Kind::Vpc, vpc),
        (Kind::Subnet, subnet),
        (Kind::Project, project),
        (Kind::Sled, sled),
        (Kind::Router, router),
    ] {
        let refusal = told(world.try_delete(Key::new(kind, id)));
        assert_eq!(refusal, at("", ProblemKind::InUse), "{kind}");
    }
    world.try_delete(Key::new(Kind::Nic, nic)).unwrap();
    world.try_delete(Key::new(Kind::Vpc, vpc)).unwrap();
    world.check();
    let left = world
        .intent
        .objects()
        .filter(|object| object.kind() == Kind::FirewallRule);
    assert_eq!(left.count(), 0, "what stands under a vpc goes with it");
}

#[test]
fn rules_that_say_nothing_or_too_much_are_refused() {
    let (mut world, vpc) = World::with_vpc();
    let filters = |hosts: Vec<RuleHost>, protocols: Vec<ProtocolFilter>| RuleFilters {
        hosts,
        protocols,
        ports: Vec::new(),
    };
    let v6 = || RuleHost::Cidr("2001:db8::/32".parse().unwrap());
    let icmp = || ProtocolFilter::Icmp(rackweave_types::state::IcmpFilter::default());
    let cases: Vec<(FirewallRuleSpec, &str, ProblemKind)> = vec![
        (
            allow(Vec::new(), filters(vec![v6()], vec![icmp()])),
            "filters",
            ProblemKind::Invalid,
        ),
        (
            allow(
                vec![RuleTarget::Instance(name("nobody"))],
                RuleFilters::default(),
            ),
            "targets[0]",
            ProblemKind::NotFound,
        ),
        (
            allow(
                Vec::new(),
                filters(vec![RuleHost::Vpc(name("other"))], Vec::new()),
            ),
            "filters.hosts[0]",
            ProblemKind::Invalid,
        ),
        (
            allow(
                Vec::new(),
                RuleFilters {
                    protocols: vec![icmp()],
                    ports: vec![rackweave_types::PortRange::single(80)],
                    ..RuleFilters::default()
                },
            ),
            "filters.protocols[0]",
            ProblemKind::Invalid,
        ),
    ];
    for (rule, field, kind) in cases {
        let refusal = world.try_create(Some(vpc), "rule", Spec::FirewallRule(rule));
        assert_eq!(told(refusal), at(field, kind));
    }
    // A tag that nobody has yet is no mistake.
    let later = filters(vec![RuleHost::Tag(name("later"))], vec![icmp()]);
    world.rule(vpc, "later", allow(Vec::new(), later));
    world.check();
}

#[test]
fn peers_do_not_overlap() {
    let (mut world, front) = World::with_vpc();
    let same = world.vpc("shop", "same", "10.0.0.0/16");
    let refusal = told(world.join((front, "front"), (same, "same")));
    assert_eq!(refusal, at("vpc", ProblemKind::Conflict));
}

#[test]
fn sleds_fill_up_evenly_and_not_beyond() {
    let mut world = World::new();
    let project = world.project("shop");
    for at in 0..8 {
        world.create(
            Some(project),
            &format!("i-{at}"),
            spec(Kind::Instance, json!({})),
        );
    }
    for node in 1..=4 {
        assert_eq!(world.host(node).instances.len(), 2, "sled {node}");
    }
    let drained = Key::new(Kind::Sled, world.find(Kind::Sled, None, "sled-1"));
    let out = json!({"prefix": "fd00:1122:3344:101::/64", "use": "draining",
        "src_mac": "a8:40:25:00:00:01", "dst_mac": "a8:40:25:00:00:02"});
    world.try_update(drained, spec(Kind::Sled, out)).unwrap();
    let asked = spec(Kind::Instance, json!({"sled": "sled-1"}));
    let refusal = told(world.try_create(Some(project), "late", asked));
    assert_eq!(refusal, at("sled", ProblemKind::Invalid));
    let vpc = world.vpc("shop", "front", "10.0.0.0/16");
    world.subnet(vpc, "web", "10.0.1.0/24");
    let Spec::Sled(small) = sled(1, 9) else {
        unreachable!()
    };
    let small = Spec::Sled(rackweave_control::model::SledSpec {
        capacity: 1,
        ..small
    });
    world.create(None, "sled-9", small);
    let full = world.instance("shop", "full", 9, &[]);
    world.nic(full, "eth0", "front", "web");
    let refusal = told(world.try_create(Some(full), "eth1", nic("front", "web")));
    assert_eq!(refusal, at("", ProblemKind::Exhausted));
}
