//! NICs.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rackweave_types::reserved;
use rackweave_types::state::Cap;

use super::Checked;
use super::case::{Case, ensure, named};
use super::{firewall, floating, prefix};
use crate::allocate::address::{bounds, first_free};
use crate::allocate::{drawn, nat};
use crate::intent::NicEntry;
use crate::key::{Id, Kind};
use crate::model::{DeviceSpec, Entry, GivenEphemeral, GivenNat, Meta, NicGiven, NicSpec, Object};
use crate::refusal::{Problem, Refusal};

/// The slots of an instance: as many NICs as a virtual machine finds on its first bus.
const SLOTS: std::ops::Range<u8> = 0..8;
/// The most addresses of a NIC: sleds refuse more.
const ADDRESSES_MAX: usize = 64;
/// The least bursts of a cap: a frame of 64 KB passes whole, cut into 54 segments at the least MTU.
const BURST_MIN: (u64, u64) = (65_535, 64);
/// Where automatic IPv6 addresses begin in their subnet: as far in as those of IPv4.
const FIRST_V6: u128 = 5;

/// The place of a NIC: what it belongs to and lies in.
struct Place {
    project: Id,
    vpc: Id,
    subnet: Id,
    ipv4: Option<Ipv4Net>,
    ipv6: Option<Ipv6Net>,
}

pub(super) fn create(case: &mut Case<'_>, meta: Meta, spec: &NicSpec) -> Checked {
    let missing = || Refusal::of("parent", Problem::Parent(Some(Kind::Instance)));
    let instance = meta.parent.and_then(|id| case.intent.instance(id));
    let instance = instance.ok_or_else(missing)?;
    let place = place(case, instance.meta.parent, spec)?;
    quota(case, place.project)?;
    let sled = instance.given.sled.and_then(|sled| case.intent.sled(sled));
    let room = sled.is_some_and(|sled| case.intent.load_of(sled.meta.id) < sled.spec.capacity);
    ensure(room, "", Problem::NoRoom)?;
    let slot = slot(case, instance.meta.id, spec)?;
    check(case, spec)?;
    let addresses = addresses(case, &place, spec, None)?;
    let more = addresses.len();
    let (name, tags) = (&instance.meta.name, &instance.spec.tags);
    firewall::room(case.intent, place.vpc, name, tags, more)?;
    let mac = drawn::mac(case.intent, case.draw);
    let exhausted = || Problem::Exhausted("the az's ethernet addresses".to_owned());
    let given = NicGiven {
        vpc: Some(place.vpc),
        subnet: Some(place.subnet),
        slot,
        mac: mac.ok_or_else(|| Refusal::whole(exhausted()))?,
        ephemeral: ephemeral(case, place.project, spec, &addresses, &[])?,
        nat: shared(case, place.project, spec, &addresses, &[])?,
        addresses,
    };
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given,
    });
    Ok(())
}

pub(super) fn update(case: &mut Case<'_>, meta: Meta, old: &NicEntry, spec: &NicSpec) -> Checked {
    ensure(spec.vpc == old.spec.vpc, "vpc", Problem::Fixed)?;
    ensure(spec.subnet == old.spec.subnet, "subnet", Problem::Fixed)?;
    let slot = spec.slot.is_none_or(|slot| slot == old.given.slot);
    ensure(slot, "slot", Problem::Fixed)?;
    let instance = case.intent.instance_of(old);
    let project = instance.and_then(|instance| instance.meta.parent);
    let place = place(case, project, spec)?;
    check(case, spec)?;
    let addresses = addresses(case, &place, spec, Some(old))?;
    for floating in case.intent.floating_of(meta.id) {
        let target = floating.given.target;
        let kept = target.is_none_or(|target| addresses.contains(&target.inside));
        let by = format!("floating-ip {}", floating.meta.name);
        ensure(kept, "addresses", Problem::InUse { by, count: 1 })?;
    }
    if let Some(instance) = instance {
        let before = old.given.addresses.len();
        let more = addresses.len().saturating_sub(before);
        let (name, tags) = (&instance.meta.name, &instance.spec.tags);
        firewall::room(case.intent, place.vpc, name, tags, more)?;
    }
    let given = NicGiven {
        ephemeral: ephemeral(case, place.project, spec, &addresses, &old.given.ephemeral)?,
        nat: shared(case, place.project, spec, &addresses, &old.given.nat)?,
        addresses,
        ..old.given.clone()
    };
    case.put(Entry {
        meta,
        spec: NicSpec {
            slot: old.spec.slot,
            ..spec.clone()
        },
        given,
    });
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "siblings share one shape")]
pub(super) fn delete(case: &mut Case<'_>, nic: Id) -> Checked {
    floating::let_go(case, nic);
    Ok(())
}

