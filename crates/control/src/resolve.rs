//! What the names in a firewall rule stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::Direction;
use rackweave_types::state::{Filters, HostFilter, ProtocolFilter};

use crate::intent::Intent;
use crate::key::{Id, Kind};
use crate::model::{Object, RuleFilters, RuleHost};
use crate::name::Name;

/// The most combinations of hosts, protocols and ports of one rule: sleds refuse more.
pub(crate) const MAX_COMBINATIONS: usize = 16_384;

/// Who in a VPC has which addresses, by instance and by tag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    instances: BTreeMap<Name, BTreeSet<IpAddr>>,
    tags: BTreeMap<Name, BTreeSet<IpAddr>>,
}

impl Members {
    /// Those of a VPC: one pass over its NICs.
    pub(crate) fn of(intent: &Intent, vpc: Id) -> Self {
        let mut members = Self::default();
        for nic in intent.nics_of_vpc(vpc) {
            let Some(instance) = intent.instance_of(nic) else {
                continue;
            };
            let addresses = || nic.given.addresses.iter().copied();
            let own = members.instances.entry(instance.meta.name.clone());
            own.or_default().extend(addresses());
            for tag in &instance.spec.tags {
                let tagged = members.tags.entry(tag.clone());
                tagged.or_default().extend(addresses());
            }
        }
        members
    }

    fn addresses<'a>(of: &'a BTreeMap<Name, BTreeSet<IpAddr>>, name: &Name) -> Vec<&'a IpAddr> {
        of.get(name).into_iter().flatten().collect()
    }
}

/// The filters as sleds take them; none where the rule can match no packet now.
pub(crate) fn filters(
    intent: &Intent,
    vpc: Id,
    members: &Members,
    direction: Direction,
    asked: &RuleFilters,
) -> Option<Filters> {
    let mut hosts: Vec<HostFilter> = Vec::new();
    for host in &asked.hosts {
        resolve(intent, vpc, members, host, &mut hosts);
    }
    if hosts.is_empty() && !asked.hosts.is_empty() {
        return None;
    }
    let filters = Filters {
        hosts,
        protocols: asked.protocols.clone(),
        ports: asked.ports.clone(),
    };
    matches_some(intent, vpc, direction, &filters).then_some(filters)
}

fn resolve(
    intent: &Intent,
    vpc: Id,
    members: &Members,
    host: &RuleHost,
    hosts: &mut Vec<HostFilter>,
) {
    match host {
        RuleHost::Instance(name) => {
            let addresses = Members::addresses(&members.instances, name);
            hosts.extend(addresses.into_iter().copied().map(HostFilter::Ip));
        }
        RuleHost::Tag(name) => {
            let addresses = Members::addresses(&members.tags, name);
            hosts.extend(addresses.into_iter().copied().map(HostFilter::Ip));
        }
        RuleHost::Subnet(name) => {
            if let Some(Object::Subnet(subnet)) = intent.find(Kind::Subnet, Some(vpc), name) {
                hosts.push(HostFilter::Subnet(subnet.given.id()));
            }
        }
        RuleHost::Vpc(name) => {
            let own = intent.vpc(vpc).filter(|own| own.meta.name == *name);
            hosts.extend(own.and_then(|own| own.given.vni).map(HostFilter::Vpc));
        }
        RuleHost::Peering(name) => {
            if let Some(Object::Peering(peering)) = intent.find(Kind::Peering, Some(vpc), name) {
                let joined = intent
                    .peers(vpc)
                    .find(|peer| Some(*peer) == peering.given.peer);
                let peer = joined.and_then(|peer| intent.vpc(peer));
                hosts.extend(peer.and_then(|peer| peer.given.vni).map(HostFilter::Vpc));
            }
        }
        RuleHost::Ip(address) => hosts.push(HostFilter::Ip(*address)),
        RuleHost::Cidr(net) => hosts.push(HostFilter::Cidr(*net)),
    }
}

/// The families of packets that a host filter is about: IPv4, IPv6.
fn families(intent: &Intent, vpc: Id, direction: Direction, host: HostFilter) -> [bool; 2] {
    let of = |net: IpNet| [net.addr().is_ipv4(), net.addr().is_ipv6()];
    match host {
        HostFilter::Ip(address) => of(address.into()),
        HostFilter::Cidr(net) => of(net),
        HostFilter::Subnet(id) => {
            let mut subnets = intent.children(Kind::Subnet, Some(vpc), None);
            let subnet = subnets.find_map(|subnet| match subnet {
                Object::Subnet(subnet) if subnet.given.id() == id => Some(subnet),
                _ => None,
            });
            subnet.map_or([false; 2], |subnet| {
                [subnet.spec.ipv4.is_some(), subnet.given.ipv6.is_some()]
            })
        }
        HostFilter::Vpc(_) if direction == Direction::In => [true; 2],
        HostFilter::Vpc(vni) => {
            let vpc = intent.vpc_of(vni).and_then(|vpc| intent.vpc(vpc));
            vpc.map_or([false; 2], |vpc| {
                [!vpc.spec.ipv4.is_empty(), vpc.given.ipv6.is_some()]
            })
        }
    }
}

/// Whether some packet can match: ICMP of one family needs a host of that family.
fn matches_some(intent: &Intent, vpc: Id, direction: Direction, filters: &Filters) -> bool {
    let [v4, v6] = if filters.hosts.is_empty() {
        [true; 2]
    } else {
        let each = filters.hosts.iter();
        each.map(|host| families(intent, vpc, direction, *host))
            .fold([false; 2], |[a, b], [c, d]| [a || c, b || d])
    };
    let possible = |protocol: &ProtocolFilter| match protocol {
        ProtocolFilter::Icmp(_) | ProtocolFilter::Number(1) => v4,
        ProtocolFilter::Icmpv6(_) | ProtocolFilter::Number(58) => v6,
        _ => v4 || v6,
    };
    let mut protocols = filters.protocols.iter();
    (filters.protocols.is_empty() && (v4 || v6)) || protocols.any(possible)
}

/// How many combinations a rule has at most, with so many addresses more among its hosts.
pub(crate) fn combinations(intent: &Intent, vpc: Id, filters: &Filters, more: usize) -> usize {
    let of = |host: &HostFilter| match host {
        HostFilter::Ip(_) | HostFilter::Cidr(_) => 1,
        HostFilter::Subnet(_) => 2,
        HostFilter::Vpc(vni) => {
            let vpc = intent.vpc_of(*vni).unwrap_or(vpc);
            intent.vpc(vpc).map_or(1, |vpc| vpc.spec.ipv4.len() + 1)
        }
    };
    let hosts: usize = filters.hosts.iter().map(of).sum();
    let protocols = match (filters.protocols.len(), filters.ports.is_empty()) {
        (0, true) => 1,
        (0, false) => 2,
        (count, _) => count,
    };
    (hosts + more)
        .max(1)
        .saturating_mul(protocols)
        .saturating_mul(filters.ports.len().max(1))
}
