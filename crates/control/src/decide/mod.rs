//! What follows from a request: each kind has its file, and in it `create`, `update` and `delete`.

mod case;
mod edge;
mod firewall;
mod fleet;
mod floating;
mod instance;
mod nic;
mod peering;
mod pool;
mod prefix;
mod project;
mod route;
mod subnet;
mod vpc;

use case::Case;
pub(crate) use prefix::blocks_of;
use rackweave_types::Generation;

use crate::draw::Draw;
use crate::intent::Intent;
use crate::key::{Id, Key, Kind};
use crate::model::{Meta, Object, Spec};
use crate::name::Name;
use crate::refusal::{Problem, Refusal};
use crate::request::{Decision, Request};

/// The outcome of a check.
type Checked<T = ()> = Result<T, Refusal>;

/// Decides what follows from a request.
///
/// # Errors
/// The first field that something is wrong with.
pub fn decide(intent: &Intent, request: &Request, draw: Draw) -> Result<Decision, Refusal> {
    let mut case = Case::new(intent, draw);
    let subject = match request {
        Request::Create {
            parent,
            name,
            description,
            spec,
        } => create(&mut case, *parent, name, description, spec)?,
        Request::Update {
            key,
            if_match,
            description,
            spec,
        } => {
            let old = found(intent, *key, *if_match)?;
            update(&mut case, old, description.as_deref(), spec)?;
            *key
        }
        Request::Delete { key, if_match } => {
            let old = found(intent, *key, *if_match)?;
            delete(&mut case, old)?;
            *key
        }
    };
    Ok(Decision {
        subject,
        commit: case.commit(),
    })
}

/// The object of this key, where it was not changed since.
fn found(intent: &Intent, key: Key, if_match: Option<Generation>) -> Checked<&Object> {
    let missing = Problem::NoSuch(key.kind, key.id.to_string());
    let object = intent.get(key).ok_or(Refusal::whole(missing))?;
    let found = object.meta().generation;
    match if_match {
        Some(expected) if expected != found => {
            Err(Refusal::whole(Problem::Stale { found, expected }))
        }
        _ => Ok(object),
    }
}

fn create(
    case: &mut Case<'_>,
    parent: Option<Id>,
    name: &Name,
    description: &str,
    spec: &Spec,
) -> Checked<Key> {
    let kind = spec.kind();
    family(case.intent, kind, parent)?;
    if case.intent.find(kind, parent, name).is_some() {
        let problem = Problem::NameTaken(kind, name.clone());
        return Err(Refusal::of("name", problem));
    }
    if kind != Kind::Az && case.intent.az().is_none() {
        return Err(Refusal::whole(Problem::NoAz));
    }
    let mut meta = case.meta(kind, parent, name.clone());
    description.clone_into(&mut meta.description);
    let key = Key::new(kind, meta.id);
    match spec {
        Spec::Az(spec) => fleet::create_az(case, meta, spec),
        Spec::Rack(spec) => fleet::create_rack(case, meta, spec),
        Spec::Sled(spec) => fleet::create_sled(case, meta, spec),
        Spec::Switch(spec) => edge::create_switch(case, meta, spec),
        Spec::Uplink(spec) => edge::create_uplink(case, meta, spec),
        Spec::BgpPeer(spec) => edge::create_bgp_peer(case, meta, spec),
        Spec::StaticRoute(spec) => edge::create_static_route(case, meta, spec),
        Spec::IpPool(spec) => pool::create(case, meta, spec),
        Spec::Project(spec) => project::create(case, meta, *spec),
        Spec::PoolLink(spec) => pool::create_link(case, meta, spec),
        Spec::Vpc(spec) => vpc::create(case, meta, spec),
        Spec::Subnet(spec) => subnet::create(case, meta, spec),
        Spec::Router(_) => route::create_router(case, meta),
        Spec::Route(spec) => route::create(case, meta, spec),
        Spec::FirewallRule(spec) => firewall::create(case, meta, spec),
        Spec::InternetGateway(_) => vpc::create_gateway(case, meta),
        Spec::Peering(spec) => peering::create(case, meta, spec),
        Spec::DnsRecord(spec) => vpc::create_record(case, meta, spec),
        Spec::Instance(spec) => instance::create(case, meta, spec),
        Spec::Nic(spec) => nic::create(case, meta, spec),
        Spec::FloatingIp(spec) => floating::create(case, meta, spec),
    }?;
    Ok(key)
}

/// Whether the parent is there and of the right kind.
fn family(intent: &Intent, kind: Kind, parent: Option<Id>) -> Checked {
    match (kind.parent(), parent) {
        (None, None) => Ok(()),
        (Some(of), Some(id)) if intent.get(Key::new(of, id)).is_some() => Ok(()),
        (Some(of), Some(id)) => {
            let problem = Problem::NoSuch(of, id.to_string());
            Err(Refusal::of("parent", problem))
        }
        (due, _) => Err(Refusal::of("parent", Problem::Parent(due))),
    }
}

