//! The AZ, racks and sleds.

use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::{MacAddr, ServicePrefix, ServiceRole, reserved};

use super::Checked;
use super::case::{Case, ensure, named, unused};
use super::floating::free_within;
use super::prefix;
use crate::allocate::{drawn, nat};
use crate::key::{Id, Kind};
use crate::model::{
    AzGiven, AzSpec, Entry, GivenNat, Meta, Nothing, Object, RackSpec, SledGiven, SledSpec, SledUse,
};
use crate::refusal::Problem;

pub(super) fn create_az(case: &mut Case<'_>, meta: Meta, spec: &AzSpec) -> Checked {
    let only = Problem::Wrong("there is one az, and it is described already");
    ensure(case.intent.az().is_none(), "", only)?;
    az(case, spec)?;
    let system_ipv6 = drawn::unique_local(case.draw, "system", spec.prefix);
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: AzGiven { system_ipv6 },
    });
    Ok(())
}

pub(super) fn update_az(
    case: &mut Case<'_>,
    meta: Meta,
    old: &Entry<AzSpec, AzGiven>,
    spec: &AzSpec,
) -> Checked {
    ensure(old.spec.prefix == spec.prefix, "prefix", Problem::Fixed)?;
    ensure(old.spec.domain == spec.domain, "domain", Problem::Fixed)?;
    az(case, spec)?;
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: old.given.clone(),
    });
    Ok(())
}

fn az(case: &Case<'_>, spec: &AzSpec) -> Checked {
    let floor = reserved::UNDERLAY_MTU_FLOOR;
    let bounds = Problem::Bounds {
        min: floor.get().into(),
        max: rackweave_types::Mtu::MAX.into(),
    };
    ensure(spec.underlay_mtu >= floor, "underlay_mtu", bounds)?;
    for (at, group) in spec.groups.iter().enumerate() {
        let field = format!("groups[{at}].index");
        let service = ServicePrefix::new(spec.prefix, ServiceRole::BoundaryGroup, group.index);
        let max = ServiceRole::BoundaryGroup.range().count() - 1;
        let bounds = Problem::Bounds {
            min: 0,
            max: u64::try_from(max).unwrap_or(u64::MAX),
        };
        ensure(service.is_ok(), &field, bounds)?;
        let before = &spec.groups[..at];
        let new = before.iter().all(|other| other.index != group.index);
        ensure(new, &field, Problem::Twice)?;
        for (place, pool) in group.pools.iter().enumerate() {
            let field = format!("groups[{at}].pools[{place}]");
            named(case.intent, Kind::IpPool, None, pool, &field)?;
        }
    }
    for (at, resolver) in spec.resolvers.iter().enumerate() {
        prefix::of_hosts(IpNet::from(*resolver), &format!("resolvers[{at}]"))?;
    }
    let directory = spec.socket_dir.starts_with('/') && spec.socket_dir.len() <= SOCKET_DIR_MAX;
    let problem = Problem::Wrong("it is an absolute path of at most 64 octets");
    ensure(directory, "socket_dir", problem)
}

/// A path of a unix socket has 107 octets (`unix(7)`), and a file name is to follow.
const SOCKET_DIR_MAX: usize = 64;

pub(super) fn delete_az(case: &Case<'_>) -> Checked {
    let others = case.intent.objects();
    let others: Vec<_> = others
        .filter(|object| object.kind() != Kind::Az)
        .map(ToString::to_string)
        .collect();
    unused(&others)
}

pub(super) fn create_rack(case: &mut Case<'_>, meta: Meta, spec: &RackSpec) -> Checked {
    for other in case.intent.children(Kind::Rack, None, None) {
        let Object::Rack(other) = other else { continue };
        let taken = other.meta.id != meta.id && other.spec.number == spec.number;
        let problem = Problem::Wrong("another rack has this number");
        ensure(!taken, "number", problem)?;
    }
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: Nothing {},
    });
    Ok(())
}

pub(super) fn update_rack(
    case: &mut Case<'_>,
    meta: Meta,
    old: &Entry<RackSpec>,
    spec: &RackSpec,
) -> Checked {
    ensure(old.spec.number == spec.number, "number", Problem::Fixed)?;
    create_rack(case, meta, spec)
}

pub(super) fn delete_rack(case: &Case<'_>, rack: &Entry<RackSpec>) -> Checked {
    let sleds = case.intent.children(Kind::Sled, None, None);
    let switches = case.intent.children(Kind::Switch, None, None);
    let within = sleds.chain(switches).filter(|node| {
        let prefix = match node {
            Object::Sled(sled) => sled.spec.prefix,
            Object::Switch(switch) => switch.spec.prefix,
            _ => return false,
        };
        prefix.rack().rack() == rack.spec.number
    });
    let within: Vec<_> = within.map(ToString::to_string).collect();
    unused(&within)
}

