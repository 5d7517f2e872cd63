//! What a user's firewall rule becomes, as data.

use rackweave_engine::program::Match;
use rackweave_testkit::vpc::Scene;
use rackweave_types::state::{
    Filters, FirewallAction, FirewallRule, FirewallRuleId, HostFilter, IcmpFilter, ProtocolFilter,
    SubnetId,
};
use rackweave_types::{Direction, PortRange};
use rackweave_vpc::RuleName;

/// The matches that a rule with these filters becomes.
fn matches(direction: Direction, filters: Filters) -> Vec<Match> {
    let mut scene = Scene::new().unwrap();
    let (id, action) = (FirewallRuleId::new(77), FirewallAction::Allow);
    let rule = FirewallRule {
        id,
        priority: 9,
        direction,
        action,
        filters,
    };
    scene.vpc.rule_sets[0].rules.push(rule);
    let program = scene.program(&scene.test).unwrap();
    let layer = program
        .spec
        .layers
        .iter()
        .find(|layer| layer.name == "firewall")
        .unwrap();
    let set = match direction {
        Direction::Out => &layer.outbound,
        Direction::In => &layer.inbound,
    };
    let of_rule = set
        .rules
        .iter()
        .filter(|rule| RuleName::of(rule.id).and_then(RuleName::firewall_rule) == Some(id));
    of_rule
        .map(|rule| {
            assert_eq!(rule.priority, 9);
            rule.matches.clone()
        })
        .collect()
}

fn net(text: &str) -> ipnet::IpNet {
    text.parse().unwrap()
}

#[test]
fn a_subnet_is_asked_for_by_prefix_and_inbound_by_identifier_too() {
    let hosts = vec![HostFilter::Subnet(SubnetId::new(1))];
    let filters = Filters {
        hosts,
        ..Filters::default()
    };
    let vni = Some(Scene::new().unwrap().vpc.vni);
    let from = |prefix| Match {
        src: Some(net(prefix)),
        vni,
        ..Match::default()
    };
    let expected = [from("10.0.1.0/24"), from("fd12:3456:789a:1::/64")];
    assert_eq!(matches(Direction::In, filters.clone()), expected);
    let to = |prefix| Match {
        dst: Some(net(prefix)),
        ..Match::default()
    };
    let expected = [to("10.0.1.0/24"), to("fd12:3456:789a:1::/64")];
    assert_eq!(matches(Direction::Out, filters), expected);
}

#[test]
fn a_vpc_is_asked_for_by_identifier_and_outbound_by_its_blocks() {
    let vpc = Scene::new().unwrap().vpc.vni;
    let filters = Filters {
        hosts: vec![HostFilter::Vpc(vpc)],
        ..Filters::default()
    };
    let expected = [Match {
        vni: Some(vpc),
        ..Match::default()
    }];
    assert_eq!(matches(Direction::In, filters.clone()), expected);
    let to = |prefix| Match {
        dst: Some(net(prefix)),
        ..Match::default()
    };
    let expected = [to("10.0.0.0/16"), to("fd12:3456:789a::/48")];
    assert_eq!(matches(Direction::Out, filters), expected);
}

#[test]
fn lists_become_every_combination() {
    let ports = vec![PortRange::single(53), PortRange::new(8000, 8080).unwrap()];
    let found = matches(
        Direction::Out,
        Filters {
            ports,
            ..Filters::default()
        },
    );
    let found: Vec<_> = found
        .iter()
        .map(|found| (found.protocol, found.dst_port))
        .collect();
    let (dns, web) = (PortRange::single(53), PortRange::new(8000, 8080).unwrap());
    let expected = [(6, dns), (6, web), (17, dns), (17, web)];
    assert_eq!(
        found,
        expected.map(|(protocol, port)| (Some(protocol), Some(port)))
    );
}

#[test]
fn icmp_meets_hosts_of_its_family_alone() {
    let icmp = IcmpFilter {
        icmp_type: Some(8),
        icmp_code: None,
    };
    let filters = Filters {
        hosts: vec![HostFilter::Cidr(net("192.0.2.0/24"))],
        protocols: vec![
            ProtocolFilter::Icmp(icmp),
            ProtocolFilter::Icmpv6(IcmpFilter::default()),
        ],
        ..Filters::default()
    };
    let expected = Match {
        src: Some(net("192.0.2.0/24")),
        protocol: Some(1),
        icmp_type: Some(8),
        ..Match::default()
    };
    assert_eq!(matches(Direction::In, filters), [expected]);
}
