//! What people read when a request is wrong: the field, the cause, and what would be right.

use rackweave_control::{Id, Kind};
use serde_json::{Value, json};

use crate::world::{World, spec};

/// Where a wrong object is asked for.
#[derive(Clone, Copy)]
enum Under {
    Az,
    Switch,
    Project,
    Vpc,
    SystemRouter,
    Instance,
}

struct Case {
    under: Under,
    kind: Kind,
    name: &'static str,
    json: Value,
    says: &'static str,
}

fn case(under: Under, kind: Kind, json: Value, says: &'static str) -> Case {
    Case {
        under,
        kind,
        name: "new",
        json,
        says,
    }
}

/// All of them, asked of one world that none of them changes.
fn all_say(cases: Vec<Case>) {
    let (mut world, vpc) = World::with_vpc();
    let instance = world.instance("shop", "web-1", 1, &["web"]);
    world.nic(instance, "eth0", "front", "web");
    let head = world.intent.head();
    for case in cases {
        let parent: Option<Id> = match case.under {
            Under::Az => None,
            Under::Switch => Some(world.find(Kind::Switch, None, "switch-fd")),
            Under::Project => Some(world.project("shop")),
            Under::Vpc => Some(vpc),
            Under::SystemRouter => Some(world.find(Kind::Router, Some(vpc), "system")),
            Under::Instance => Some(instance),
        };
        let spec = spec(case.kind, case.json.clone());
        let refusal = world.try_create(parent, case.name, spec);
        let text = refusal.map_err(|refusal| refusal.to_string());
        assert_eq!(
            text,
            Err(case.says.to_owned()),
            "{} {}",
            case.kind,
            case.json
        );
    }
    assert_eq!(world.intent.head(), head);
}

#[test]
fn of_networks() {
    use Kind::{DnsRecord, Peering, Subnet, Vpc};
    use Under::Project as P;
    use Under::Vpc as V;
    all_say(vec![
        Case {
            name: "web",
            ..case(V, Subnet, json!({}), "name: there is a subnet web already")
        },
        case(
            V,
            Subnet,
            json!({"ipv4": "10.0.1.128/25"}),
            "ipv4: it overlaps 10.0.1.0/24 of subnet web",
        ),
        case(
            V,
            Subnet,
            json!({"ipv4": "10.9.0.0/24"}),
            "ipv4: it is not within the vpc's blocks",
        ),
        case(
            V,
            Subnet,
            json!({"ipv4": "10.0.2.1/24"}),
            "ipv4: bits are set behind the prefix; it may be 10.0.2.0/24",
        ),
        case(
            V,
            Subnet,
            json!({"ipv4": "10.0.2.0/30"}),
            "ipv4: the length of the prefix is to be 29 or less",
        ),
        case(
            V,
            Subnet,
            json!({"ipv6": "fd00::/60"}),
            "ipv6: the length of the prefix is to be 64",
        ),
        case(
            V,
            Subnet,
            json!({"router": "none"}),
            "router: there is no router none",
        ),
        case(
            P,
            Vpc,
            json!({"ipv4": ["10.0.0.0/16", "10.0.1.0/24"]}),
            "ipv4[1]: it overlaps 10.0.0.0/16 of the same list",
        ),
        case(
            P,
            Vpc,
            json!({"ipv4": ["203.0.0.0/16"]}),
            "ipv4[0]: it overlaps 203.0.113.0/24 of ip pool world",
        ),
        case(
            P,
            Vpc,
            json!({"ipv4": ["127.0.0.0/8"]}),
            "ipv4[0]: hosts cannot have such addresses",
        ),
        case(
            P,
            Vpc,
            json!({"ipv6": "fd00:1122:3344::/48"}),
            "ipv6: it overlaps fd00:1122:3344::/48 of the underlay",
        ),
        case(
            P,
            Vpc,
            json!({"ipv6": "2001:db8::/48"}),
            "ipv6: it is not within fc00::/7, unique local addresses",
        ),
        case(
            P,
            Vpc,
            json!({"ipv6": "fd00:ec2::/48"}),
            "ipv6: the network keeps this address for itself",
        ),
        case(
            V,
            Peering,
            json!({"vpc": "front"}),
            "vpc: a vpc is no peer of itself",
        ),
        case(
            V,
            Peering,
            json!({"vpc": "none"}),
            "vpc: there is no vpc none",
        ),
        case(
            V,
            DnsRecord,
            json!({"data": {"alias": "web.example"}}),
            "data: the zone's own name cannot be an alias",
        ),
        case(
            V,
            DnsRecord,
            json!({"record": "web-1", "data": {"text": "hello"}}),
            "record: an instance has this name",
        ),
    ]);
}

