//! Switches, uplinks, BGP peers and static routes.

use ipnet::IpNet;

use super::Checked;
use super::case::{Case, ensure, named, unused};
use super::prefix;
use crate::key::Kind;
use crate::model::{
    BgpPeerSpec, Entry, Meta, Nothing, Object, StaticRouteSpec, SwitchSpec, UplinkSpec,
};
use crate::refusal::Problem;

pub(super) fn create_switch(case: &mut Case<'_>, meta: Meta, spec: &SwitchSpec) -> Checked {
    let az = case.az()?.spec.prefix;
    let ours = spec.prefix.az() == az;
    ensure(ours, "prefix", Problem::Outside(format!("the az {az}")))?;
    let switch = spec.prefix.node().is_switch();
    ensure(switch, "prefix", Problem::Wrong("the prefix is a sled's"))?;
    let other = case.intent.switch_at(spec.prefix);
    let problem = Problem::Wrong("another switch has this prefix");
    ensure(other.is_none_or(|id| id == meta.id), "prefix", problem)?;
    if let Some(group) = spec.group {
        let groups = &case.az()?.spec.groups;
        let known = groups.iter().any(|known| known.index == group);
        let problem = Problem::Wrong("the az has no boundary group of this index");
        ensure(known, "group", problem)?;
    }
    put(case, meta, spec.clone());
    Ok(())
}

pub(super) fn update_switch(
    case: &mut Case<'_>,
    meta: Meta,
    old: &Entry<SwitchSpec>,
    spec: &SwitchSpec,
) -> Checked {
    ensure(old.spec.prefix == spec.prefix, "prefix", Problem::Fixed)?;
    if spec.asn.is_none() {
        let peers = case.intent.children(Kind::BgpPeer, Some(old.meta.id), None);
        let peers: Vec<_> = peers.map(ToString::to_string).collect();
        unused(&peers)?;
    }
    create_switch(case, meta, spec)
}

pub(super) fn create_uplink(case: &mut Case<'_>, meta: Meta, spec: &UplinkSpec) -> Checked {
    for other in case.intent.children(Kind::Uplink, meta.parent, None) {
        let Object::Uplink(other) = other else {
            continue;
        };
        let taken = other.meta.id != meta.id
            && other.spec.interface == spec.interface
            && other.spec.vlan == spec.vlan;
        let problem = Problem::Wrong("another uplink is on this interface");
        ensure(!taken, "interface", problem)?;
    }
    for (at, address) in spec.addresses.iter().enumerate() {
        let field = format!("addresses[{at}]");
        prefix::of_hosts(IpNet::from(address.addr()), &field)?;
        prefix::not_underlay(case.intent, *address, &field)?;
        let before = spec.addresses[..at].iter();
        let new = before.clone().all(|other| other.addr() != address.addr());
        ensure(new, &field, Problem::Twice)?;
    }
    put(case, meta, spec.clone());
    Ok(())
}

pub(super) fn delete_uplink(case: &Case<'_>, uplink: &Entry<UplinkSpec>) -> Checked {
    let peers = case
        .intent
        .children(Kind::BgpPeer, uplink.meta.parent, None);
    let over = peers.filter(
        |peer| matches!(peer, Object::BgpPeer(peer) if peer.spec.uplink == uplink.meta.name),
    );
    let over: Vec<_> = over.map(ToString::to_string).collect();
    unused(&over)
}

pub(super) fn create_bgp_peer(case: &mut Case<'_>, meta: Meta, spec: &BgpPeerSpec) -> Checked {
    let switch = meta.parent.and_then(|id| case.intent.switch(id));
    let speaks = switch.is_some_and(|switch| switch.spec.asn.is_some());
    let problem = Problem::Wrong("the switch has no autonomous system; give it one first");
    ensure(speaks, "", problem)?;
    named(
        case.intent,
        Kind::Uplink,
        meta.parent,
        &spec.uplink,
        "uplink",
    )?;
    if let Some(address) = spec.address {
        prefix::written(IpNet::from(address), "address")?;
        prefix::not_underlay(case.intent, IpNet::from(address), "address")?;
    }
    for other in case.intent.children(Kind::BgpPeer, meta.parent, None) {
        let Object::BgpPeer(other) = other else {
            continue;
        };
        let taken = other.meta.id != meta.id
            && other.spec.address == spec.address
            && other.spec.uplink == spec.uplink;
        let problem = Problem::Wrong("there is a session with this peer already");
        ensure(!taken, "address", problem)?;
    }
    // "The Hold Time MUST be either zero or at least three seconds" (RFC 4271, section 4.2).
    let held = spec.hold_time == 0 || spec.hold_time >= 3;
    let bounds = Problem::Bounds {
        min: 3,
        max: u16::MAX.into(),
    };
    ensure(held, "hold_time", bounds)?;
    for (at, net) in spec.import.iter().enumerate() {
        prefix::written(*net, &format!("import[{at}]"))?;
    }
    put(case, meta, spec.clone());
    Ok(())
}

pub(super) fn create_static_route(
    case: &mut Case<'_>,
    meta: Meta,
    spec: &StaticRouteSpec,
) -> Checked {
    prefix::written(spec.destination, "destination")?;
    prefix::not_underlay_unless_default(case.intent, spec.destination, "destination")?;
    prefix::of_hosts(IpNet::from(spec.next_hop), "next_hop")?;
    prefix::not_underlay(case.intent, IpNet::from(spec.next_hop), "next_hop")?;
    let one_family = spec.next_hop.is_ipv4() == spec.destination.addr().is_ipv4();
    ensure(one_family, "next_hop", Problem::Family)?;
    for other in case.intent.children(Kind::StaticRoute, meta.parent, None) {
        let Object::StaticRoute(other) = other else {
            continue;
        };
        let taken = other.meta.id != meta.id && other.spec == *spec;
        ensure(!taken, "destination", Problem::Twice)?;
    }
    put(case, meta, spec.clone());
    Ok(())
}

fn put<S>(case: &mut Case<'_>, meta: Meta, spec: S)
where
    Object: From<Entry<S>>,
{
    case.put(Entry {
        meta,
        spec,
        given: Nothing {},
    });
}
