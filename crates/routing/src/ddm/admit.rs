//! What a neighbour may announce.
//!
//! Who may say what follows from the neighbour's role and from its /64, as its rack stated it where sessions are signed,
//! or as it says itself where not:
//!
//! - a sled: its bootstrap /64, its own /64, and /64s of services that sleds run (controllers, internal DNS), all with
//!   nobody else on the way;
//! - a switch, to its sleds: what is of their rack or of the AZ, but nothing of theirs;
//! - a switch or spine, to another: as origin the /56 of its own rack and boundary groups, as transit what others
//!   originate; never the bootstrap network's or a rack's /64s;
//! - nobody: a default route, or a prefix that is no part of the plan of addresses.

use core::fmt;

use rackweave_types::{
    AzPrefix, BootstrapPrefix, NodePrefix, RackPrefix, Role, ServicePrefix, ServiceRole,
};

use super::item::{Announcement, NodeId, Scope};
use super::message::MAX_PATH;
use super::policy::{End, scope_of};
use super::session::Peer;

/// Why an announcement was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It passed this node: no fault, a path vector's way to find loops.
    Loop,
    /// It says nothing that makes sense.
    Malformed(&'static str),
    /// It is a default route.
    Default,
    /// The prefix is no part of the plan of addresses, or not what its scope says.
    NotOfThePlan,
    /// Neighbours of this role do not announce such prefixes to this node.
    Role,
    /// A sled passes nothing on.
    Passed,
    /// The bootstrap prefix of another node.
    OthersBootstrap,
    /// Another /64 than the neighbour's own.
    NotItsOwn(Option<NodePrefix>),
    /// Another rack's /56.
    NotItsRack(Option<RackPrefix>),
    /// A prefix of this node.
    Ours,
    /// Of another AZ than what may come this way.
    OtherAz,
    /// A service that nodes of the neighbour's role do not run.
    Service(ServiceRole),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loop => f.write_str("it has passed this node"),
            Self::Malformed(what) => f.write_str(what),
            Self::Default => f.write_str("the fabric has no default route"),
            Self::NotOfThePlan => f.write_str("no such prefix is carried with such a scope"),
            Self::Role => f.write_str("nodes of its role do not announce such a prefix here"),
            Self::Passed => {
                f.write_str("a sled passes nothing on, and this has passed another node")
            }
            Self::OthersBootstrap => f.write_str("it is the bootstrap prefix of another node"),
            Self::NotItsOwn(Some(own)) => write!(f, "its own is {own}"),
            Self::NotItsOwn(None) => f.write_str("it has no assignment for any"),
            Self::NotItsRack(Some(own)) => write!(f, "its own rack's is {own}"),
            Self::NotItsRack(None) => f.write_str("it is of no rack"),
            Self::Ours => f.write_str("it is this node's own"),
            Self::OtherAz => f.write_str("it is not of an az from which it may come here"),
            Self::Service(role) => write!(f, "nodes of its role do not run a {role}"),
        }
    }
}

/// Whether `own` takes in what the neighbour announced.
///
/// # Errors
///
/// [`Refusal`].
pub fn admit(own: (&End, NodeId), peer: &Peer, said: &Announcement) -> Result<(), Refusal> {
    well_formed(peer, said)?;
    let (end, id) = own;
    if said.path.contains(&id) {
        return Err(Refusal::Loop);
    }
    match (end.role, peer.role) {
        (Role::Switch, Role::Sled) => from_sled(end, peer, said),
        (Role::Sled, Role::Switch) => to_sled((end, id), peer, said),
        (Role::Switch | Role::Spine, Role::Switch | Role::Spine) => transit(end, peer, said),
        (Role::Sled, Role::Sled | Role::Spine) | (Role::Spine, Role::Sled) => Err(Refusal::Role),
    }
}

fn well_formed(peer: &Peer, said: &Announcement) -> Result<(), Refusal> {
    if said.key.prefix.prefix_len() == 0 {
        return Err(Refusal::Default);
    }
    if scope_of(said.key.prefix) != Some(said.scope) {
        return Err(Refusal::NotOfThePlan);
    }
    if said.path.is_empty() || said.path.len() > MAX_PATH {
        return Err(Refusal::Malformed("its path is empty or too long"));
    }
    if said.path.last() != Some(&peer.id) {
        return Err(Refusal::Malformed("its path does not end with who sent it"));
    }
    let repeats = |(at, node)| said.path[..at].contains(node);
    if said.path.iter().enumerate().any(repeats) {
        return Err(Refusal::Malformed("its path passes a node twice"));
    }
    if (said.scope == Scope::Summary) != said.members.is_some() {
        return Err(Refusal::Malformed(
            "a rack's prefix, and it alone, names the nodes reached",
        ));
    }
    Ok(())
}

