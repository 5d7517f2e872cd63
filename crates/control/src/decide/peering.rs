//! Peerings of VPCs.

use ipnet::IpNet;

use super::Checked;
use super::case::{Case, ensure, named};
use super::prefix::{apart_from_pools, blocks_of, meet};
use crate::intent::Intent;
use crate::key::{Id, Kind};
use crate::model::{Entry, Meta, Object, PeeringGiven, PeeringSpec};
use crate::refusal::{Problem, Refusal};

pub(super) fn create(case: &mut Case<'_>, meta: Meta, spec: &PeeringSpec) -> Checked {
    let vpc = case.vpc(meta.parent)?;
    let own = case.project(vpc.meta.parent)?;
    case.quota(&meta, Kind::Peering, own.spec.quota.peerings)?;
    let project = match &spec.project {
        Some(name) => {
            named(case.intent, Kind::Project, None, name, "project")?
                .meta()
                .id
        }
        None => own.meta.id,
    };
    let peer = named(case.intent, Kind::Vpc, Some(project), &spec.vpc, "vpc")?;
    let peer = peer.meta().id;
    let itself = Problem::Wrong("a vpc is no peer of itself");
    ensure(peer != vpc.meta.id, "vpc", itself)?;
    for other in case.intent.children(Kind::Peering, meta.parent, None) {
        let Object::Peering(other) = other else {
            continue;
        };
        let same = other.meta.id != meta.id && other.given.peer == Some(peer);
        ensure(!same, "vpc", Problem::Twice)?;
    }
    // Where the other wishes it too, the two are joined now: guests must be able to tell them apart.
    let mut wished = case.intent.suitors(vpc.meta.id);
    if wished.any(|from| from == peer) {
        apart(case, vpc.meta.id, own.meta.id, peer, project)?;
        apart_from_peers(case.intent, vpc.meta.id, peer, "vpc")?;
        apart_from_peers(case.intent, peer, vpc.meta.id, "vpc")?;
    }
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: PeeringGiven { peer: Some(peer) },
    });
    Ok(())
}

fn apart(case: &Case<'_>, vpc: Id, own: Id, peer: Id, project: Id) -> Checked {
    let (ours, theirs) = (blocks_of(case.intent, vpc), blocks_of(case.intent, peer));
    for net in &ours {
        if let Some(with) = theirs.iter().find(|other| meet(**other, *net)) {
            let (with, of) = (*with, "the other vpc".to_owned());
            return Err(Refusal::of("vpc", Problem::Overlap { with, of }));
        }
        apart_from_pools(case.intent, project, *net, "vpc")?;
    }
    for net in &theirs {
        apart_from_pools(case.intent, own, *net, "vpc")?;
    }
    Ok(())
}

/// Two peers of one VPC do not overlap: a route could not tell them apart.
fn apart_from_peers(intent: &Intent, vpc: Id, new: Id, field: &str) -> Checked {
    for net in blocks_of(intent, new) {
        apart_from_peers_of(intent, vpc, new, net, field)?;
    }
    Ok(())
}

/// A block of a VPC against the other peers of one of its peers.
pub(super) fn apart_from_peers_of(
    intent: &Intent,
    vpc: Id,
    own: Id,
    net: IpNet,
    field: &str,
) -> Checked {
    for other in intent.peers(vpc).filter(|other| *other != own) {
        let mut blocks = blocks_of(intent, other).into_iter();
        if let Some(with) = blocks.find(|block| meet(*block, net)) {
            let name = intent
                .vpc(other)
                .map_or("", |other| other.meta.name.as_str());
            let of = format!("vpc {name}, another peer");
            return Err(Refusal::of(field, Problem::Overlap { with, of }));
        }
    }
    Ok(())
}

pub(super) fn update(
    case: &mut Case<'_>,
    meta: Meta,
    old: &Entry<PeeringSpec, PeeringGiven>,
    spec: &PeeringSpec,
) -> Checked {
    ensure(spec.vpc == old.spec.vpc, "vpc", Problem::Fixed)?;
    ensure(spec.project == old.spec.project, "project", Problem::Fixed)?;
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: old.given.clone(),
    });
    Ok(())
}