fn place(case: &Case<'_>, project: Option<Id>, spec: &NicSpec) -> Checked<Place> {
    let vpc = named(case.intent, Kind::Vpc, project, &spec.vpc, "vpc")?;
    let vpc = vpc.meta().id;
    let (kind, name) = (Kind::Subnet, &spec.subnet);
    let Object::Subnet(subnet) = named(case.intent, kind, Some(vpc), name, "subnet")? else {
        return Err(Refusal::of("subnet", Problem::OtherKind(kind)));
    };
    Ok(Place {
        project: case.project(project)?.meta.id,
        vpc,
        subnet: subnet.meta.id,
        ipv4: subnet.spec.ipv4,
        ipv6: subnet.given.ipv6,
    })
}

fn quota(case: &Case<'_>, project: Id) -> Checked {
    let limit = case.project(Some(project))?.spec.quota.nics;
    let instances = case.intent.children(Kind::Instance, Some(project), None);
    let nics: usize = instances
        .map(|instance| case.intent.count(Kind::Nic, Some(instance.meta().id)))
        .sum();
    let room = u32::try_from(nics).is_ok_and(|nics| nics < limit);
    let kind = Kind::Nic;
    ensure(room, "", Problem::Quota { kind, limit })
}

/// The slot that is asked for, or the lowest free one.
fn slot(case: &Case<'_>, instance: Id, spec: &NicSpec) -> Checked<u8> {
    let nics = case.intent.nics_of_instance(instance);
    let taken: BTreeSet<u8> = nics.iter().map(|nic| nic.given.slot).collect();
    let Some(slot) = spec.slot else {
        let free = SLOTS.clone().find(|slot| !taken.contains(slot));
        let exhausted = || Problem::Exhausted("the instance's slots".to_owned());
        return free.ok_or_else(|| Refusal::of("slot", exhausted()));
    };
    let bounds = Problem::Bounds {
        min: SLOTS.start.into(),
        max: (SLOTS.end - 1).into(),
    };
    ensure(SLOTS.contains(&slot), "slot", bounds)?;
    let free = !taken.contains(&slot);
    ensure(free, "slot", Problem::Wrong("another nic is in this slot"))?;
    Ok(slot)
}

fn check(case: &Case<'_>, spec: &NicSpec) -> Checked {
    let inside = case.az()?.spec.underlay_mtu.inside();
    let max = inside.map_or(0, rackweave_types::Mtu::get);
    let bounds = Problem::Bounds {
        min: rackweave_types::Mtu::MIN.into(),
        max: max.into(),
    };
    ensure(spec.mtu.get() <= max, "mtu", bounds)?;
    for (at, net) in spec.transit.iter().enumerate() {
        prefix::written(*net, &format!("transit[{at}]"))?;
    }
    cap(&spec.caps.outbound, "caps.out")?;
    cap(&spec.caps.inbound, "caps.in")?;
    limits(spec)?;
    if let DeviceSpec::Tap { netns: Some(path) } = &spec.device {
        let absolute = path.starts_with('/');
        let problem = Problem::Wrong("it is an absolute path, such as /run/netns/web");
        ensure(absolute, "device.tap.netns", problem)?;
    }
    Ok(())
}

fn limits(spec: &NicSpec) -> Checked {
    let limits = spec.limits;
    let replies = limits.replies.map(rackweave_types::PacketsPerSecond::get);
    for (field, count) in [
        ("limits.flows", limits.flows.map(u64::from)),
        ("limits.fragments", limits.fragments.map(u64::from)),
        ("limits.punts", limits.punts.map(u64::from)),
        ("limits.replies", replies),
    ] {
        let bounds = Problem::Bounds {
            min: 1,
            max: u32::MAX.into(),
        };
        ensure(count != Some(0), field, bounds)?;
    }
    Ok(())
}

fn cap(cap: &Cap, field: &str) -> Checked {
    let (bytes, packets) = BURST_MIN;
    let rates = [
        (
            "bytes",
            cap.bytes.map(rackweave_types::BytesPerSecond::get),
            1,
        ),
        (
            "packets",
            cap.packets.map(rackweave_types::PacketsPerSecond::get),
            1,
        ),
        ("burst_bytes", cap.burst_bytes, bytes),
        ("burst_packets", cap.burst_packets, packets),
    ];
    for (part, value, min) in rates {
        let enough = value.is_none_or(|value| value >= min);
        let max = u64::MAX;
        ensure(
            enough,
            &format!("{field}.{part}"),
            Problem::Bounds { min, max },
        )?;
    }
    Ok(())
}

