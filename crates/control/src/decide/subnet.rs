//! Subnets.

use ipnet::{IpNet, Ipv6Net};
use rackweave_types::reserved;

use super::Checked;
use super::case::{Case, ensure, named, unused};
use super::prefix::{self, blocks_of, meet};
use crate::key::{Id, Kind};
use crate::model::{Entry, Meta, Object, SubnetGiven, SubnetSpec};
use crate::refusal::{Problem, Refusal};

pub(super) fn create(case: &mut Case<'_>, meta: Meta, spec: &SubnetSpec) -> Checked {
    let vpc = case.vpc(meta.parent)?;
    let project = case.project(vpc.meta.parent)?;
    case.quota(&meta, Kind::Subnet, project.spec.quota.subnets)?;
    let id = vpc.meta.id;
    if let Some(net) = spec.ipv4 {
        let max = reserved::IPV4_SUBNET_MAX_LEN;
        let short = net.prefix_len() <= max;
        ensure(short, "ipv4", Problem::Length("29 or less"))?;
        within(case, id, net.into(), "ipv4")?;
    }
    if let Some(net) = spec.ipv6 {
        let right = net.prefix_len() == reserved::IPV6_SUBNET_MAX_LEN;
        ensure(right, "ipv6", Problem::Length("64"))?;
        within(case, id, net.into(), "ipv6")?;
    }
    let ipv6 = match spec.ipv6 {
        Some(net) => net,
        None => free(case, id, vpc.given.ipv6)?,
    };
    router(case, id, spec)?;
    let number = case.number(id)?;
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: SubnetGiven {
            number,
            ipv6: Some(ipv6),
        },
    });
    Ok(())
}

/// In a block of the VPC, and apart from its other subnets.
fn within(case: &Case<'_>, vpc: Id, net: IpNet, field: &str) -> Checked {
    prefix::written(net, field)?;
    let blocks = blocks_of(case.intent, vpc);
    let inside = blocks.iter().any(|block| block.contains(&net));
    let outside = Problem::Outside("the vpc's blocks".to_owned());
    ensure(inside, field, outside)?;
    for other in case.intent.children(Kind::Subnet, Some(vpc), None) {
        let Object::Subnet(other) = other else {
            continue;
        };
        let ipv4 = other.spec.ipv4.map(IpNet::V4);
        let mut nets = ipv4.into_iter().chain(other.given.ipv6.map(IpNet::V6));
        if let Some(with) = nets.find(|other| meet(*other, net)) {
            let of = format!("subnet {}", other.meta.name);
            return Err(Refusal::of(field, Problem::Overlap { with, of }));
        }
    }
    Ok(())
}

/// The first /64 of the VPC that no subnet has. The very first stays free: it reads like the block.
fn free(case: &Case<'_>, vpc: Id, block: Option<Ipv6Net>) -> Checked<Ipv6Net> {
    let subnets = case.intent.children(Kind::Subnet, Some(vpc), None);
    let taken: Vec<_> = subnets
        .filter_map(|subnet| match subnet {
            Object::Subnet(subnet) => subnet.given.ipv6,
            _ => None,
        })
        .collect();
    let mut nets = block
        .into_iter()
        .flat_map(|block| block.subnets(64))
        .flatten();
    let free = nets.by_ref().skip(1).find(|net| !taken.contains(net));
    let exhausted = || Problem::Exhausted("the vpc's ipv6 block".to_owned());
    free.ok_or_else(|| Refusal::of("ipv6", exhausted()))
}

fn router(case: &Case<'_>, vpc: Id, spec: &SubnetSpec) -> Checked {
    if let Some(router) = &spec.router {
        named(case.intent, Kind::Router, Some(vpc), router, "router")?;
    }
    Ok(())
}

pub(super) fn update(
    case: &mut Case<'_>,
    meta: Meta,
    old: &Entry<SubnetSpec, SubnetGiven>,
    spec: &SubnetSpec,
) -> Checked {
    ensure(spec.ipv4 == old.spec.ipv4, "ipv4", Problem::Fixed)?;
    let asked = spec.ipv6.or(old.given.ipv6);
    ensure(asked == old.given.ipv6, "ipv6", Problem::Fixed)?;
    let vpc = case.vpc(meta.parent)?.meta.id;
    router(case, vpc, spec)?;
    case.put(Entry {
        meta,
        spec: SubnetSpec {
            ipv6: old.spec.ipv6,
            ..spec.clone()
        },
        given: old.given.clone(),
    });
    Ok(())
}

pub(super) fn delete(case: &Case<'_>, subnet: &Entry<SubnetSpec, SubnetGiven>) -> Checked {
    let vpc = case.vpc(subnet.meta.parent)?.meta.id;
    let nics = case.intent.nics_of_subnet(vpc, subnet.meta.id);
    let nics = nics.map(|nic| format!("nic {}", nic.meta.name));
    unused(&nics.collect::<Vec<_>>())
}
