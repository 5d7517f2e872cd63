//! The state's formats: frozen bytes, and what a release apart may read.
//!
//! The files in `golden/` are frozen. A test that fails here says that nodes of another release no
//! longer understand each other: do not change the file, make a new version beside it.
#![expect(clippy::unwrap_used, reason = "literals of the tests")]

use core::net::{IpAddr, Ipv6Addr};
use std::fmt::Debug;

use rackweave_types::state::{
    BoundaryGroup, BoundaryState, Cap, Caps, DhcpSettings, DomainName, ExistingConnections,
    ExternalAddress, ExternalKind, FileError, Filters, FirewallAction, FirewallRule,
    FirewallRuleId, HostFilter, IcmpFilter, LeaseTime, MappingEntry, MappingState, NatBlock, Peer,
    PortAddress, PortBlock, PortConfig, PortLimits, ProtocolFilter, Route, RouteId, RouteTarget,
    Router, RouterId, RuleSet, RuleSetId, SledUnderlay, StateVersion, Subnet, SubnetId,
    TransitHolder, VpcState, from_file, from_stream,
};
use rackweave_types::{
    BytesPerSecond, Direction, Generation, MacAddr, Mtu, NodePrefix, PacketsPerSecond, PortId,
    PortRange, Vni,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Deserializer, Value};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn sled(rack: u8, node: u8) -> NodePrefix {
    let subnet = u16::from_be_bytes([rack, node]);
    NodePrefix::of(Ipv6Addr::new(0xfd52, 0x7761, 0x6b65, subnet, 0, 0, 0, 1)).unwrap()
}

fn mac(last: u8) -> MacAddr {
    MacAddr::new([0x02, 0x72, 0x77, 0, 0, last])
}

fn port() -> PortConfig {
    let name = |text: &str| text.parse::<DomainName>().unwrap();
    PortConfig {
        version: StateVersion::CURRENT,
        generation: Generation::new(7),
        id: PortId::new(0x2f1),
        mac: mac(1),
        slot: 0,
        vni: Vni::new(4096).unwrap(),
        addresses: vec![
            PortAddress {
                address: ip("10.0.1.5"),
                subnet: SubnetId::new(1),
            },
            PortAddress {
                address: ip("fd12:3456:789a:1::5"),
                subnet: SubnetId::new(1),
            },
        ],
        transit: vec!["192.168.0.0/16".parse().unwrap()],
        router: RouterId::new(1),
        rule_sets: vec![RuleSetId::new(1), RuleSetId::new(2)],
        external: vec![
            ExternalAddress {
                kind: ExternalKind::Floating,
                outside: ip("203.0.113.10"),
                inside: ip("10.0.1.5"),
            },
            ExternalAddress {
                kind: ExternalKind::Ephemeral,
                outside: ip("2001:db8::10"),
                inside: ip("fd12:3456:789a:1::5"),
            },
        ],
        nat: vec![NatBlock {
            address: ip("198.51.100.1"),
            ports: PortBlock::new(16_384, 1024).unwrap(),
        }],
        caps: Caps {
            outbound: Cap {
                bytes: Some(BytesPerSecond::new(125_000_000)),
                burst_bytes: Some(1_000_000),
                packets: Some(PacketsPerSecond::new(100_000)),
                burst_packets: None,
            },
            inbound: Cap::default(),
        },
        limits: PortLimits {
            flows: Some(65_536),
            replies: Some(PacketsPerSecond::new(500)),
            ..PortLimits::default()
        },
        mtu: Mtu::new(1500).unwrap(),
        dhcp: DhcpSettings {
            hostname: Some(name("test")),
            domain: Some(name("vpc.internal")),
            search: vec![name("vpc.internal"), name("internal")],
            dns: vec![ip("10.0.1.2")],
            lease: LeaseTime::from_secs(3600).unwrap(),
        },
    }
}

fn vpc() -> VpcState {
    let route = |id, destination: &str, target| Route {
        id: RouteId::new(id),
        destination: destination.parse().unwrap(),
        target,
    };
    let user_rule = FirewallRule {
        id: FirewallRuleId::new(5),
        priority: 100,
        direction: Direction::In,
        action: FirewallAction::Reject,
        filters: Filters {
            hosts: vec![
                HostFilter::Ip(ip("10.0.1.9")),
                HostFilter::Cidr("192.0.2.0/24".parse().unwrap()),
                HostFilter::Subnet(SubnetId::new(1)),
                HostFilter::Vpc(Vni::new(4097).unwrap()),
            ],
            protocols: vec![ProtocolFilter::Tcp, ProtocolFilter::Udp],
            ports: vec![PortRange::new(8000, 8080).unwrap()],
        },
    };
    let ping = FirewallRule {
        id: FirewallRuleId::new(6),
        priority: 100,
        direction: Direction::Out,
        action: FirewallAction::Deny,
        filters: Filters {
            protocols: vec![
                ProtocolFilter::Icmp(IcmpFilter {
                    icmp_type: Some(8),
                    icmp_code: Some(0),
                }),
                ProtocolFilter::Icmpv6(IcmpFilter::default()),
                ProtocolFilter::Number(132),
            ],
            ..Filters::default()
        },
    };
    let vni = Vni::new(4096).unwrap();
    VpcState {
        version: StateVersion::CURRENT,
        generation: Generation::new(3),
        vni,
        ipv4: vec!["10.0.0.0/16".parse().unwrap()],
        ipv6: Some("fd12:3456:789a::/48".parse().unwrap()),
        subnets: vec![Subnet {
            id: SubnetId::new(1),
            ipv4: Some("10.0.1.0/24".parse().unwrap()),
            ipv6: Some("fd12:3456:789a:1::/64".parse().unwrap()),
        }],
        routers: vec![Router {
            id: RouterId::new(1),
            routes: vec![
                route(1, "0.0.0.0/0", RouteTarget::InternetGateway),
                route(2, "192.168.0.0/16", RouteTarget::Instance(ip("10.0.1.7"))),
                route(3, "10.1.0.0/16", RouteTarget::Peer(Vni::new(4097).unwrap())),
                route(4, "10.0.1.128/25", RouteTarget::Subnet(SubnetId::new(1))),
                route(5, "192.0.2.0/24", RouteTarget::Drop),
            ],
        }],
        rule_sets: vec![
            RuleSet::default_rules(RuleSetId::new(1), vni),
            RuleSet {
                id: RuleSetId::new(2),
                generation: Generation::ZERO,
                rules: vec![user_rule, ping],
            },
        ],
        existing_connections: ExistingConnections::Keep,
        transit: vec![TransitHolder {
            prefix: "192.168.0.0/16".parse().unwrap(),
            sled: sled(1, 2),
        }],
        peers: vec![Peer {
            vni: Vni::new(4097).unwrap(),
            ipv4: vec!["10.1.0.0/16".parse().unwrap()],
            ipv6: Some("fd12:3456:789b::/48".parse().unwrap()),
            transit: Vec::new(),
        }],
    }
}

