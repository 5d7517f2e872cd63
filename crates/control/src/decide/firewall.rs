//! Firewall rules.

use std::collections::BTreeSet;

use ipnet::IpNet;
use rackweave_types::state::{Filters, ProtocolFilter};

use super::Checked;
use super::case::{Case, ensure, named};
use super::prefix;
use crate::intent::Intent;
use crate::key::{Id, Kind};
use crate::model::{
    Entry, FirewallRuleGiven, FirewallRuleSpec, Meta, Object, RuleHost, RuleTarget,
};
use crate::name::Name;
use crate::refusal::{Problem, Refusal};
use crate::resolve::{MAX_COMBINATIONS, Members, combinations, filters};

pub(super) fn create(case: &mut Case<'_>, meta: Meta, spec: &FirewallRuleSpec) -> Checked {
    let vpc = case.vpc(meta.parent)?.meta.id;
    let project = case.vpc(meta.parent)?.meta.parent;
    let quota = case.project(project)?.spec.quota;
    case.quota(&meta, Kind::FirewallRule, quota.firewall_rules)?;
    check(case, vpc, project, spec)?;
    let number = case.number(vpc)?;
    let set = set(case, vpc, meta.id, spec)?;
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: FirewallRuleGiven { number, set },
    });
    Ok(())
}

pub(super) fn update(
    case: &mut Case<'_>,
    meta: Meta,
    old: &Entry<FirewallRuleSpec, FirewallRuleGiven>,
    spec: &FirewallRuleSpec,
) -> Checked {
    let vpc = case.vpc(meta.parent)?.meta.id;
    let project = case.vpc(meta.parent)?.meta.parent;
    check(case, vpc, project, spec)?;
    let same = targets(spec) == targets(&old.spec);
    let set = if same {
        old.given.set
    } else {
        set(case, vpc, meta.id, spec)?
    };
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: FirewallRuleGiven {
            number: old.given.number,
            set,
        },
    });
    Ok(())
}

fn targets(spec: &FirewallRuleSpec) -> BTreeSet<&RuleTarget> {
    spec.targets.iter().collect()
}

/// The number of the rule set of these targets: that of another rule, or a new one.
fn set(case: &mut Case<'_>, vpc: Id, own: Id, spec: &FirewallRuleSpec) -> Checked<u32> {
    for other in case.intent.children(Kind::FirewallRule, Some(vpc), None) {
        let Object::FirewallRule(other) = other else {
            continue;
        };
        if other.meta.id != own && targets(&other.spec) == targets(spec) {
            return Ok(other.given.set);
        }
    }
    case.number(vpc)
}

fn check(case: &Case<'_>, vpc: Id, project: Option<Id>, spec: &FirewallRuleSpec) -> Checked {
    let intent = case.intent;
    for (at, target) in spec.targets.iter().enumerate() {
        let field = format!("targets[{at}]");
        let named = |kind, parent, name: &Name| named(intent, kind, parent, name, &field).map(drop);
        match target {
            RuleTarget::Instance(name) => named(Kind::Instance, project, name)?,
            RuleTarget::Subnet(name) => named(Kind::Subnet, Some(vpc), name)?,
            RuleTarget::Tag(_) | RuleTarget::Ip(_) => {}
            RuleTarget::Cidr(net) => prefix::written(*net, &field)?,
        }
    }
    for (at, host) in spec.filters.hosts.iter().enumerate() {
        let field = format!("filters.hosts[{at}]");
        let named = |kind, parent, name: &Name| named(intent, kind, parent, name, &field).map(drop);
        match host {
            RuleHost::Instance(name) => named(Kind::Instance, project, name)?,
            RuleHost::Subnet(name) => named(Kind::Subnet, Some(vpc), name)?,
            RuleHost::Peering(name) => named(Kind::Peering, Some(vpc), name)?,
            RuleHost::Vpc(name) => {
                let own = intent.vpc(vpc).is_some_and(|own| own.meta.name == *name);
                let problem =
                    Problem::Wrong("it is not the rule's own vpc; a peer is named by its peering");
                ensure(own, &field, problem)?;
            }
            RuleHost::Tag(_) => {}
            RuleHost::Ip(address) => prefix::written(IpNet::from(*address), &field)?,
            RuleHost::Cidr(net) => prefix::written(*net, &field)?,
        }
    }
    protocols(spec)?;
    size(intent, vpc, spec)
}

fn protocols(spec: &FirewallRuleSpec) -> Checked {
    if spec.filters.ports.is_empty() {
        return Ok(());
    }
    for (at, protocol) in spec.filters.protocols.iter().enumerate() {
        let with_ports = matches!(
            protocol,
            ProtocolFilter::Tcp | ProtocolFilter::Udp | ProtocolFilter::Number(6 | 17)
        );
        let field = format!("filters.protocols[{at}]");
        ensure(with_ports, &field, Problem::NoPorts)?;
    }
    Ok(())
}

/// Whether the rule has not too many combinations, and can match a packet at all. What depends on who is
/// there today (instances, tags, peers) may match nothing for now.
fn size(intent: &Intent, vpc: Id, spec: &FirewallRuleSpec) -> Checked {
    let lasting = |host: &RuleHost| {
        matches!(
            host,
            RuleHost::Ip(_) | RuleHost::Cidr(_) | RuleHost::Vpc(_) | RuleHost::Subnet(_)
        )
    };
    let members = Members::of(intent, vpc);
    let resolved = filters(intent, vpc, &members, spec.direction, &spec.filters);
    let Some(resolved) = resolved else {
        let hosts = &spec.filters.hosts;
        let lasting = hosts.iter().all(lasting);
        return ensure(!lasting, "filters", Problem::MatchesNothing);
    };
    few(intent, vpc, &resolved, 0, "filters")
}

fn few(intent: &Intent, vpc: Id, filters: &Filters, more: usize, field: &str) -> Checked {
    let (count, max) = (combinations(intent, vpc, filters, more), MAX_COMBINATIONS);
    ensure(count <= max, field, Problem::TooMany { count, max })
}

/// Whether the rules of a VPC stay small enough where an instance of these tags gets more addresses.
pub(super) fn room(
    intent: &Intent,
    vpc: Id,
    instance: &Name,
    tags: &[Name],
    more: usize,
) -> Checked {
    let concerned = |host: &RuleHost| match host {
        RuleHost::Instance(name) => name == instance,
        RuleHost::Tag(tag) => tags.contains(tag),
        _ => false,
    };
    let mut members = None;
    for rule in intent.children(Kind::FirewallRule, Some(vpc), None) {
        let Object::FirewallRule(rule) = rule else {
            continue;
        };
        if !rule.spec.filters.hosts.iter().any(concerned) {
            continue;
        }
        let members = members.get_or_insert_with(|| Members::of(intent, vpc));
        let direction = rule.spec.direction;
        let resolved = filters(intent, vpc, members, direction, &rule.spec.filters);
        let times = rule
            .spec
            .filters
            .hosts
            .iter()
            .filter(|host| concerned(host));
        let more = more.saturating_mul(times.count());
        if let Some(resolved) = resolved {
            few(intent, vpc, &resolved, more, "").map_err(|refusal| Refusal {
                field: format!("firewall-rule {}", rule.meta.name),
                ..refusal
            })?;
        }
    }
    Ok(())
}