#[test]
fn of_routes_and_rules() {
    use Kind::{FirewallRule, Route};
    use Under::SystemRouter as R;
    use Under::Vpc as V;
    let route =
        |destination: &str, target: Value| json!({"destination": destination, "target": target});
    let rule = |filters: Value| json!({"priority": 1, "direction": "in", "action": "allow", "filters": filters});
    all_say(vec![
        case(
            R,
            Route,
            route("10.0.0.1/8", json!("drop")),
            "destination: bits are set behind the prefix; it may be 10.0.0.0/8",
        ),
        case(
            R,
            Route,
            route("0.0.0.0/0", json!("drop")),
            "destination: it stands there twice",
        ),
        case(
            R,
            Route,
            route("172.16.0.0/12", json!({"instance": "nobody"})),
            "target.instance: there is no instance nobody",
        ),
        case(
            R,
            Route,
            route("172.16.0.0/12", json!({"ip": "fd00::1"})),
            "target.ip: there is no address of this family on both ends",
        ),
        case(
            R,
            Route,
            route("172.16.0.0/12", json!({"ip": "10.9.0.1"})),
            "target.ip: it is not within the vpc's blocks",
        ),
        case(
            R,
            Route,
            route("10.0.2.0/24", json!({"subnet": "web"})),
            "destination: it is not within subnet web",
        ),
        case(
            V,
            FirewallRule,
            rule(json!({"protocols": [{"icmp": {}}], "ports": [[80, 80]]})),
            "filters.protocols[0]: only tcp and udp have ports",
        ),
        case(
            V,
            FirewallRule,
            rule(json!({"hosts": [{"vpc": "other"}]})),
            "filters.hosts[0]: it is not the rule's own vpc; a peer is named by its peering",
        ),
        case(
            V,
            FirewallRule,
            rule(json!({"hosts": [{"cidr": "2001:db8::/32"}], "protocols": [{"icmp": {}}]})),
            "filters: no packet matches such filters",
        ),
    ]);
}

