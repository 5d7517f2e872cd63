//! Bad configurations: each fault has its own error, which names the object and the field.

use rackweave_testkit::vpc::Scene;
use rackweave_types::state::{
    ExternalAddress, ExternalKind, FirewallRuleId, HostFilter, IcmpFilter, NatBlock, Peer,
    PortBlock, ProtocolFilter, Route, RouteId, RouteTarget, RouterId, RuleSetId, Subnet, SubnetId,
    TransitHolder,
};
use rackweave_types::{BytesPerSecond, MacAddr, Mtu, NodePrefix, PacketsPerSecond, PortRange, Vni};

use crate::frames::ip;

/// A fault: how it is made, and what is said of it.
type Case = (fn(&mut Scene), &'static str);

fn check(cases: &[Case]) {
    for (make, expected) in cases {
        let mut scene = Scene::new().unwrap();
        make(&mut scene);
        let error = scene.program(&scene.test).unwrap_err();
        assert_eq!(error.to_string(), *expected);
    }
}

fn subnet(id: u32, ipv4: Option<&str>, ipv6: Option<&str>) -> Subnet {
    Subnet {
        id: SubnetId::new(id),
        ipv4: ipv4.map(|net| net.parse().unwrap()),
        ipv6: ipv6.map(|net| net.parse().unwrap()),
    }
}

fn route(destination: &str, target: RouteTarget) -> Route {
    Route {
        id: RouteId::new(9),
        destination: destination.parse().unwrap(),
        target,
    }
}

fn peer(vni: u32, ipv4: &str, ipv6: Option<&str>) -> Peer {
    Peer {
        vni: Vni::new(vni).unwrap(),
        ipv4: vec![ipv4.parse().unwrap()],
        ipv6: ipv6.map(|net| net.parse().unwrap()),
        transit: Vec::new(),
    }
}

fn external(outside: &str, inside: &str) -> ExternalAddress {
    ExternalAddress {
        kind: ExternalKind::Ephemeral,
        outside: ip(outside),
        inside: ip(inside),
    }
}

fn block(address: &str) -> NatBlock {
    NatBlock {
        address: ip(address),
        ports: PortBlock::new(2048, 1024).unwrap(),
    }
}

#[test]
fn the_scene_itself_is_right() {
    let scene = Scene::new().unwrap();
    for port in [&scene.test, &scene.web, &scene.db] {
        scene.program(port).unwrap();
    }
}

#[test]
fn underlay_and_boundary() {
    const FAR: [u16; 8] = [0xfd52, 0x7761, 0x6b66, 0xff10, 0, 0, 0, 1];
    check(&[
        (
            |s| {
                let switch = "fd52:7761:6b65:1fd::1".parse().unwrap();
                s.sleds[0].sled = NodePrefix::of(switch).unwrap();
            },
            "underlay: sled: the prefix is a switch's",
        ),
        (
            |s| s.sleds[0].src_mac = MacAddr::BROADCAST,
            "underlay: src_mac: not one station's ethernet address",
        ),
        (
            |s| s.sleds[0].dst_mac = MacAddr::ZERO,
            "underlay: dst_mac: not one station's ethernet address",
        ),
        (
            |s| s.sleds[0].mtu = Mtu::new(1500).unwrap(),
            "underlay: mtu: an underlay carries at least 1600 octets",
        ),
        (
            |s| s.boundary.vni = Vni::new(5000).unwrap(),
            "boundary: vni: the vni is not the system's",
        ),
        (
            |s| s.boundary.groups[0].address = FAR.into(),
            "boundary: groups[0].address: not the address of a boundary group of the az",
        ),
        (
            |s| s.boundary.groups.push(s.boundary.groups[0].clone()),
            "boundary: groups[1].address: the same stands there before",
        ),
        (
            |s| s.boundary.groups[0].mac = MacAddr::ZERO,
            "boundary: groups[0].mac: not one station's ethernet address",
        ),
        (
            |s| s.boundary.groups[0].pools = vec!["203.0.113.9/24".parse().unwrap()],
            "boundary: groups[0].pools[0]: it has bits behind its length; is 203.0.113.0/24 meant?",
        ),
    ]);
}

#[test]
fn blocks_and_subnets() {
    check(&[
        (
            |s| s.vpc.vni = Vni::BOUNDARY,
            "vpc 99: vni: no vpc has this vni",
        ),
        (
            |s| s.vpc.ipv4.push("10.0.0.0/8".parse().unwrap()),
            "vpc 4096: ipv4[1]: it overlaps 10.0.0.0/16",
        ),
        (
            |s| s.vpc.ipv4.push("169.254.0.0/24".parse().unwrap()),
            "vpc 4096: ipv4[1]: not the address or prefix of a host",
        ),
        (
            |s| s.vpc.ipv6 = Some("fd12:3456:789a::/52".parse().unwrap()),
            "vpc 4096: ipv6: its length must be 48",
        ),
        (
            |s| s.vpc.ipv6 = Some("2001:db8::/48".parse().unwrap()),
            "vpc 4096: ipv6: not a block of unique local addresses",
        ),
        (
            |s| s.vpc.ipv6 = Some("fd00:ec2::/48".parse().unwrap()),
            "vpc 4096: ipv6: the address is reserved in its subnet",
        ),
        (
            |s| s.vpc.ipv6 = Some("fd52:7761:6b65::/48".parse().unwrap()),
            "vpc 4096: ipv6: it is within the underlay",
        ),
        (
            |s| s.vpc.subnets[1].id = SubnetId::new(1),
            "vpc 4096: subnets[1].id: the same stands there before",
        ),
        (
            |s| s.vpc.subnets.push(subnet(3, None, None)),
            "vpc 4096: subnets[2].ipv4: a subnet needs a prefix of one family at least",
        ),
        (
            |s| s.vpc.subnets.push(subnet(3, Some("10.0.3.0/30"), None)),
            "vpc 4096: subnets[2].ipv4: its length may be at most 29",
        ),
        (
            |s| s.vpc.subnets.push(subnet(3, Some("10.1.0.0/24"), None)),
            "vpc 4096: subnets[2].ipv4: it is not within a block of the vpc",
        ),
        (
            |s| s.vpc.subnets.push(subnet(3, Some("10.0.2.128/25"), None)),
            "vpc 4096: subnets[2].ipv4: it overlaps 10.0.2.0/24",
        ),
        (
            |s| s.vpc.subnets.push(subnet(3, Some("10.0.3.1/24"), None)),
            "vpc 4096: subnets[2].ipv4: it has bits behind its length; is 10.0.3.0/24 meant?",
        ),
        (
            |s| {
                s.vpc
                    .subnets
                    .push(subnet(3, None, Some("fd12:3456:789a:3::/80")));
            },
            "vpc 4096: subnets[2].ipv6: its length must be 64",
        ),
    ]);
}

#[test]
fn routes_and_peers() {
    check(&[
        (
            |s| s.vpc.routers.push(s.vpc.routers[0].clone()),
            "vpc 4096: routers[1].id: the same stands there before",
        ),
        (
            |s| s.vpc.routers[0].routes[1].id = RouteId::new(1),
            "vpc 4096: routers[0].routes[1].id: the same stands there before",
        ),
        (
            |s| {
                s.vpc.routers[0]
                    .routes
                    .push(route("::/0", RouteTarget::Drop));
            },
            "vpc 4096: routers[0].routes[2].destination: the same stands there before",
        ),
        (
            |s| {
                s.vpc.routers[0]
                    .routes
                    .push(route("10.0.9.9/24", RouteTarget::Drop));
            },
            "vpc 4096: routers[0].routes[2].destination: it has bits behind its length; is 10.0.9.0/24 meant?",
        ),
        (
            |s| {
                let target = RouteTarget::Instance(ip("fd12:3456:789a:1::6"));
                s.vpc.routers[0].routes.push(route("192.0.2.0/24", target));
            },
            "vpc 4096: routers[0].routes[2].target: addresses of one family needed",
        ),
        (
            |s| {
                let target = RouteTarget::Instance(ip("192.0.2.1"));
                s.vpc.routers[0].routes.push(route("192.0.2.0/24", target));
            },
            "vpc 4096: routers[0].routes[2].target: it is not within a block of the vpc",
        ),
        (
            |s| {
                let target = RouteTarget::Subnet(SubnetId::new(7));
                s.vpc.routers[0].routes.push(route("10.0.1.128/25", target));
            },
            "vpc 4096: routers[0].routes[2].target: the vpc has no subnet 7",
        ),
        (
            |s| {
                let target = RouteTarget::Subnet(SubnetId::new(1));
                s.vpc.routers[0].routes.push(route("10.0.2.128/25", target));
            },
            "vpc 4096: routers[0].routes[2].destination: the destination is not within what the target holds",
        ),
        (
            |s| {
                let target = RouteTarget::Peer(Vni::new(4097).unwrap());
                s.vpc.routers[0].routes.push(route("10.1.0.0/16", target));
            },
            "vpc 4096: routers[0].routes[2].target: 4097 is neither the vpc nor a peer of it",
        ),
        (
            |s| {
                let prefix = "192.168.1.0/16".parse().unwrap();
                s.vpc.transit.push(TransitHolder {
                    prefix,
                    sled: s.sleds[0].sled,
                });
            },
            "vpc 4096: transit[0].prefix: it has bits behind its length; is 192.168.0.0/16 meant?",
        ),
        (
            |s| s.vpc.peers.push(peer(4096, "10.1.0.0/16", None)),
            "vpc 4096: peers[0].vni: the same stands there before",
        ),
        (
            |s| s.vpc.peers.push(peer(99, "10.1.0.0/16", None)),
            "vpc 4096: peers[0].vni: no vpc has this vni",
        ),
        (
            |s| s.vpc.peers.push(peer(4097, "10.0.3.0/24", None)),
            "vpc 4096: peers[0].ipv4[0]: it overlaps 10.0.0.0/16",
        ),
        (
            |s| {
                s.vpc
                    .peers
                    .push(peer(4097, "10.1.0.0/16", Some("fd12:3456:789a::/48")));
            },
            "vpc 4096: peers[0].ipv6: it overlaps fd12:3456:789a::/48",
        ),
    ]);
}

#[test]
fn firewall_rules() {
    check(&[
        (
            |s| s.vpc.rule_sets[1].id = RuleSetId::new(1),
            "vpc 4096: rule_sets[1].id: the same stands there before",
        ),
        (
            |s| s.vpc.rule_sets[0].rules[1].id = FirewallRuleId::new(1),
            "vpc 4096: rule_sets[0].rules[1].id: the same stands there before",
        ),
        (
            |s| s.vpc.rule_sets[1].rules[0].id = FirewallRuleId::new(1),
            "vpc 4096: rule_sets[1].rules[0].id: another set has a rule 1",
        ),
        (
            |s| {
                let filters = &mut s.vpc.rule_sets[1].rules[0].filters;
                filters
                    .hosts
                    .push(HostFilter::Cidr("10.0.0.1/8".parse().unwrap()));
            },
            "vpc 4096: rule_sets[1].rules[0].filters.hosts[0]: it has bits behind its length; is 10.0.0.0/8 meant?",
        ),
        (
            |s| {
                let filters = &mut s.vpc.rule_sets[1].rules[0].filters;
                filters.hosts.push(HostFilter::Subnet(SubnetId::new(7)));
            },
            "vpc 4096: rule_sets[1].rules[0].filters.hosts[0]: the vpc has no subnet 7",
        ),
        (
            |s| {
                let filters = &mut s.vpc.rule_sets[1].rules[0].filters;
                filters.hosts.push(HostFilter::Vpc(Vni::new(7000).unwrap()));
            },
            "vpc 4096: rule_sets[1].rules[0].filters.hosts[0]: 7000 is neither the vpc nor a peer of it",
        ),
        (
            |s| {
                let filters = &mut s.vpc.rule_sets[1].rules[0].filters;
                filters.protocols.push(ProtocolFilter::Number(132));
            },
            "vpc 4096: rule_sets[1].rules[0].filters.protocols[1]: only tcp and udp have ports",
        ),
        (
            |s| {
                let filters = &mut s.vpc.rule_sets[1].rules[0].filters;
                filters.ports.clear();
                filters.protocols = vec![ProtocolFilter::Icmp(IcmpFilter::default())];
                filters.hosts = vec![HostFilter::Cidr("::/0".parse().unwrap())];
            },
            "vpc 4096: rule_sets[1].rules[0].filters: no packet can match",
        ),
        (
            |s| {
                let filters = &mut s.vpc.rule_sets[1].rules[0].filters;
                filters.ports = (0..20_000).map(PortRange::single).collect();
            },
            "vpc 4096: rule_sets[1].rules[0].filters: 20000 combinations of hosts, protocols and ports are above 16384",
        ),
    ]);
}

#[test]
fn a_ports_addresses() {
    check(&[
        (
            |s| s.test.vni = Vni::new(4097).unwrap(),
            "port 0000000000000001: vni: the vpc given has the vni 4096",
        ),
        (
            |s| s.test.mac = MacAddr::new([2, 0, 0, 0, 0, 1]),
            "port 0000000000000001: mac: not a guest's ethernet address",
        ),
        (
            |s| s.test.addresses.clear(),
            "port 0000000000000001: addresses: a port needs an address",
        ),
        (
            |s| s.test.addresses = vec![s.test.addresses[0]; 65],
            "port 0000000000000001: addresses: there may be at most 64",
        ),
        (
            |s| s.test.addresses[1].subnet = SubnetId::new(9),
            "port 0000000000000001: addresses[1].subnet: the vpc has no subnet 9",
        ),
        (
            |s| s.test.addresses[0].address = ip("10.0.2.9"),
            "port 0000000000000001: addresses[0].address: it is not of subnet 1",
        ),
        (
            |s| s.test.addresses[0].address = ip("10.0.1.3"),
            "port 0000000000000001: addresses[0].address: the address is reserved in its subnet",
        ),
        (
            |s| s.test.addresses[1].address = ip("fd12:3456:789a:1::2"),
            "port 0000000000000001: addresses[1].address: the address is reserved in its subnet",
        ),
        (
            |s| s.test.addresses.push(s.test.addresses[0]),
            "port 0000000000000001: addresses[2].address: the same stands there before",
        ),
        (
            |s| s.test.transit = vec!["192.168.1.0/16".parse().unwrap()],
            "port 0000000000000001: transit[0]: it has bits behind its length; is 192.168.0.0/16 meant?",
        ),
        (
            |s| s.test.router = RouterId::new(8),
            "port 0000000000000001: router: the vpc has no router 8",
        ),
        (
            |s| s.test.rule_sets.push(RuleSetId::new(8)),
            "port 0000000000000001: rule_sets[1]: the vpc has no rule set 8",
        ),
        (
            |s| s.test.rule_sets.push(RuleSetId::new(1)),
            "port 0000000000000001: rule_sets[1]: the same stands there before",
        ),
    ]);
}

#[test]
fn a_ports_external_addresses() {
    check(&[
        (
            |s| s.test.external.push(external("2001:db8::1", "10.0.1.5")),
            "port 0000000000000001: external[0].outside: addresses of one family needed",
        ),
        (
            |s| s.test.external.push(external("10.0.200.1", "10.0.1.5")),
            "port 0000000000000001: external[0].outside: it is within a block of the vpc or of a peer",
        ),
        (
            |s| s.test.external.push(external("224.0.0.1", "10.0.1.5")),
            "port 0000000000000001: external[0].outside: not the address or prefix of a host",
        ),
        (
            |s| {
                let inside = "fd12:3456:789a:1:72:77ff:fe00:1";
                s.test
                    .external
                    .push(external("fd52:7761:6b65:101::1", inside));
            },
            "port 0000000000000001: external[0].outside: it is within the underlay",
        ),
        (
            |s| s.test.external.push(external("203.0.113.1", "10.0.1.6")),
            "port 0000000000000001: external[0].inside: the port does not have this address",
        ),
        (
            |s| s.test.external = vec![external("203.0.113.1", "10.0.1.5"); 2],
            "port 0000000000000001: external[1].outside: the same stands there before",
        ),
        (
            |s| {
                let first = external("203.0.113.1", "10.0.1.5");
                s.test.external = vec![first, external("203.0.113.2", "10.0.1.5")];
            },
            "port 0000000000000001: external[1].kind: the inside address has an ephemeral address before",
        ),
        (
            |s| {
                s.boundary.groups[0].pools = vec!["198.51.100.0/24".parse().unwrap()];
                s.test.external.push(external("203.0.113.1", "10.0.1.5"));
            },
            "port 0000000000000001: external[0].outside: no boundary group serves this address",
        ),
        (
            |s| s.test.nat[0].address = ip("10.0.1.9"),
            "port 0000000000000001: nat[0].address: it is within a block of the vpc or of a peer",
        ),
        (
            |s| s.test.external.push(external("198.51.100.1", "10.0.1.5")),
            "port 0000000000000001: nat[0].address: the same stands there before",
        ),
        (
            |s| s.test.nat[1] = block("198.51.100.2"),
            "port 0000000000000001: nat[1].address: there is a block of ports of this family before",
        ),
        (
            |s| s.test.addresses.truncate(1),
            "port 0000000000000001: nat[1].address: the port has no address of this family",
        ),
    ]);
}

#[test]
fn a_ports_limits() {
    check(&[
        (
            |s| s.test.caps.outbound.bytes = Some(BytesPerSecond::new(0)),
            "port 0000000000000001: caps.out.bytes: nothing would ever pass",
        ),
        (
            |s| s.test.caps.inbound.packets = Some(PacketsPerSecond::new(0)),
            "port 0000000000000001: caps.in.packets: nothing would ever pass",
        ),
        (
            |s| s.test.caps.inbound.burst_bytes = Some(1500),
            "port 0000000000000001: caps.in.burst_bytes: the greatest frame needs a burst of at least 65535",
        ),
        (
            |s| s.test.caps.outbound.burst_packets = Some(1),
            "port 0000000000000001: caps.out.burst_packets: the greatest frame needs a burst of at least 64",
        ),
        (
            |s| s.test.limits.flows = Some(0),
            "port 0000000000000001: limits.flows: nothing would ever pass",
        ),
        (
            |s| s.test.limits.replies = Some(PacketsPerSecond::new(0)),
            "port 0000000000000001: limits.replies: nothing would ever pass",
        ),
        (
            |s| s.test.mtu = Mtu::new(8907).unwrap(),
            "port 0000000000000001: mtu: the underlay carries at most 8906 octets",
        ),
        (
            |s| s.test.dhcp.dns = vec![ip("0.0.0.0")],
            "port 0000000000000001: dhcp.dns[0]: not the address or prefix of a host",
        ),
    ]);
}