fn update(case: &mut Case<'_>, old: &Object, description: Option<&str>, spec: &Spec) -> Checked {
    let meta = |meta: &Meta| {
        let description = description.unwrap_or(&meta.description);
        Meta {
            description: description.to_owned(),
            ..meta.clone()
        }
    };
    match (old, spec) {
        (Object::Az(old), Spec::Az(spec)) => fleet::update_az(case, meta(&old.meta), old, spec),
        (Object::Rack(old), Spec::Rack(spec)) => {
            fleet::update_rack(case, meta(&old.meta), old, spec)
        }
        (Object::Sled(old), Spec::Sled(spec)) => {
            fleet::update_sled(case, meta(&old.meta), old, spec)
        }
        (Object::Switch(old), Spec::Switch(spec)) => {
            edge::update_switch(case, meta(&old.meta), old, spec)
        }
        (Object::Uplink(old), Spec::Uplink(spec)) => {
            edge::create_uplink(case, meta(&old.meta), spec)
        }
        (Object::BgpPeer(old), Spec::BgpPeer(spec)) => {
            edge::create_bgp_peer(case, meta(&old.meta), spec)
        }
        (Object::StaticRoute(old), Spec::StaticRoute(spec)) => {
            edge::create_static_route(case, meta(&old.meta), spec)
        }
        (Object::IpPool(old), Spec::IpPool(spec)) => pool::update(case, meta(&old.meta), old, spec),
        (Object::Project(old), Spec::Project(spec)) => {
            project::create(case, meta(&old.meta), *spec)
        }
        (Object::PoolLink(old), Spec::PoolLink(spec)) => {
            pool::create_link(case, meta(&old.meta), spec)
        }
        (Object::Vpc(old), Spec::Vpc(spec)) => vpc::update(case, meta(&old.meta), old, spec),
        (Object::Subnet(old), Spec::Subnet(spec)) => {
            subnet::update(case, meta(&old.meta), old, spec)
        }
        (Object::Router(old), Spec::Router(_)) => route::update_router(case, meta(&old.meta), old),
        (Object::Route(old), Spec::Route(spec)) => route::update(case, meta(&old.meta), old, spec),
        (Object::FirewallRule(old), Spec::FirewallRule(spec)) => {
            firewall::update(case, meta(&old.meta), old, spec)
        }
        (Object::InternetGateway(old), Spec::InternetGateway(_)) => {
            vpc::create_gateway(case, meta(&old.meta))
        }
        (Object::Peering(old), Spec::Peering(spec)) => {
            peering::update(case, meta(&old.meta), old, spec)
        }
        (Object::DnsRecord(old), Spec::DnsRecord(spec)) => {
            vpc::create_record(case, meta(&old.meta), spec)
        }
        (Object::Instance(old), Spec::Instance(spec)) => {
            instance::update(case, meta(&old.meta), old, spec)
        }
        (Object::Nic(old), Spec::Nic(spec)) => nic::update(case, meta(&old.meta), old, spec),
        (Object::FloatingIp(old), Spec::FloatingIp(spec)) => {
            floating::update(case, meta(&old.meta), old, spec)
        }
        _ => Err(Refusal::whole(Problem::OtherKind(old.kind()))),
    }
}

fn delete(case: &mut Case<'_>, old: &Object) -> Checked {
    let id = old.meta().id;
    match old {
        Object::Az(_) => fleet::delete_az(case),
        Object::Rack(rack) => fleet::delete_rack(case, rack),
        Object::Sled(_) => fleet::delete_sled(case, id),
        Object::IpPool(_) => pool::delete(case, id),
        Object::Project(_) => project::delete(case, id),
        Object::PoolLink(link) => pool::delete_link(case, link),
        Object::Vpc(_) => vpc::delete(case, id),
        Object::Subnet(subnet) => subnet::delete(case, subnet),
        Object::Router(router) => route::delete_router(case, router),
        Object::InternetGateway(gateway) => vpc::delete_gateway(case, gateway),
        Object::Uplink(uplink) => edge::delete_uplink(case, uplink),
        Object::Instance(_) => instance::delete(case, id),
        Object::Nic(_) => nic::delete(case, id),
        Object::Switch(_)
        | Object::BgpPeer(_)
        | Object::StaticRoute(_)
        | Object::Route(_)
        | Object::FirewallRule(_)
        | Object::Peering(_)
        | Object::DnsRecord(_)
        | Object::FloatingIp(_) => Ok(()),
    }?;
    case.delete_tree(old.key());
    Ok(())
}
