//! Pools of external addresses, and which projects may use them.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Checked;
use super::case::{Case, ensure, unused};
use super::prefix::{self, blocks_of, meet};
use crate::allocate::address::bounds;
use crate::allocate::nat;
use crate::intent::Intent;
use crate::key::{Id, Kind};
use crate::model::{Entry, IpPoolSpec, Meta, Nothing, Object, PoolLinkGiven, PoolLinkSpec};
use crate::plan::SYSTEM_IPV4;
use crate::refusal::{Problem, Refusal};

pub(super) fn create(case: &mut Case<'_>, meta: Meta, spec: &IpPoolSpec) -> Checked {
    check(case.intent, &meta, spec)?;
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: Nothing {},
    });
    Ok(())
}

pub(super) fn update(
    case: &mut Case<'_>,
    meta: Meta,
    old: &Entry<IpPoolSpec>,
    spec: &IpPoolSpec,
) -> Checked {
    ensure(old.spec.system == spec.system, "system", Problem::Fixed)?;
    check(case.intent, &meta, spec)?;
    // Numbers of blocks stay what they are: shared addresses are added behind those that there are.
    if case
        .intent
        .nat_numbers(meta.id, 0, u32::MAX)
        .next()
        .is_some()
    {
        let same = old.spec.nat_ports == spec.nat_ports;
        ensure(same, "nat_ports", in_use("blocks of ports"))?;
        let longer = spec.nat.starts_with(&old.spec.nat);
        ensure(longer, "nat", in_use("blocks of ports"))?;
    }
    for address in held(case.intent, &old.spec) {
        let kept = spec.blocks.iter().any(|block| block.contains(&address));
        ensure(kept, "blocks", in_use(&address.to_string()))?;
        let shared = spec.nat.iter().any(|block| block.contains(&address));
        ensure(!shared, "nat", in_use(&address.to_string()))?;
    }
    for link in case.intent.links_of(meta.id) {
        let project = case.intent.pool_link(link);
        if let Some(project) = project.and_then(|link| link.meta.parent) {
            apart_from_vpcs(case.intent, project, spec, "blocks")?;
        }
    }
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: Nothing {},
    });
    Ok(())
}

fn in_use(what: &str) -> Problem {
    Problem::InUse {
        by: what.to_owned(),
        count: 1,
    }
}

fn check(intent: &Intent, meta: &Meta, spec: &IpPoolSpec) -> Checked {
    let problem = Problem::Wrong("a pool has at least one block");
    ensure(!spec.blocks.is_empty(), "blocks", problem)?;
    prefix::list(&spec.blocks, "blocks")?;
    for (at, block) in spec.blocks.iter().enumerate() {
        let field = format!("blocks[{at}]");
        prefix::not_underlay(intent, *block, &field)?;
        for other in intent.children(Kind::IpPool, None, None) {
            let Object::IpPool(other) = other else {
                continue;
            };
            let mut blocks = other.spec.blocks.iter();
            let with = blocks.find(|other| meet(**other, *block)).copied();
            if let Some(with) = with.filter(|_| other.meta.id != meta.id) {
                let of = format!("ip pool {}", other.meta.name);
                return Err(Refusal::of(field, Problem::Overlap { with, of }));
            }
        }
    }
    let own = IpNet::V4(SYSTEM_IPV4);
    let clash = spec.blocks.iter().any(|block| meet(*block, own));
    let overlap = Problem::Overlap {
        with: own,
        of: "the sleds' own vpc".to_owned(),
    };
    ensure(!(spec.system && clash), "blocks", overlap)?;
    prefix::list(&spec.nat, "nat")?;
    for (at, net) in spec.nat.iter().enumerate() {
        let within = spec.blocks.iter().any(|block| block.contains(net));
        let problem = Problem::Outside("the pool's blocks".to_owned());
        ensure(within, &format!("nat[{at}]"), problem)?;
    }
    let bounds = Problem::Bounds {
        min: (*nat::PORTS.start()).into(),
        max: (*nat::PORTS.end()).into(),
    };
    ensure(nat::PORTS.contains(&spec.nat_ports), "nat_ports", bounds)?;
    let power = spec.nat_ports.is_power_of_two();
    ensure(power, "nat_ports", Problem::Wrong("it is no power of two"))
}

/// The addresses of a pool that are held, but for shared ones.
fn held<'a>(intent: &'a Intent, pool: &'a IpPoolSpec) -> impl Iterator<Item = IpAddr> + 'a {
    pool.blocks.iter().flat_map(|block| {
        let (first, last) = bounds(*block);
        intent.held_between(first, last)
    })
}