/// The addresses that are asked for; those that it has, or one of each family, where none is.
fn addresses(
    case: &Case<'_>,
    place: &Place,
    spec: &NicSpec,
    old: Option<&NicEntry>,
) -> Checked<Vec<IpAddr>> {
    if spec.addresses.is_empty() {
        return match old {
            Some(old) => Ok(old.given.addresses.clone()),
            None => automatic(case, place),
        };
    }
    let max = ADDRESSES_MAX;
    let count = spec.addresses.len();
    let many = Problem::Bounds {
        min: 1,
        max: u64::try_from(max).unwrap_or(u64::MAX),
    };
    ensure(count <= max, "addresses", many)?;
    for (at, address) in spec.addresses.iter().enumerate() {
        let field = format!("addresses[{at}]");
        prefix::guest_address(place.ipv4, place.ipv6, *address, &field)?;
        let new = !spec.addresses[..at].contains(address);
        ensure(new, &field, Problem::Twice)?;
        let holder = case.intent.nic_at(place.vpc, *address);
        let own = old.map(|old| old.meta.id);
        let free = holder.is_none() || holder == own;
        ensure(free, &field, Problem::Taken(*address))?;
    }
    Ok(spec.addresses.clone())
}

/// The first free address of each family that the subnet has.
fn automatic(case: &Case<'_>, place: &Place) -> Checked<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    if let Some(net) = place.ipv4 {
        let (first, last) = bounds(IpNet::V4(net));
        let held = case.intent.held_in_vpc(place.vpc, first, last);
        let kept = |address: IpAddr| match address {
            IpAddr::V4(address) => reserved::ipv4_in_subnet(net, address).is_some(),
            IpAddr::V6(_) => true,
        };
        let exhausted = || Problem::Exhausted(format!("the subnet's prefix {net}"));
        let free = first_free(first, last, held, kept);
        addresses.push(free.ok_or_else(|| Refusal::of("addresses", exhausted()))?);
    }
    if let Some(net) = place.ipv6 {
        let (first, last) = bounds(IpNet::V6(net));
        let first = match first {
            IpAddr::V6(first) => Ipv6Addr::from(u128::from(first) + FIRST_V6).into(),
            IpAddr::V4(_) => first,
        };
        let held = case.intent.held_in_vpc(place.vpc, first, last);
        let exhausted = || Problem::Exhausted(format!("the subnet's prefix {net}"));
        let free = first_free(first, last, held, |_| false);
        addresses.push(free.ok_or_else(|| Refusal::of("addresses", exhausted()))?);
    }
    Ok(addresses)
}

/// External addresses for its life: those that it has from the pools that are asked for, and new ones.
fn ephemeral(
    case: &Case<'_>,
    project: Id,
    spec: &NicSpec,
    addresses: &[IpAddr],
    old: &[GivenEphemeral],
) -> Checked<Vec<GivenEphemeral>> {
    let mut given: Vec<GivenEphemeral> = Vec::new();
    for (at, asked) in spec.ephemeral.iter().enumerate() {
        let field = format!("ephemeral[{at}].pool");
        let about: Vec<_> = given.iter().map(|one| one.outside).collect();
        let same_pool = |one: &&GivenEphemeral| {
            let pool = case.intent.ip_pool(one.pool);
            let named = asked.pool.as_ref();
            let pool = pool.is_some_and(|pool| named.is_none_or(|name| pool.meta.name == *name));
            pool && !about.contains(&one.outside)
        };
        let (pool, outside) = match old.iter().find(same_pool) {
            Some(old) => (old.pool, old.outside),
            None => floating::free(case.intent, project, asked.pool.as_ref(), &field, &about)?,
        };
        // An inside address has one of them.
        let free = |inside: &&IpAddr| {
            let taken = given.iter().any(|one| one.inside == **inside);
            inside.is_ipv4() == outside.is_ipv4() && !taken
        };
        let inside = addresses.iter().find(free).copied();
        let inside = inside.ok_or_else(|| Refusal::of(field, Problem::Family))?;
        given.push(GivenEphemeral {
            pool,
            outside,
            inside,
        });
    }
    Ok(given)
}

/// Its share of external addresses: one block for each family that it has, where the project has a pool.
fn shared(
    case: &Case<'_>,
    project: Id,
    spec: &NicSpec,
    addresses: &[IpAddr],
    old: &[GivenNat],
) -> Checked<Vec<GivenNat>> {
    let mut given = Vec::new();
    for v4 in [true, false] {
        let has = addresses.iter().any(|address| address.is_ipv4() == v4);
        if !spec.nat || !has {
            continue;
        }
        let kept = old.iter().find(|nat| nat.block.address.is_ipv4() == v4);
        if let Some(kept) = kept {
            given.push(*kept);
            continue;
        }
        let Some(pool) = floating::default_pool(case.intent, project, v4, true) else {
            continue;
        };
        let block = nat::allocate(case.intent, pool.meta.id, v4);
        let exhausted =
            || Problem::Exhausted(format!("the shared part of ip pool {}", pool.meta.name));
        given.push(block.ok_or_else(|| Refusal::of("nat", exhausted()))?);
    }
    Ok(given)
}
