//! Checks of firewall rules.

use alloc::collections::BTreeSet;

use rackweave_types::state::{FirewallRule, HostFilter, ProtocolFilter, VpcState};

use super::{Checked, MAX_COMBINATIONS, each, ensure, prefix};
use crate::error::Problem;
use crate::layer::firewall;
use crate::numbers;

pub(super) fn rule_sets(vpc: &VpcState) -> Checked {
    let mut sets = BTreeSet::new();
    let mut elsewhere = BTreeSet::new();
    each("rule_sets", &vpc.rule_sets, |_, set| {
        ensure(sets.insert(set.id), "id", Problem::Duplicate)?;
        let mut here = BTreeSet::new();
        each("rules", &set.rules, |_, rule| {
            ensure(here.insert(rule.id), "id", Problem::Duplicate)?;
            let new = !elsewhere.contains(&rule.id);
            ensure(new, "id", Problem::DuplicateRule(rule.id))?;
            rule_of(vpc, rule)
        })?;
        elsewhere.append(&mut here);
        Ok(())
    })
}

fn rule_of(vpc: &VpcState, rule: &FirewallRule) -> Checked {
    let filters = &rule.filters;
    each("filters.hosts", &filters.hosts, |_, filter| {
        host(vpc, filter)
    })?;
    if !filters.ports.is_empty() {
        each("filters.protocols", &filters.protocols, |_, protocol| {
            let with_ports = matches!(
                protocol,
                ProtocolFilter::Tcp | ProtocolFilter::Udp | ProtocolFilter::Number(6 | 17)
            );
            ensure(with_ports, "", Problem::PortsOfProtocol)
        })?;
    }
    let count = firewall::count(vpc, filters, rule.direction);
    let few = count <= MAX_COMBINATIONS;
    ensure(few, "filters", Problem::TooManyCombinations { count })?;
    let some = !firewall::combinations(vpc, filters, rule.direction).is_empty();
    ensure(some, "filters", Problem::MatchesNothing)
}

fn host(vpc: &VpcState, filter: &HostFilter) -> Checked {
    match filter {
        HostFilter::Ip(addr) => prefix::written(numbers::host(*addr), ""),
        HostFilter::Cidr(net) => prefix::written(*net, ""),
        HostFilter::Subnet(id) => {
            let known = vpc.subnets.iter().any(|subnet| subnet.id == *id);
            ensure(known, "", Problem::NoSuchSubnet(*id))
        }
        HostFilter::Vpc(vni) => {
            let known = *vni == vpc.vni || vpc.peers.iter().any(|peer| peer.vni == *vni);
            ensure(known, "", Problem::NoSuchVpc(*vni))
        }
    }
}