/// On a switch, from one of its sleds.
fn from_sled(own: &End, peer: &Peer, said: &Announcement) -> Result<(), Refusal> {
    if said.path.len() != 1 || said.key.origin != peer.id {
        return Err(Refusal::Passed);
    }
    let prefix = said.key.prefix;
    match said.scope {
        Scope::Bootstrap if BootstrapPrefix::new(peer.id.0).net() == prefix => Ok(()),
        Scope::Bootstrap => Err(Refusal::OthersBootstrap),
        Scope::Rack => {
            let assigned = peer.assignment.as_ref().map(|a| a.prefix);
            let is_own = assigned.is_some_and(|node| node.net() == prefix);
            if !is_own && (peer.proven || assigned.is_some()) {
                return Err(Refusal::NotItsOwn(assigned));
            }
            match (NodePrefix::try_from(prefix), own.rack) {
                (Ok(node), Some(rack)) if node.rack() != rack => {
                    Err(Refusal::NotItsRack(Some(rack)))
                }
                (Ok(node), _) if node.node().is_switch() => Err(Refusal::NotItsOwn(assigned)),
                _ => Ok(()),
            }
        }
        Scope::Service => service(
            own,
            said,
            &[ServiceRole::Controller, ServiceRole::InternalDns],
        ),
        Scope::Summary | Scope::Site => Err(Refusal::Role),
    }
}

/// On a sled, from a switch: one announcement a prefix, with the switch as its origin.
fn to_sled(own: (&End, NodeId), peer: &Peer, said: &Announcement) -> Result<(), Refusal> {
    let (end, id) = own;
    let prefix = said.key.prefix;
    if said.key.origin != peer.id {
        return Err(Refusal::Malformed(
            "a switch is the origin of what it tells sleds",
        ));
    }
    match said.scope {
        Scope::Bootstrap if BootstrapPrefix::new(id.0).net() == prefix => Err(Refusal::Ours),
        Scope::Bootstrap => Ok(()),
        Scope::Rack => match (NodePrefix::try_from(prefix), end.rack) {
            (Ok(node), Some(rack)) if node.rack() != rack => Err(Refusal::NotItsRack(Some(rack))),
            _ => Ok(()),
        },
        Scope::Summary if end.rack.is_some_and(|rack| rack.net() == prefix) => Err(Refusal::Ours),
        Scope::Summary => same_az(end, said),
        Scope::Service => same_az(end, said),
        Scope::Site => other_az(end, said),
    }
}

/// Between switches and spines.
fn transit(own: &End, peer: &Peer, said: &Announcement) -> Result<(), Refusal> {
    let is_origin = said.path.len() == 1;
    if said.path.first() != Some(&said.key.origin) {
        return Err(Refusal::Malformed(
            "its path does not begin with its origin",
        ));
    }
    match said.scope {
        Scope::Bootstrap | Scope::Rack => Err(Refusal::Role),
        Scope::Summary => {
            same_az(own, said)?;
            let rack = peer.rack;
            if is_origin && rack.is_none_or(|rack| rack.net() != said.key.prefix) {
                return Err(Refusal::NotItsRack(rack));
            }
            Ok(())
        }
        Scope::Service if is_origin && peer.role == Role::Switch => {
            service(own, said, &[ServiceRole::BoundaryGroup])
        }
        Scope::Service if is_origin => Err(Refusal::Role),
        Scope::Service => same_az(own, said),
        Scope::Site => {
            other_az(own, said)?;
            let is_its = peer.az.is_some_and(|az| az.net() == said.key.prefix);
            if is_origin && !is_its {
                return Err(Refusal::OtherAz);
            }
            Ok(())
        }
    }
}

fn service(own: &End, said: &Announcement, roles: &[ServiceRole]) -> Result<(), Refusal> {
    same_az(own, said)?;
    match ServicePrefix::of(said.key.prefix.addr()) {
        Some(service) if roles.contains(&service.role()) => Ok(()),
        Some(service) => Err(Refusal::Service(service.role())),
        None => Err(Refusal::NotOfThePlan),
    }
}

fn is_of(az: AzPrefix, said: &Announcement) -> bool {
    az.contains(said.key.prefix.addr())
}

fn same_az(own: &End, said: &Announcement) -> Result<(), Refusal> {
    if own.az.is_none_or(|az| is_of(az, said)) {
        Ok(())
    } else {
        Err(Refusal::OtherAz)
    }
}

fn other_az(own: &End, said: &Announcement) -> Result<(), Refusal> {
    if own.az.is_some_and(|az| is_of(az, said)) {
        Err(Refusal::OtherAz)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
