//! VPCs, their gateways and DNS records.

use ipnet::{IpNet, Ipv6Net};
use rackweave_types::reserved;
use rackweave_types::state::{
    DomainName, Filters, FirewallRule, HostFilter, RecordData, RuleSet, RuleSetId,
};

use super::Checked;
use super::case::{Case, ensure, unused};
use super::peering::apart_from_peers_of;
use super::prefix::{self, apart_from_pools, blocks_of, meet};
use crate::allocate::drawn;
use crate::key::{Id, Kind};
use crate::model::{
    DnsRecordSpec, Entry, FirewallRuleGiven, FirewallRuleSpec, InternetGatewaySpec, Meta, Nothing,
    Object, RouteGiven, RouteSpec, RouteTargetSpec, RouterGiven, RouterSpec, RuleFilters, RuleHost,
    VpcGiven, VpcSpec,
};
use crate::name::Name;
use crate::refusal::{Problem, Refusal};

/// What comes with every VPC.
const SYSTEM_ROUTER: &str = "system";
const DEFAULT_GATEWAY: &str = "default";

pub(super) fn create(case: &mut Case<'_>, meta: Meta, spec: &VpcSpec) -> Checked {
    let project = case.project(meta.parent)?;
    case.quota(&meta, Kind::Vpc, project.spec.quota.vpcs)?;
    let az = case.az()?.spec.prefix;
    let drawn = || drawn::unique_local(case.draw, "vpc", az);
    let ipv6 = spec.ipv6.or_else(drawn);
    check(case, project.meta.id, meta.id, spec, ipv6)?;
    let vni = drawn::vni(case.intent, case.draw);
    let exhausted = || Problem::Exhausted("the az's network identifiers".to_owned());
    let vni = vni.ok_or_else(|| Refusal::whole(exhausted()))?;
    let (id, name) = (meta.id, meta.name.clone());
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: VpcGiven {
            vni: Some(vni),
            ipv6,
            last_number: 0,
        },
    });
    routes(case, id)?;
    rules(
        case,
        id,
        &name,
        &RuleSet::default_rules(RuleSetId::new(0), vni),
    )
}

fn check(case: &Case<'_>, project: Id, id: Id, spec: &VpcSpec, ipv6: Option<Ipv6Net>) -> Checked {
    let ipv4: Vec<_> = spec.ipv4.iter().copied().map(IpNet::V4).collect();
    prefix::list(&ipv4, "ipv4")?;
    if let Some(ipv6) = ipv6 {
        prefix::of_hosts(ipv6.into(), "ipv6")?;
        ensure(ipv6.prefix_len() == 48, "ipv6", Problem::Length("48"))?;
        let unique_local = ipv6.addr().octets()[0] & 0xfe == 0xfc;
        let outside = Problem::Outside("fc00::/7, unique local addresses".to_owned());
        ensure(unique_local, "ipv6", outside)?;
        let metadata = ipv6.contains(&reserved::METADATA_V6);
        ensure(!metadata, "ipv6", Problem::Reserved)?;
    }
    let fields = (0..ipv4.len()).map(|at| format!("ipv4[{at}]"));
    let fields = fields.chain(["ipv6".to_owned()]);
    let nets = ipv4.iter().copied().chain(ipv6.map(IpNet::V6));
    for (field, net) in fields.zip(nets) {
        prefix::not_underlay(case.intent, net, &field)?;
        apart_from_pools(case.intent, project, net, &field)?;
        for peer in case.intent.peers(id) {
            let Some(other) = case.intent.vpc(peer) else {
                continue;
            };
            let mut blocks = blocks_of(case.intent, peer).into_iter();
            if let Some(with) = blocks.find(|block| meet(*block, net)) {
                let of = format!("its peer {}", other.meta.name);
                return Err(Refusal::of(field, Problem::Overlap { with, of }));
            }
            apart_from_peers_of(case.intent, peer, id, net, &field)?;
            if let Some(project) = other.meta.parent {
                apart_from_pools(case.intent, project, net, &field)?;
            }
        }
    }
    Ok(())
}

