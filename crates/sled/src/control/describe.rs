//! What users' rules say, in words.

use rackweave_types::Direction;
use rackweave_types::state::{
    Filters, FirewallAction, FirewallRule, HostFilter, HostState, IcmpFilter, PortConfig,
    ProtocolFilter, Route, RouteTarget, RuleSetId, VpcState,
};
use rackweave_vpc::{RuleKind, RuleName};
use rackweave_wire::protocol::IpProtocol;

/// What the user's item says that a rule was made from; empty where it was made from none.
pub(crate) fn rule(
    state: &HostState,
    port: &PortConfig,
    direction: Direction,
    name: RuleName,
) -> String {
    let vpc = state.vpcs.iter().find(|vpc| vpc.vni == port.vni);
    let Some(vpc) = vpc else {
        return String::new();
    };
    let found = match name.kind {
        RuleKind::Firewall => firewall_rule(vpc, port, direction, name.item),
        RuleKind::Route => {
            let router = vpc.routers.iter().find(|router| router.id == port.router);
            let mut routes = router.into_iter().flat_map(|router| &router.routes);
            routes.find(|route| route.id.get() == name.item).map(route)
        }
        RuleKind::SubnetRoute => {
            let mut subnets = vpc.subnets.iter();
            let subnet = subnets.find(|subnet| subnet.id.get() == name.item);
            subnet.map(|subnet| {
                let v4 = subnet.ipv4.map(|net| net.to_string());
                let v6 = subnet.ipv6.map(|net| net.to_string());
                join(v4.into_iter().chain(v6), " and ")
            })
        }
        RuleKind::OneToOne => {
            let pair = |external: &rackweave_types::state::ExternalAddress| {
                format!("{} is {}", external.inside, external.outside)
            };
            Some(join(port.external.iter().map(pair), ", "))
        }
        RuleKind::SourceNat => {
            let block = |block: &rackweave_types::state::NatBlock| {
                let (first, last) = (block.ports.range().first(), block.ports.range().last());
                format!("{} ports {first}-{last}", block.address)
            };
            Some(join(port.nat.iter().map(block), ", "))
        }
        RuleKind::Peer => Some(format!("vpc {}", name.item)),
        _ => None,
    };
    found.unwrap_or_default()
}

fn firewall_rule(
    vpc: &VpcState,
    port: &PortConfig,
    direction: Direction,
    item: u32,
) -> Option<String> {
    let sets = vpc
        .rule_sets
        .iter()
        .filter(|set| port.rule_sets.contains(&set.id));
    let mut rules = sets.flat_map(|set| set.rules.iter().map(move |rule| (set.id, rule)));
    let is = |rule: &FirewallRule| rule.id.get() == item && rule.direction == direction;
    let (set, found) = rules.find(|(_, rule)| is(rule))?;
    Some(firewall(found, set))
}

/// A firewall rule in a line.
fn firewall(rule: &FirewallRule, set: RuleSetId) -> String {
    let action = match rule.action {
        FirewallAction::Allow => "allow",
        FirewallAction::Deny => "deny",
        FirewallAction::Reject => "reject",
    };
    let filters = filters(&rule.filters, rule.direction);
    format!("{action} {filters} (set {set})")
}

fn filters(filters: &Filters, direction: Direction) -> String {
    let mut words = Vec::new();
    if filters.protocols.is_empty() {
        words.push(
            if filters.ports.is_empty() {
                "everything"
            } else {
                "tcp, udp"
            }
            .to_owned(),
        );
    } else {
        words.push(join(filters.protocols.iter().copied().map(protocol), ", "));
    }
    if !filters.ports.is_empty() {
        let ports = filters.ports.iter().map(|range| {
            if range.first() == range.last() {
                range.first().to_string()
            } else {
                format!("{}-{}", range.first(), range.last())
            }
        });
        words.push(format!("to port {}", join(ports, ", ")));
    }
    if !filters.hosts.is_empty() {
        let side = match direction {
            Direction::Out => "towards",
            Direction::In => "from",
        };
        words.push(format!(
            "{side} {}",
            join(filters.hosts.iter().map(host), ", ")
        ));
    }
    words.join(" ")
}

fn protocol(filter: ProtocolFilter) -> String {
    let icmp = |name: &str, filter: IcmpFilter| {
        let icmp_type = filter.icmp_type.map(|number| format!(" type {number}"));
        let icmp_code = filter.icmp_code.map(|number| format!(" code {number}"));
        join(
            [Some(name.to_owned()), icmp_type, icmp_code]
                .into_iter()
                .flatten(),
            "",
        )
    };
    match filter {
        ProtocolFilter::Tcp => "tcp".to_owned(),
        ProtocolFilter::Udp => "udp".to_owned(),
        ProtocolFilter::Icmp(filter) => icmp("icmp", filter),
        ProtocolFilter::Icmpv6(filter) => icmp("icmpv6", filter),
        ProtocolFilter::Number(number) => IpProtocol::from(number).to_string(),
    }
}

fn host(filter: &HostFilter) -> String {
    match filter {
        HostFilter::Ip(address) => address.to_string(),
        HostFilter::Cidr(net) => net.to_string(),
        HostFilter::Subnet(subnet) => format!("subnet {subnet}"),
        HostFilter::Vpc(vni) => format!("vpc {vni}"),
    }
}

fn route(route: &Route) -> String {
    let target = match route.target {
        RouteTarget::Instance(address) => format!("by way of {address}"),
        RouteTarget::Subnet(subnet) => format!("to subnet {subnet}"),
        RouteTarget::Peer(vni) => format!("to vpc {vni}"),
        RouteTarget::Drop => "nowhere".to_owned(),
        RouteTarget::InternetGateway => "to the internet gateway".to_owned(),
    };
    format!("{} {target}", route.destination)
}

fn join(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::state;

    #[test]
    fn users_find_their_own_words_again() {
        let state = state();
        let told = |port: usize, direction, kind, item| {
            let name = RuleName {
                kind,
                item,
                part: 0,
            };
            rule(&state, &state.ports[port], direction, name)
        };
        let (out, inbound) = (Direction::Out, Direction::In);
        assert_eq!(
            told(0, out, RuleKind::Firewall, 1),
            "allow everything (set 1)"
        );
        assert_eq!(
            told(0, inbound, RuleKind::Firewall, 2),
            "allow everything from vpc 4096 (set 1)"
        );
        assert_eq!(
            told(0, inbound, RuleKind::Firewall, 3),
            "allow icmp, icmpv6 (set 1)"
        );
        assert_eq!(
            told(1, inbound, RuleKind::Firewall, 5),
            "allow tcp to port 80 (set 2)"
        );
        assert_eq!(told(0, inbound, RuleKind::Firewall, 5), "");
        assert_eq!(
            told(0, out, RuleKind::Route, 1),
            "0.0.0.0/0 to the internet gateway"
        );
        assert_eq!(
            told(0, out, RuleKind::SubnetRoute, 1),
            "10.0.1.0/24 and fd12:3456:789a:1::/64"
        );
        assert_eq!(
            told(1, out, RuleKind::OneToOne, 0),
            "10.0.1.6 is 203.0.113.10, fd12:3456:789a:1::6 is 2001:db8:2::10"
        );
        assert_eq!(
            told(0, out, RuleKind::SourceNat, 0),
            "198.51.100.1 ports 16384-17407, 2001:db8:1::1 ports 16384-17407"
        );
        assert_eq!(told(0, out, RuleKind::NoRoute, 0), "");
    }
}