pub(super) fn create_sled(case: &mut Case<'_>, meta: Meta, spec: &SledSpec) -> Checked {
    let az = case.az()?.spec.prefix;
    let ours = spec.prefix.az() == az;
    ensure(ours, "prefix", Problem::Outside(format!("the az {az}")))?;
    let sled = !spec.prefix.node().is_switch();
    ensure(sled, "prefix", Problem::Wrong("the prefix is a switch's"))?;
    let other = case.intent.sled_at(spec.prefix);
    let problem = Problem::Wrong("another sled has this prefix");
    ensure(other.is_none(), "prefix", problem)?;
    addresses(spec)?;
    let nat = system_nat(case);
    let api = api_addresses(case, spec, &[])?;
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: SledGiven { nat, api },
    });
    Ok(())
}

pub(super) fn update_sled(
    case: &mut Case<'_>,
    meta: Meta,
    old: &Entry<SledSpec, SledGiven>,
    spec: &SledSpec,
) -> Checked {
    ensure(old.spec.prefix == spec.prefix, "prefix", Problem::Fixed)?;
    addresses(spec)?;
    if spec.in_use == SledUse::OutOfService {
        delete_sled(case, meta.id)?;
    }
    let mut given = old.given.clone();
    let missing = system_nat(case);
    for nat in missing {
        let v4 = nat.block.address.is_ipv4();
        let has = |nat: &GivenNat| nat.block.address.is_ipv4() == v4;
        if !given.nat.iter().any(has) {
            given.nat.push(nat);
        }
    }
    given.api = api_addresses(case, spec, &old.given.api)?;
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given,
    });
    Ok(())
}

fn addresses(spec: &SledSpec) -> Checked {
    for (field, mac) in [("src_mac", spec.src_mac), ("dst_mac", spec.dst_mac)] {
        let station = !mac.is_multicast() && mac != MacAddr::ZERO;
        let problem = Problem::Wrong("it is not the address of one station");
        ensure(station, field, problem)?;
    }
    Ok(())
}

/// A sled's own share of the system's pools; no share of a family that has no pool with room.
fn system_nat(case: &Case<'_>) -> Vec<GivenNat> {
    let pools = case.intent.children(Kind::IpPool, None, None);
    let pools: Vec<Id> = pools
        .filter(|pool| matches!(pool, Object::IpPool(pool) if pool.spec.system))
        .map(|pool| pool.meta().id)
        .collect();
    let of = |v4| {
        let mut pools = pools.iter();
        pools.find_map(|pool| nat::allocate(case.intent, *pool, v4))
    };
    [of(true), of(false)].into_iter().flatten().collect()
}

/// The addresses at which a controller on the sled serves users: what it has, and one of each family that it has none
/// of, as far as a pool of the system has one.
fn api_addresses(
    case: &Case<'_>,
    spec: &SledSpec,
    old: &[(Id, IpAddr)],
) -> Checked<Vec<(Id, IpAddr)>> {
    let mut given = Vec::new();
    if !spec.api {
        return Ok(given);
    }
    for v4 in [true, false] {
        let of_family = |address: &IpAddr| address.is_ipv4() == v4;
        let has = old.iter().find(|(_, address)| of_family(address)).copied();
        given.extend(has.or_else(|| free_of_system(case, v4)));
    }
    let missing = Problem::Exhausted("the ip pools of the system".to_owned());
    ensure(!given.is_empty(), "api", missing)?;
    Ok(given)
}

fn free_of_system(case: &Case<'_>, v4: bool) -> Option<(Id, IpAddr)> {
    let mut pools = case.intent.children(Kind::IpPool, None, None);
    pools.find_map(|pool| {
        let Object::IpPool(pool) = pool else {
            return None;
        };
        let mut blocks = pool.spec.blocks.iter();
        let free = blocks
            .by_ref()
            .filter(|block| pool.spec.system && block.addr().is_ipv4() == v4)
            .find_map(|block| free_within(case.intent, &pool.spec, *block, &[]))?;
        Some((pool.meta.id, free))
    })
}

pub(super) fn delete_sled(case: &Case<'_>, sled: Id) -> Checked {
    let instances = case.intent.instances_on(sled);
    let instances = instances.filter_map(|id| case.intent.instance(id));
    let names: Vec<_> = instances
        .map(|instance| format!("instance {}", instance.meta.name))
        .collect();
    unused(&names)
}