#[test]
fn of_instances() {
    use Kind::{FloatingIp, Instance, Nic};
    use Under::Instance as I;
    use Under::Project as P;
    let nic = |more: Value| {
        let mut nic = json!({"vpc": "front", "subnet": "web"});
        for (field, value) in more.as_object().into_iter().flatten() {
            nic[field] = value.clone();
        }
        nic
    };
    all_say(vec![
        case(
            P,
            Instance,
            json!({"sled": "none"}),
            "sled: there is no sled none",
        ),
        case(
            P,
            Instance,
            json!({"tags": ["a", "a"]}),
            "tags[1]: it stands there twice",
        ),
        case(
            P,
            Instance,
            json!({"ssh_keys": ["a\nb"]}),
            "ssh_keys[0]: a key is one line",
        ),
        case(
            I,
            Nic,
            nic(json!({"subnet": "none"})),
            "subnet: there is no subnet none",
        ),
        case(
            I,
            Nic,
            nic(json!({"slot": 9})),
            "slot: it is not within 0 to 7",
        ),
        case(
            I,
            Nic,
            nic(json!({"slot": 0})),
            "slot: another nic is in this slot",
        ),
        case(
            I,
            Nic,
            nic(json!({"addresses": ["10.0.1.2"]})),
            "addresses[0]: the network keeps this address for itself",
        ),
        case(
            I,
            Nic,
            nic(json!({"addresses": ["10.0.1.5"]})),
            "addresses[0]: 10.0.1.5 is held already",
        ),
        case(
            I,
            Nic,
            nic(json!({"addresses": ["10.0.2.5"]})),
            "addresses[0]: it is not within the subnet",
        ),
        case(
            I,
            Nic,
            nic(json!({"mtu": 9000})),
            "mtu: it is not within 1280 to 8906",
        ),
        case(
            I,
            Nic,
            nic(json!({"caps": {"out": {"burst_packets": 1}}})),
            "caps.out.burst_packets: it is not within 64 to 18446744073709551615",
        ),
        case(
            I,
            Nic,
            nic(json!({"device": {"tap": {"netns": "web"}}})),
            "device.tap.netns: it is an absolute path, such as /run/netns/web",
        ),
        case(
            P,
            FloatingIp,
            json!({"address": "203.0.113.1"}),
            "address: the pool shares this address among many",
        ),
        case(
            P,
            FloatingIp,
            json!({"address": "198.18.0.1"}),
            "address: it is not within the project's pools",
        ),
        case(
            P,
            FloatingIp,
            json!({"pool": "none"}),
            "pool: there is no ip-pool none",
        ),
    ]);
}

#[test]
fn of_operators() {
    use Kind::{Az, BgpPeer, IpPool, PoolLink, Sled, StaticRoute, Switch};
    use Under::Az as A;
    use Under::Switch as S;
    let sled = |prefix: &str| json!({"prefix": prefix, "src_mac": "a8:40:25:00:00:01", "dst_mac": "a8:40:25:00:00:02"});
    all_say(vec![
        case(
            A,
            Az,
            json!({"prefix": "fd00:1122:3355::/48"}),
            "there is one az, and it is described already",
        ),
        case(
            A,
            Sled,
            sled("fd00:1122:3355:101::/64"),
            "prefix: it is not within the az fd00:1122:3344::/48",
        ),
        case(
            A,
            Sled,
            sled("fd00:1122:3344:1fd::/64"),
            "prefix: the prefix is a switch's",
        ),
        case(
            A,
            Sled,
            sled("fd00:1122:3344:101::/64"),
            "prefix: another sled has this prefix",
        ),
        case(
            A,
            Switch,
            json!({"prefix": "fd00:1122:3344:2fd::/64", "group": 5}),
            "group: the az has no boundary group of this index",
        ),
        case(
            S,
            BgpPeer,
            json!({"uplink": "up", "address": "192.0.2.64", "hold_time": 2}),
            "hold_time: it is not within 3 to 65535",
        ),
        case(
            S,
            StaticRoute,
            json!({"destination": "10.0.0.0/8", "next_hop": "2001:db8::1"}),
            "next_hop: there is no address of this family on both ends",
        ),
        case(
            A,
            IpPool,
            json!({"blocks": ["203.0.113.128/25"]}),
            "blocks[0]: it overlaps 203.0.113.0/24 of ip pool world",
        ),
        case(
            A,
            IpPool,
            json!({"blocks": ["198.51.100.0/24"], "nat_ports": 1000}),
            "nat_ports: it is no power of two",
        ),
        case(
            A,
            IpPool,
            json!({"blocks": ["198.51.100.0/24"], "nat": ["198.51.101.0/24"]}),
            "nat[0]: it is not within the pool's blocks",
        ),
        Case {
            name: "system",
            ..case(
                Under::Project,
                PoolLink,
                json!({}),
                "name: the pool is for the sleds' own way out",
            )
        },
    ]);
}
