//! Routers and routes.

use ipnet::IpNet;

use super::Checked;
use super::case::{Case, ensure, named, unused};
use super::prefix::{self, blocks_of};
use crate::key::{Id, Kind};
use crate::model::{
    Entry, Meta, Object, RouteGiven, RouteSpec, RouteTargetSpec, RouterGiven, RouterSpec,
};
use crate::refusal::{Problem, Refusal};

pub(super) fn create_router(case: &mut Case<'_>, meta: Meta) -> Checked {
    let vpc = case.vpc(meta.parent)?;
    let project = case.project(vpc.meta.parent)?;
    case.quota(&meta, Kind::Router, project.spec.quota.routers)?;
    let number = case.number(vpc.meta.id)?;
    case.put(Entry {
        meta,
        spec: RouterSpec {},
        given: RouterGiven {
            number,
            system: false,
        },
    });
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "siblings share one shape")]
pub(super) fn update_router(
    case: &mut Case<'_>,
    meta: Meta,
    old: &Entry<RouterSpec, RouterGiven>,
) -> Checked {
    case.put(Entry {
        meta,
        spec: RouterSpec {},
        given: old.given.clone(),
    });
    Ok(())
}

pub(super) fn delete_router(case: &Case<'_>, router: &Entry<RouterSpec, RouterGiven>) -> Checked {
    ensure(!router.given.system, "", Problem::System)?;
    let subnets = case.intent.children(Kind::Subnet, router.meta.parent, None);
    let by = subnets.filter(|subnet| {
        matches!(subnet, Object::Subnet(subnet) if subnet.spec.router.as_ref() == Some(&router.meta.name))
    });
    unused(&by.map(ToString::to_string).collect::<Vec<_>>())
}

pub(super) fn create(case: &mut Case<'_>, meta: Meta, spec: &RouteSpec) -> Checked {
    let vpc = vpc_of(case, &meta)?;
    let project = case.vpc(Some(vpc))?.meta.parent;
    let quota = case.project(project)?.spec.quota;
    case.quota(&meta, Kind::Route, quota.routes)?;
    check(case, vpc, project, &meta, spec)?;
    let number = case.number(vpc)?;
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: RouteGiven { number },
    });
    Ok(())
}

pub(super) fn update(
    case: &mut Case<'_>,
    meta: Meta,
    old: &Entry<RouteSpec, RouteGiven>,
    spec: &RouteSpec,
) -> Checked {
    let vpc = vpc_of(case, &meta)?;
    let project = case.vpc(Some(vpc))?.meta.parent;
    check(case, vpc, project, &meta, spec)?;
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: old.given.clone(),
    });
    Ok(())
}

fn vpc_of(case: &Case<'_>, meta: &Meta) -> Checked<Id> {
    let router = meta.parent.and_then(|id| case.intent.router(id));
    let vpc = router.and_then(|router| router.meta.parent);
    let problem = Problem::Parent(Some(Kind::Router));
    vpc.ok_or_else(|| Refusal::of("parent", problem))
}

fn check(case: &Case<'_>, vpc: Id, project: Option<Id>, meta: &Meta, spec: &RouteSpec) -> Checked {
    prefix::written(spec.destination, "destination")?;
    for other in case.intent.children(Kind::Route, meta.parent, None) {
        let Object::Route(other) = other else {
            continue;
        };
        let same = other.meta.id != meta.id && other.spec.destination == spec.destination;
        ensure(!same, "destination", Problem::Twice)?;
    }
    let v4 = spec.destination.addr().is_ipv4();
    let intent = case.intent;
    match &spec.target {
        RouteTargetSpec::Instance(name) => {
            let found = named(intent, Kind::Instance, project, name, "target.instance")?;
            let nics = intent.nics_of_instance(found.meta().id);
            let mut nics = nics.iter().filter(|nic| nic.given.vpc == Some(vpc));
            let reached = nics.any(|nic| nic.given.addresses.iter().any(|at| at.is_ipv4() == v4));
            ensure(reached, "target.instance", Problem::Family)
        }
        RouteTargetSpec::Ip(address) => {
            ensure(address.is_ipv4() == v4, "target.ip", Problem::Family)?;
            let blocks = blocks_of(intent, vpc);
            let inside = blocks.iter().any(|block| block.contains(address));
            let outside = Problem::Outside("the vpc's blocks".to_owned());
            ensure(inside, "target.ip", outside)
        }
        RouteTargetSpec::Subnet(name) => {
            let found = named(intent, Kind::Subnet, Some(vpc), name, "target.subnet")?;
            let Object::Subnet(subnet) = found else {
                return Ok(());
            };
            let ipv4 = subnet.spec.ipv4.map(IpNet::V4);
            let mut nets = ipv4.into_iter().chain(subnet.given.ipv6.map(IpNet::V6));
            let within = nets.any(|net| net.contains(&spec.destination));
            let outside = Problem::Outside(format!("subnet {name}"));
            ensure(within, "destination", outside)
        }
        RouteTargetSpec::Peering(name) => {
            named(intent, Kind::Peering, Some(vpc), name, "target.peering").map(drop)
        }
        RouteTargetSpec::InternetGateway(name) => {
            let (kind, field) = (Kind::InternetGateway, "target.internet_gateway");
            named(intent, kind, Some(vpc), name, field).map(drop)
        }
        RouteTargetSpec::Drop => Ok(()),
    }
}
