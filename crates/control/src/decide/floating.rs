//! Floating addresses, and how external ones are given out.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Checked;
use super::case::{Case, ensure, named};
use crate::allocate::address::{bounds, first_free};
use crate::intent::{Intent, NicEntry};
use crate::key::{Id, Kind};
use crate::model::{
    Entry, FloatingIpGiven, FloatingIpSpec, FloatingTarget, GivenTarget, IpPoolSpec, Meta, Object,
};
use crate::name::Name;
use crate::refusal::{Problem, Refusal};

pub(super) fn create(case: &mut Case<'_>, meta: Meta, spec: &FloatingIpSpec) -> Checked {
    let project = case.project(meta.parent)?;
    case.quota(&meta, Kind::FloatingIp, project.spec.quota.floating_ips)?;
    let project = project.meta.id;
    let address = match spec.address {
        Some(address) => asked(case.intent, project, spec, address)?,
        None => free(case.intent, project, spec.pool.as_ref(), "pool", &[])?,
    };
    let target = target(case.intent, project, address.1, spec.target.as_ref())?;
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: FloatingIpGiven {
            address: Some(address),
            target,
        },
    });
    Ok(())
}

pub(super) fn update(
    case: &mut Case<'_>,
    meta: Meta,
    old: &Entry<FloatingIpSpec, FloatingIpGiven>,
    spec: &FloatingIpSpec,
) -> Checked {
    let Some((pool, address)) = old.given.address else {
        return create(case, meta, spec);
    };
    let same = spec.address.is_none_or(|asked| asked == address);
    ensure(same, "address", Problem::Fixed)?;
    let pool = case.intent.ip_pool(pool);
    let same = match (&spec.pool, pool) {
        (Some(asked), Some(pool)) => pool.meta.name == *asked,
        _ => true,
    };
    ensure(same, "pool", Problem::Fixed)?;
    let project = case.project(meta.parent)?.meta.id;
    let target = target(case.intent, project, address, spec.target.as_ref())?;
    case.put(Entry {
        meta,
        spec: FloatingIpSpec {
            target: spec.target.clone(),
            ..old.spec.clone()
        },
        given: FloatingIpGiven {
            address: old.given.address,
            target,
        },
    });
    Ok(())
}

/// The floating addresses that lead to a NIC lead nowhere from now on.
pub(super) fn let_go(case: &mut Case<'_>, nic: Id) {
    for floating in case.intent.floating_of(nic) {
        let mut floating = floating.clone();
        floating.spec.target = None;
        floating.given.target = None;
        case.put(floating);
    }
}

/// The pools of a project: each that it may take addresses from, and whether by default.
fn pools(intent: &Intent, project: Id) -> impl Iterator<Item = (bool, &Entry<IpPoolSpec>)> {
    let links = intent.children(Kind::PoolLink, Some(project), None);
    links.filter_map(|link| match link {
        Object::PoolLink(link) => {
            let pool = intent.ip_pool(link.given.pool?)?;
            Some((link.spec.default, pool))
        }
        _ => None,
    })
}

/// The default pool of a project that has addresses of a family, some of them shared where that is asked.
pub(super) fn default_pool(
    intent: &Intent,
    project: Id,
    v4: bool,
    shared: bool,
) -> Option<&Entry<IpPoolSpec>> {
    let mut pools = pools(intent, project);
    let fits = pools.find(|(default, pool)| {
        let of = if shared {
            &pool.spec.nat
        } else {
            &pool.spec.blocks
        };
        *default && of.iter().any(|block| block.addr().is_ipv4() == v4)
    });
    fits.map(|(_, pool)| pool)
}

/// A pool that the project may take from, by name; its default for IPv4 where none is named.
fn pool_of<'a>(
    intent: &'a Intent,
    project: Id,
    name: Option<&Name>,
    field: &str,
) -> Checked<&'a Entry<IpPoolSpec>> {
    let Some(name) = name else {
        let default = default_pool(intent, project, true, false);
        let problem = Problem::NoDefaultPool("ipv4 addresses");
        return default.ok_or_else(|| Refusal::of(field, problem));
    };
    let mut all = pools(intent, project);
    let pool = all.find(|(_, pool)| pool.meta.name == *name);
    let missing = Problem::NoSuch(Kind::IpPool, name.to_string());
    pool.map(|(_, pool)| pool)
        .ok_or_else(|| Refusal::of(field, missing))
}