fn mapping() -> MappingState {
    let entry = |prefix: &str, node, last| MappingEntry {
        prefix: prefix.parse().unwrap(),
        sled: sled(1, node),
        mac: mac(last),
    };
    MappingState {
        version: StateVersion::CURRENT,
        generation: Generation::new(12),
        vni: Vni::new(4096).unwrap(),
        entries: vec![
            entry("10.0.1.5/32", 1, 1),
            entry("fd12:3456:789a:1::5/128", 1, 1),
        ],
    }
}

fn boundary() -> BoundaryState {
    BoundaryState {
        version: StateVersion::CURRENT,
        generation: Generation::new(1),
        vni: Vni::BOUNDARY,
        mtu: Mtu::new(1500).unwrap(),
        groups: vec![BoundaryGroup {
            address: "fd52:7761:6b65:ff10::1".parse().unwrap(),
            mac: MacAddr::new([0x02, 0x72, 0x77, 0xff, 0, 1]),
            pools: vec!["203.0.113.0/24".parse().unwrap()],
        }],
    }
}

fn underlay() -> SledUnderlay {
    SledUnderlay {
        version: StateVersion::CURRENT,
        sled: sled(1, 1),
        src_mac: MacAddr::new([0xa8, 0x40, 0x25, 0, 0, 1]),
        dst_mac: MacAddr::new([0xa8, 0x40, 0x25, 0, 0, 2]),
        mtu: Mtu::new(9000).unwrap(),
    }
}

/// Frozen bytes are read both ways and written again to the same bytes.
fn frozen<T>(name: &str, golden: &str, value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let written = serde_json::to_string_pretty(value).unwrap() + "\n";
    assert_eq!(written, golden, "{name} is written otherwise");
    let read: T = from_file(&mut Deserializer::from_str(golden)).unwrap();
    assert_eq!(&read, value, "{name} from a file");
    let read: T = from_stream(&mut Deserializer::from_str(golden)).unwrap();
    assert_eq!(&read, value, "{name} from a stream");
}

#[test]
fn version_1_is_frozen() {
    frozen("port", include_str!("golden/port-v1.json"), &port());
    frozen("vpc", include_str!("golden/vpc-v1.json"), &vpc());
    frozen(
        "mapping",
        include_str!("golden/mapping-v1.json"),
        &mapping(),
    );
    frozen(
        "boundary",
        include_str!("golden/boundary-v1.json"),
        &boundary(),
    );
    frozen(
        "underlay",
        include_str!("golden/underlay-v1.json"),
        &underlay(),
    );
}

#[test]
fn the_next_versions_additions_are_ignored_on_a_stream_and_named_in_a_file() {
    let mut next: Value = serde_json::to_value(port()).unwrap();
    next["version"] = 2.into();
    next["color"] = "red".into();
    next["dhcp"]["leese"] = 60.into();
    next["external"][1]["pool"] = 3.into();
    let read: PortConfig = from_stream(next.clone()).unwrap();
    assert_eq!(
        PortConfig {
            version: StateVersion::CURRENT,
            ..read
        },
        port()
    );

    let error = from_file::<PortConfig, _>(next).unwrap_err();
    let FileError::UnknownFields(mut fields) = error else {
        panic!("{error:?}")
    };
    fields.sort();
    assert_eq!(fields, ["color", "dhcp.leese", "external.1.pool"]);
}

#[test]
fn what_may_be_left_out_is_left_out() {
    let text = r#"{
        "version": 1, "generation": 1, "id": "0000000000000001", "mac": "02:72:77:00:00:01",
        "slot": 0, "vni": 4096, "router": 1, "mtu": 1500,
        "addresses": [{"address": "10.0.1.5", "subnet": 1}]
    }"#;
    let read: PortConfig = from_file(&mut Deserializer::from_str(text)).unwrap();
    assert_eq!(read.caps, Caps::default());
    assert_eq!(read.dhcp, DhcpSettings::default());
    assert!(read.rule_sets.is_empty() && read.nat.is_empty());
}

#[test]
fn a_malformed_field_says_where() {
    let text = include_str!("golden/port-v1.json").replace("16384", "16385");
    let error = from_file::<PortConfig, _>(&mut Deserializer::from_str(&text)).unwrap_err();
    let FileError::Malformed(source) = &error else {
        panic!("{error:?}")
    };
    let message = source.to_string();
    assert!(
        message.contains("a block of 1024 ports cannot begin at port 16385"),
        "{message}"
    );
    assert!(source.line() > 1, "{message}");
}