pub(super) fn delete(case: &Case<'_>, id: Id) -> Checked {
    let Some(pool) = case.intent.ip_pool(id) else {
        return Ok(());
    };
    let projects = case.intent.links_of(id).filter_map(|link| {
        let project = case.intent.pool_link(link)?.meta.parent?;
        Some(format!(
            "project {}",
            case.intent.project(project)?.meta.name
        ))
    });
    let addresses = held(case.intent, &pool.spec).map(|address| address.to_string());
    let blocks = case.intent.nat_numbers(id, 0, u32::MAX);
    let blocks = blocks.map(|number| format!("block {number} of its shared addresses"));
    let groups = case.intent.az().into_iter().flat_map(|az| &az.spec.groups);
    let groups = groups
        .filter(|group| group.pools.contains(&pool.meta.name))
        .map(|group| format!("boundary group {}", group.index));
    let by = projects.chain(addresses).chain(blocks).chain(groups);
    unused(&by.collect::<Vec<_>>())
}

/// Which families a pool has addresses of.
fn families(pool: &IpPoolSpec) -> [bool; 2] {
    let has = |v4| pool.blocks.iter().any(|block| block.addr().is_ipv4() == v4);
    [has(true), has(false)]
}

pub(super) fn create_link(case: &mut Case<'_>, meta: Meta, spec: &PoolLinkSpec) -> Checked {
    let project = case.project(meta.parent)?.meta.id;
    let Some(Object::IpPool(pool)) = case.intent.find(Kind::IpPool, None, &meta.name) else {
        let problem = Problem::NoSuch(Kind::IpPool, meta.name.to_string());
        return Err(Refusal::of("name", problem));
    };
    let problem = Problem::Wrong("the pool is for the sleds' own way out");
    ensure(!pool.spec.system, "name", problem)?;
    apart_from_vpcs(case.intent, project, &pool.spec, "name")?;
    if spec.default {
        let own = families(&pool.spec);
        for other in case.intent.children(Kind::PoolLink, Some(project), None) {
            let Object::PoolLink(other) = other else {
                continue;
            };
            let theirs = other.given.pool.and_then(|pool| case.intent.ip_pool(pool));
            let theirs = theirs.map_or([false; 2], |pool| families(&pool.spec));
            let meet = own.iter().zip(theirs).any(|(own, theirs)| *own && theirs);
            let clash = meet && other.spec.default && other.meta.id != meta.id;
            let problem = Problem::Wrong("the project has a default pool of this family already");
            ensure(!clash, "default", problem)?;
        }
    }
    let given = PoolLinkGiven {
        pool: Some(pool.meta.id),
    };
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given,
    });
    Ok(())
}

/// A pool must not be inside a VPC of a project that uses it, nor inside a peer of one.
fn apart_from_vpcs(intent: &Intent, project: Id, pool: &IpPoolSpec, field: &str) -> Checked {
    for vpc in intent.children(Kind::Vpc, Some(project), None) {
        let (id, name) = (vpc.meta().id, &vpc.meta().name);
        let own = blocks_of(intent, id);
        let peers = intent.peers(id).flat_map(|peer| blocks_of(intent, peer));
        for with in own.into_iter().chain(peers) {
            let clash = pool.blocks.iter().any(|block: &IpNet| meet(*block, with));
            let of = format!("vpc {name}");
            ensure(!clash, field, Problem::Overlap { with, of })?;
        }
    }
    Ok(())
}

pub(super) fn delete_link(case: &Case<'_>, link: &Entry<PoolLinkSpec, PoolLinkGiven>) -> Checked {
    let Some(pool) = link.given.pool else {
        return Ok(());
    };
    let intent = case.intent;
    let floating = intent.children(Kind::FloatingIp, link.meta.parent, None);
    let floating = floating.filter(|object| {
        matches!(object, Object::FloatingIp(ip) if ip.given.address.is_some_and(|(of, _)| of == pool))
    });
    let instances = intent.children(Kind::Instance, link.meta.parent, None);
    let nics = instances.flat_map(|instance| intent.nics_of_instance(instance.meta().id));
    let nics = nics.filter(|nic| {
        let ephemeral = nic.given.ephemeral.iter().any(|one| one.pool == pool);
        ephemeral || nic.given.nat.iter().any(|one| one.pool == pool)
    });
    let nics = nics.map(|nic| format!("nic {}", nic.meta.name));
    let by = floating.map(ToString::to_string).chain(nics);
    unused(&by.collect::<Vec<_>>())
}