/// The system's router, with a way out by the default gateway.
fn routes(case: &mut Case<'_>, vpc: Id) -> Checked {
    let gateway = case.made(Kind::InternetGateway, vpc, DEFAULT_GATEWAY)?;
    let target = RouteTargetSpec::InternetGateway(gateway.name.clone());
    case.put(Entry {
        meta: gateway,
        spec: InternetGatewaySpec {},
        given: Nothing {},
    });
    let router = case.made(Kind::Router, vpc, SYSTEM_ROUTER)?;
    let router_id = router.id;
    let number = case.number(vpc)?;
    case.put(Entry {
        meta: router,
        spec: RouterSpec {},
        given: RouterGiven {
            number,
            system: true,
        },
    });
    for (name, destination) in [
        ("default-v4", IpNet::V4(ipnet::Ipv4Net::default())),
        ("default-v6", IpNet::V6(Ipv6Net::default())),
    ] {
        let meta = case.made(Kind::Route, router_id, name)?;
        let number = case.number(vpc)?;
        case.put(Entry {
            meta,
            spec: RouteSpec {
                destination,
                target: target.clone(),
            },
            given: RouteGiven { number },
        });
    }
    Ok(())
}

/// The rules that every VPC begins with, as rules of its own that users may change.
fn rules(case: &mut Case<'_>, vpc: Id, name: &Name, defaults: &RuleSet) -> Checked {
    let names = [
        "allow-outbound",
        "allow-internal",
        "allow-icmp",
        "allow-ssh",
    ];
    let set = case.number(vpc)?;
    for (rule_name, rule) in names.into_iter().zip(&defaults.rules) {
        let meta = case.made(Kind::FirewallRule, vpc, rule_name)?;
        let number = case.number(vpc)?;
        case.put(Entry {
            meta,
            spec: default_rule(name, rule),
            given: FirewallRuleGiven { number, set },
        });
    }
    Ok(())
}

fn default_rule(vpc: &Name, rule: &FirewallRule) -> FirewallRuleSpec {
    let Filters {
        hosts,
        protocols,
        ports,
    } = &rule.filters;
    let host = |host: &HostFilter| match host {
        HostFilter::Ip(address) => RuleHost::Ip(*address),
        HostFilter::Cidr(net) => RuleHost::Cidr(*net),
        HostFilter::Vpc(_) | HostFilter::Subnet(_) => RuleHost::Vpc(vpc.clone()),
    };
    FirewallRuleSpec {
        enabled: true,
        priority: rule.priority,
        direction: rule.direction,
        action: rule.action,
        targets: Vec::new(),
        filters: RuleFilters {
            hosts: hosts.iter().map(host).collect(),
            protocols: protocols.clone(),
            ports: ports.clone(),
        },
    }
}

pub(super) fn update(
    case: &mut Case<'_>,
    meta: Meta,
    old: &Entry<VpcSpec, VpcGiven>,
    spec: &VpcSpec,
) -> Checked {
    let asked = spec.ipv6.or(old.given.ipv6);
    ensure(asked == old.given.ipv6, "ipv6", Problem::Fixed)?;
    let project = case.project(meta.parent)?.meta.id;
    check(case, project, meta.id, spec, asked)?;
    for subnet in case.intent.children(Kind::Subnet, Some(meta.id), None) {
        let Object::Subnet(subnet) = subnet else {
            continue;
        };
        let Some(net) = subnet.spec.ipv4 else {
            continue;
        };
        let kept = spec.ipv4.iter().any(|block| block.contains(&net));
        let by = format!("subnet {}", subnet.meta.name);
        ensure(kept, "ipv4", Problem::InUse { by, count: 1 })?;
    }
    case.put(Entry {
        meta,
        spec: VpcSpec {
            ipv4: spec.ipv4.clone(),
            ipv6: old.spec.ipv6,
            existing_connections: spec.existing_connections,
        },
        given: old.given.clone(),
    });
    Ok(())
}

