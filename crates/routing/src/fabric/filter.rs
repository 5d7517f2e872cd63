//! Whom a switch lets in from its sleds' links.
//!
//! From a link without a known neighbour nobody is let in but link-local addresses; from a sled's, its bootstrap prefix
//! and what was taken in of it (its /64, services); from a switch's or spine's, everybody. A link whose sled is lost stays
//! as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::Ipv6Net;

use rackweave_types::{BootstrapPrefix, Role};

use super::{Fabric, LinkId, Output};
use crate::ddm::item::{Item, Scope};
use crate::ddm::learned::NeighborIndex;
use crate::ddm::policy::scope_of;

/// How long a neighbour that is new waits to be let in at most.
const PATIENCE: Duration = Duration::from_secs(1);

/// What each link lets in.
#[derive(Debug, Default)]
pub(super) struct Filters {
    set: BTreeMap<LinkId, (String, Option<Vec<Ipv6Net>>)>,
    /// What each lets in by now, as the kernel has it.
    made: BTreeMap<LinkId, Option<Vec<Ipv6Net>>>,
}

impl Filters {
    pub(super) fn forget(&mut self, link: LinkId) {
        self.set.remove(&link);
        self.made.remove(&link);
    }

    /// What the link lets in: `None` for everybody.
    pub(super) fn of(&self, link: LinkId) -> Option<&[Ipv6Net]> {
        self.set.get(&link)?.1.as_deref()
    }
}

impl Fabric {
    /// Lets nobody in from a link where no neighbour is known; while forwarding of a process before is kept, that
    /// process's filters are.
    pub(super) fn close_filter(&mut self, link: LinkId) {
        let is_known = self.filters.set.contains_key(&link);
        if self.own.role == Role::Switch && !is_known && !self.restart.is_holding() {
            let owner = self.link_name(link);
            self.set_filter(link, owner, Some(Vec::new()));
        }
    }

    /// Lets in what neighbours have said by now that they send, and closes what was left open while forwarding was kept.
    pub(super) fn close_filters(&mut self) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.refresh_filter(link);
            self.close_filter(link);
        }
    }

    /// Lets in what a sled may send, where it announces other prefixes now.
    pub(super) fn refresh_filter_of(&mut self, index: NeighborIndex) {
        let neighbor = self.neighbors.get(index);
        let sled = neighbor.filter(|n| n.peer.as_ref().is_some_and(|p| p.role == Role::Sled));
        if let Some(link) = sled.map(|neighbor| neighbor.link) {
            self.refresh_filter(link);
        }
    }

    /// Lets in from the link what its neighbours may send. While forwarding of a process before is kept, neighbours have
    /// not said yet all that they send, and that process's filters hold.
    pub(super) fn refresh_filter(&mut self, link: LinkId) {
        if self.own.role != Role::Switch || self.restart.is_holding() {
            return;
        }
        let mut owners = Vec::new();
        let mut allowed = Vec::new();
        let mut everybody = false;
        for (index, neighbor) in self.neighbors.on(link) {
            let Some(peer) = &neighbor.peer else {
                continue;
            };
            owners.push(peer.name.clone());
            everybody |= peer.role != Role::Sled;
            allowed.push(BootstrapPrefix::new(peer.id.0).net());
            if peer.role == Role::Sled {
                let said = self.learned.prefixes_of(index);
                // What another one claimed first is not its own.
                allowed.extend(said.filter(|prefix| {
                    let holder = self.holder(*prefix);
                    holder.is_none_or(|holder| holder == peer.id)
                }));
            }
        }
        if owners.is_empty() {
            return;
        }
        allowed.sort_unstable();
        allowed.dedup();
        let allowed = (!everybody).then_some(allowed);
        self.set_filter(link, owners.join(", "), allowed);
        self.tell_let_in(link);
    }

    /// The kernel filters a link as it was wanted.
    pub(super) fn on_filtered(&mut self, link: LinkId, allowed: Option<Vec<Ipv6Net>>) {
        self.filters.made.insert(link, allowed);
        self.tell_let_in(link);
        for index in self
            .neighbors
            .indices(|n| n.link == link && !n.cursor.synced)
        {
            self.drive(index);
        }
    }

    /// Whether a new neighbour is told nothing yet: what a switch tells somebody has it send by this switch, so a sled is
    /// told when what it announced itself is let in, and another switch or a spine when all are; or when it has waited for
    /// that long enough.
    pub(super) fn holds_back(&self, index: NeighborIndex) -> bool {
        let neighbor = self.neighbors.get(index);
        let new = neighbor.filter(|n| self.own.role == Role::Switch && !n.cursor.synced);
        let Some((new, peer)) = new.and_then(|n| Some((n, n.peer.as_ref()?))) else {
            return false;
        };
        if self.now.at.since(new.control.since()) >= PATIENCE {
            return false;
        }
        match self.filters.made.get(&new.link) {
            None => true,
            Some(None) => false,
            Some(Some(_)) if peer.role != Role::Sled => true,
            Some(Some(made)) => {
                let mut said = self.learned.prefixes_of(index).peekable();
                said.peek().is_none() || said.any(|prefix| !made.contains(&prefix))
            }
        }
    }

    /// Tells the sleds of a link which of their /64s are let in by now.
    fn tell_let_in(&mut self, link: LinkId) {
        let Some(made) = self.filters.made.get(&link) else {
            return;
        };
        let lets_in = |prefix: &Ipv6Net| {
            let is_in = made.as_ref().is_none_or(|made| made.contains(prefix));
            is_in && scope_of(*prefix) == Some(Scope::Rack)
        };
        let mut news = Vec::new();
        for (index, neighbor) in self.neighbors.on(link) {
            let peer = neighbor.peer.as_ref().filter(|_| neighbor.is_up());
            if peer.is_some_and(|peer| peer.role == Role::Sled) {
                let said = self.learned.prefixes_of(index);
                news.push((index, said.filter(lets_in).collect::<BTreeSet<_>>()));
            }
        }
        for (index, now) in news {
            let Some(neighbor) = self.neighbors.get_mut(index) else {
                continue;
            };
            let before = std::mem::replace(&mut neighbor.let_in, now);
            let more: Vec<Ipv6Net> = neighbor.let_in.difference(&before).copied().collect();
            for prefix in &more {
                neighbor.session.push(&Item::LetIn(*prefix));
            }
            if !more.is_empty() {
                self.drive(index);
            }
        }
    }

    fn set_filter(&mut self, link: LinkId, owner: String, allowed: Option<Vec<Ipv6Net>>) {
        let filter = (owner, allowed);
        if self.filters.set.get(&link) != Some(&filter) {
            let (owner, allowed) = filter.clone();
            self.filters.set.insert(link, filter);
            self.out.push(Output::Filter {
                link,
                owner,
                allowed,
            });
        }
    }
}