/// An address that is asked for.
fn asked(
    intent: &Intent,
    project: Id,
    spec: &FloatingIpSpec,
    address: IpAddr,
) -> Checked<(Id, IpAddr)> {
    let pool = if let Some(name) = &spec.pool {
        pool_of(intent, project, Some(name), "pool")?
    } else {
        let mut all = pools(intent, project);
        let holds = all.find(|(_, pool)| pool.spec.blocks.iter().any(|b| b.contains(&address)));
        let outside = Problem::Outside("the project's pools".to_owned());
        holds
            .map(|(_, pool)| pool)
            .ok_or_else(|| Refusal::of("address", outside))?
    };
    let within = pool
        .spec
        .blocks
        .iter()
        .any(|block| block.contains(&address));
    let shared = pool.spec.nat.iter().any(|net| net.contains(&address));
    let outside = Problem::Outside(format!("ip pool {}", pool.meta.name));
    ensure(within, "address", outside)?;
    let problem = Problem::Wrong("the pool shares this address among many");
    ensure(!shared, "address", problem)?;
    let held = intent.holder_of(address).is_some();
    ensure(!held, "address", Problem::Taken(address))?;
    Ok((pool.meta.id, address))
}

/// A free address of a pool: neither held, nor shared, nor of those that are about to be given.
pub(super) fn free(
    intent: &Intent,
    project: Id,
    name: Option<&Name>,
    field: &str,
    about: &[IpAddr],
) -> Checked<(Id, IpAddr)> {
    let pool = pool_of(intent, project, name, field)?;
    let free = free_of(intent, &pool.spec, about);
    let exhausted = || Problem::Exhausted(format!("ip pool {}", pool.meta.name));
    let free = free.ok_or_else(|| Refusal::of(field, exhausted()))?;
    Ok((pool.meta.id, free))
}

fn free_of(intent: &Intent, pool: &IpPoolSpec, about: &[IpAddr]) -> Option<IpAddr> {
    let mut blocks = pool.blocks.iter();
    blocks.find_map(|block| free_within(intent, pool, *block, about))
}

/// A free address of one of a pool's blocks.
pub(super) fn free_within(
    intent: &Intent,
    pool: &IpPoolSpec,
    block: IpNet,
    about: &[IpAddr],
) -> Option<IpAddr> {
    let (first, end) = bounds(block);
    let mut from = first;
    // A shared prefix is stepped over whole.
    loop {
        let held = intent.held_between(from, end);
        let free = first_free(from, end, held, |address| about.contains(&address))?;
        let Some(shared) = pool.nat.iter().find(|net| net.contains(&free)) else {
            return Some(free);
        };
        let last = shared.broadcast();
        from = crate::allocate::address::next(last).filter(|next| *next <= end && last < end)?;
    }
}

/// The NIC and the inside address that a floating address shall lead to.
fn target(
    intent: &Intent,
    project: Id,
    outside: IpAddr,
    asked: Option<&FloatingTarget>,
) -> Checked<Option<GivenTarget>> {
    let Some(asked) = asked else {
        return Ok(None);
    };
    let (kind, field) = (Kind::Instance, "target.instance");
    let instance = named(intent, kind, Some(project), &asked.instance, field)?;
    let nics = intent.nics_of_instance(instance.meta().id);
    let of_family = |nic: &NicEntry| {
        let mut own = nic.given.addresses.iter();
        own.find(|at| at.is_ipv4() == outside.is_ipv4()).copied()
    };
    let mut right = nics.iter().filter(|nic| {
        let name = asked.nic.as_ref();
        name.map_or(of_family(nic).is_some(), |name| nic.meta.name == *name)
    });
    let nic = match (right.next(), &asked.nic) {
        (Some(nic), _) => nic,
        (None, Some(name)) => {
            let problem = Problem::NoSuch(Kind::Nic, name.to_string());
            return Err(Refusal::of("target.nic", problem));
        }
        (None, None) => return Err(Refusal::of("target.instance", Problem::Family)),
    };
    let inside = match asked.inside {
        Some(inside) => {
            let own = nic.given.addresses.contains(&inside);
            let outside_nic = Problem::Outside(format!("the addresses of nic {}", nic.meta.name));
            ensure(own, "target.inside", outside_nic)?;
            let one_family = inside.is_ipv4() == outside.is_ipv4();
            ensure(one_family, "target.inside", Problem::Family)?;
            inside
        }
        None => of_family(nic).ok_or(Refusal::of("target.nic", Problem::Family))?,
    };
    Ok(Some(GivenTarget {
        nic: nic.meta.id,
        inside,
    }))
}