pub(super) fn delete(case: &Case<'_>, vpc: Id) -> Checked {
    let nics = case.intent.nics_of_vpc(vpc);
    let nics = nics.map(|nic| {
        let instance = case.intent.instance_of(nic);
        let instance = instance.map_or("", |instance| instance.meta.name.as_str());
        format!("nic {} of instance {instance}", nic.meta.name)
    });
    unused(&nics.collect::<Vec<_>>())
}

#[expect(clippy::unnecessary_wraps, reason = "siblings share one shape")]
pub(super) fn create_gateway(case: &mut Case<'_>, meta: Meta) -> Checked {
    case.put(Entry {
        meta,
        spec: InternetGatewaySpec {},
        given: Nothing {},
    });
    Ok(())
}

pub(super) fn delete_gateway(case: &Case<'_>, gateway: &Entry<InternetGatewaySpec>) -> Checked {
    let routers = case
        .intent
        .children(Kind::Router, gateway.meta.parent, None);
    let routes = routers.flat_map(|router| {
        let id = Some(router.meta().id);
        case.intent.children(Kind::Route, id, None)
    });
    let target = RouteTargetSpec::InternetGateway(gateway.meta.name.clone());
    let by =
        routes.filter(|route| matches!(route, Object::Route(route) if route.spec.target == target));
    unused(&by.map(ToString::to_string).collect::<Vec<_>>())
}

/// The most octets of a text of the DNS (RFC 1035, section 3.3).
const TEXT_MAX: usize = 255;

pub(super) fn create_record(case: &mut Case<'_>, meta: Meta, spec: &DnsRecordSpec) -> Checked {
    let vpc = case.vpc(meta.parent)?;
    let project = case.project(vpc.meta.parent)?;
    case.quota(&meta, Kind::DnsRecord, project.spec.quota.dns_records)?;
    match &spec.data {
        RecordData::Addresses(addresses) => {
            let some = !addresses.is_empty();
            let problem = Problem::Wrong("a record has at least one address");
            ensure(some, "data.addresses", problem)?;
        }
        RecordData::Text(text) => {
            let max = u64::try_from(TEXT_MAX).unwrap_or(u64::MAX);
            let bounds = Problem::Bounds { min: 0, max };
            ensure(text.len() <= TEXT_MAX, "data.text", bounds)?;
        }
        RecordData::Alias(_) | RecordData::Service { .. } => {}
    }
    alone(case, &meta, spec)?;
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: Nothing {},
    });
    Ok(())
}

/// "If a CNAME RR is present at a node, no other data should be present" (RFC 1034, section 3.6.2).
fn alone(case: &Case<'_>, meta: &Meta, spec: &DnsRecordSpec) -> Checked {
    let alias = |data: &RecordData| matches!(data, RecordData::Alias(_));
    let apex = spec.record.is_none() && alias(&spec.data);
    let problem = Problem::Wrong("the zone's own name cannot be an alias");
    ensure(!apex, "data", problem)?;
    for other in case.intent.children(Kind::DnsRecord, meta.parent, None) {
        let Object::DnsRecord(other) = other else {
            continue;
        };
        let same = other.meta.id != meta.id && other.spec.record == spec.record;
        let clash = same && (alias(&other.spec.data) || alias(&spec.data));
        let problem = Problem::Wrong("an alias is all that is said of a name");
        ensure(!clash, "data", problem)?;
        let clash = same && other.spec.data == spec.data;
        ensure(!clash, "data", Problem::Twice)?;
    }
    let name: Option<Name> = spec
        .record
        .as_ref()
        .map(DomainName::as_str)
        .and_then(|name| name.parse().ok());
    let project = case.vpc(meta.parent)?.meta.parent;
    let instance = name.and_then(|name| case.intent.find(Kind::Instance, project, &name));
    let problem = Problem::Wrong("an instance has this name");
    ensure(instance.is_none(), "record", problem)
}
