//! Who is told what: a pure function of what a prefix is, who has it, and who asks.
//!
//! | scope | from a sled | from a switch | from a spine |
//! |---|---|---|---|
//! | bootstrap | its own, to switches | to its sleds | nowhere |
//! | rack (/64) | its own, to switches | to its sleds | nowhere |
//! | summary (/56) | nowhere | within the AZ, to everybody; its own not to its sleds | within the AZ |
//! | service (/64 of rack ff) | its own, to switches | within the AZ, to everybody | within the AZ |
//! | site (/48) | nowhere | its own to other AZs; others' to everybody but the AZ itself | as switches |
//!
//! A sled passes nothing on. There is no default route.

use ipnet::Ipv6Net;

use rackweave_types::{AzPrefix, BootstrapPrefix, NodePrefix, RackPrefix, Role, ServicePrefix};

use super::item::Scope;

/// One end of a session, as far as policy looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// What it does.
    pub role: Role,
    /// Its rack, once it knows.
    pub rack: Option<RackPrefix>,
    /// Its AZ, once it knows.
    pub az: Option<AzPrefix>,
}

impl End {
    /// How this end sees the other.
    #[must_use]
    pub fn class(&self, other: &Self) -> Class {
        Class {
            role: other.role,
            same_rack: same(self.rack, other.rack),
            az: other.az.or(self.az),
        }
    }

    fn same_az(&self, class: &Class) -> bool {
        same(self.az, class.az)
    }
}

/// What is unknown is not known to differ.
fn same<T: Copy + PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    a.is_none() || b.is_none() || a == b
}

/// Neighbours that are told the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    /// What they do.
    pub role: Role,
    /// Whether they are of the own rack, or not known to be of another.
    pub same_rack: bool,
    /// Their AZ.
    pub az: Option<AzPrefix>,
}

impl Class {
    /// Whether they are told one announcement a prefix, with this node as its origin: sleds, which pass nothing on.
    #[must_use]
    pub const fn is_leaf(&self) -> bool {
        matches!(self.role, Role::Sled)
    }
}

/// What a prefix is, by its form; `None` where it is none that the fabric carries.
#[must_use]
pub fn scope_of(prefix: Ipv6Net) -> Option<Scope> {
    if prefix.prefix_len() == NodePrefix::LENGTH && prefix.addr() == prefix.network() {
        if BootstrapPrefix::of(prefix.addr()).is_ok() {
            return Some(Scope::Bootstrap);
        }
        if ServicePrefix::of(prefix.addr()).is_some() {
            return Some(Scope::Service);
        }
        return NodePrefix::try_from(prefix).is_ok().then_some(Scope::Rack);
    }
    let is_bootstrap = BootstrapPrefix::of(prefix.addr()).is_ok();
    if !is_bootstrap && RackPrefix::try_from(prefix).is_ok() {
        return Some(Scope::Summary);
    }
    (!is_bootstrap && AzPrefix::try_from(prefix).is_ok()).then_some(Scope::Site)
}

/// Whether `own` tells neighbours of this class about a prefix, be it its own (`local`) or learned.
#[must_use]
pub fn exports(own: &End, to: &Class, prefix: Ipv6Net, local: bool) -> bool {
    let Some(scope) = scope_of(prefix) else {
        return false;
    };
    match (own.role, scope) {
        (Role::Sled, Scope::Bootstrap | Scope::Rack) => local && to.role == Role::Switch,
        (Role::Sled, Scope::Service) => local && to.role == Role::Switch && own.same_az(to),
        (Role::Sled, Scope::Summary | Scope::Site) => false,
        (Role::Switch, Scope::Bootstrap) => to.is_leaf() && to.same_rack,
        // Nodes of other racks that it routes otherwise than their rack are its own matter: sleds take their rack's way.
        (Role::Switch, Scope::Rack) => {
            let ours = own.rack.is_none_or(|rack| rack.net().contains(&prefix));
            ours && to.is_leaf() && to.same_rack
        }
        (Role::Spine, Scope::Bootstrap | Scope::Rack) => false,
        (Role::Switch | Role::Spine, Scope::Service) => own.same_az(to),
        (Role::Switch | Role::Spine, Scope::Summary) => {
            let own_rack = own.rack.is_some_and(|rack| rack.net() == prefix);
            own.same_az(to) && !(to.is_leaf() && own_rack)
        }
        (Role::Switch | Role::Spine, Scope::Site) => {
            let is_ours = own.az.is_some_and(|az| az.net() == prefix);
            let is_theirs = to.az.is_some_and(|az| az.net() == prefix);
            let for_others = !to.is_leaf() && !own.same_az(to);
            is_ours == local && !is_theirs && (!local || for_others)
        }
    }
}

#[cfg(test)]
mod tests;
