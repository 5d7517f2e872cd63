//! What neighbours are told, kept once for all that are told the same.
//!
//! An [`Outbox`] holds the announcements for one [`Class`](super::policy::Class) of neighbours in the order of their last
//! change; each neighbour has a [`Cursor`] into that order and takes from there what is new. So a change is kept once
//! however many are told, a neighbour that is slow gets the last state and no history, and a new session takes all from
//! the start.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use ipnet::Ipv6Net;

use rackweave_types::{Instant, MacAddr};

use super::item::{Announcement, Cost, Item, Members, NodeId, RouteKey};
use super::learned::NeighborIndex;
use super::policy::scope_of;
use super::weigh::moved;

/// Costs alone are announced anew at most so often.
pub const COST_INTERVAL: Duration = Duration::from_millis(50);

/// What is announced under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The nodes passed, the origin first, this node last.
    pub path: Box<[NodeId]>,
    /// From this node to the origin.
    pub cost: Cost,
    /// Whom the origin of a summary reaches.
    pub members: Option<Arc<Members>>,
}

/// What an announcement is beside the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// The same, or a cost that moved too little.
    None,
    /// A cost that moved: told when it is time for costs.
    Cost,
    /// A new or shorter way: told soon.
    Good,
    /// A way that is gone or longer, or leads elsewhere: told at once.
    Bad,
}

#[derive(Debug)]
struct Entry {
    version: u64,
    /// `None`: withdrawn, and kept until all have been told.
    said: Option<Said>,
    /// Neighbours that were told nothing of this, since they are on the way themselves.
    withheld: Vec<NeighborIndex>,
}

/// How far a neighbour has been told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    version: u64,
    /// The outbox's version when its session began: what is older it was never told.
    began: Option<u64>,
    /// Whether it has been told all that there was when its session began.
    pub synced: bool,
}

/// What the neighbours of a class are told.
#[derive(Debug, Default)]
pub struct Outbox {
    entries: BTreeMap<RouteKey, Entry>,
    order: BTreeMap<u64, RouteKey>,
    withdrawn: BTreeMap<u64, RouteKey>,
    version: u64,
    costs: BTreeMap<RouteKey, Cost>,
    costs_told: Instant,
}

impl Outbox {
    /// Has this said under the key from now on.
    pub fn announce(&mut self, key: RouteKey, said: Said) -> News {
        let news = match self.said(key) {
            None => News::Good,
            Some(before) if before.path.len() > said.path.len() => News::Good,
            Some(before) if before.path != said.path => News::Bad,
            Some(before) if before.members != said.members => {
                let (before, after) = (before.members.as_deref(), said.members.as_deref());
                let lost = before.zip(after).map(|(b, a)| b.without(a));
                if lost.is_none_or(|lost| !lost.is_empty()) {
                    News::Bad
                } else {
                    News::Good
                }
            }
            Some(before) if moved(before.cost, said.cost) => {
                self.costs.insert(key, said.cost);
                return News::Cost;
            }
            Some(_) => {
                self.costs.remove(&key);
                return News::None;
            }
        };
        self.costs.remove(&key);
        self.put(key, Some(said));
        news
    }

    /// Has nothing said under the key from now on.
    pub fn withdraw(&mut self, key: RouteKey) -> News {
        self.costs.remove(&key);
        if self.said(key).is_none() {
            return News::None;
        }
        self.put(key, None);
        News::Bad
    }

    /// What is said under the key.
    #[must_use]
    pub fn said(&self, key: RouteKey) -> Option<&Said> {
        self.entries.get(&key)?.said.as_ref()
    }

    /// The keys of a prefix under which something is said.
    pub fn keys_of(&self, prefix: Ipv6Net) -> impl Iterator<Item = RouteKey> + '_ {
        let key = |mac| RouteKey {
            prefix,
            origin: NodeId(mac),
        };
        let range = (
            Bound::Included(key(MacAddr::ZERO)),
            Bound::Included(key(MacAddr::BROADCAST)),
        );
        let said = self.entries.range(range).filter(|(_, e)| e.said.is_some());
        said.map(|(key, _)| *key)
    }

    /// The prefixes of which something is said.
    #[must_use]
    pub fn prefixes(&self) -> BTreeSet<Ipv6Net> {
        let said = self.entries.iter().filter(|(_, e)| e.said.is_some());
        said.map(|(key, _)| key.prefix).collect()
    }

    /// All keys under which something is said.
    pub fn keys(&self) -> impl Iterator<Item = RouteKey> + '_ {
        let said = self.entries.iter().filter(|(_, e)| e.said.is_some());
        said.map(|(key, _)| *key)
    }

    /// When costs that moved are to be told: [`Outbox::tell_costs`].
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        (!self.costs.is_empty()).then(|| self.costs_told.after(COST_INTERVAL))
    }

    /// Lets costs out that moved, where it is time. Whether there were any.
    pub fn tell_costs(&mut self, now: Instant) -> bool {
        if self.deadline().is_none_or(|due| due > now) {
            return false;
        }
        self.costs_told = now;
        for (key, cost) in std::mem::take(&mut self.costs) {
            if let Some(mut said) = self.said(key).cloned() {
                said.cost = cost;
                self.put(key, Some(said));
            }
        }
        true
    }

    /// Whether the neighbour has been told all.
    #[must_use]
    pub fn is_done(&self, cursor: &Cursor) -> bool {
        cursor.synced && cursor.version == self.version
    }

    /// What a neighbour is to be told next; `None` when it has been told all.
    pub fn next(&mut self, cursor: &mut Cursor, to: (NeighborIndex, NodeId)) -> Option<Item> {
        let (index, id) = to;
        let began = *cursor.began.get_or_insert(self.version);
        loop {
            let from = (Bound::Excluded(cursor.version), Bound::Unbounded);
            let Some((version, key)) = self.order.range(from).next() else {
                cursor.version = self.version;
                let first = !std::mem::replace(&mut cursor.synced, true);
                return first.then_some(Item::EndOfRib);
            };
            cursor.version = *version;
            let key = *key;
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            let said = entry.said.as_ref().filter(|said| !said.path.contains(&id));
            let withheld = entry.withheld.iter().position(|at| *at == index);
            match (said, withheld) {
                (Some(said), withheld) => {
                    let item = announcement(key, said);
                    if let Some(at) = withheld {
                        entry.withheld.swap_remove(at);
                    }
                    if item.is_some() {
                        return item;
                    }
                }
                (None, Some(_)) => {}
                (None, None) => {
                    if entry.said.is_some() {
                        entry.withheld.push(index);
                    }
                    if entry.version > began {
                        return Some(Item::Withdraw(key));
                    }
                }
            }
        }
    }

    /// Forgets what was withdrawn, once all of these have been told.
    pub fn forget<'a>(&mut self, cursors: impl Iterator<Item = &'a Cursor>) {
        if self.withdrawn.is_empty() {
            return;
        }
        let told = cursors.map(|c| c.version).min().unwrap_or(self.version);
        while let Some(first) = self.withdrawn.first_entry() {
            if *first.key() > told {
                break;
            }
            let (version, key) = first.remove_entry();
            self.order.remove(&version);
            self.entries.remove(&key);
        }
    }

    fn put(&mut self, key: RouteKey, said: Option<Said>) {
        self.version += 1;
        let version = self.version;
        let is_gone = said.is_none();
        if let Some(entry) = self.entries.get_mut(&key) {
            self.order.remove(&entry.version);
            self.withdrawn.remove(&entry.version);
            entry.version = version;
            entry.said = said;
        } else {
            let withheld = Vec::new();
            let entry = Entry {
                version,
                said,
                withheld,
            };
            self.entries.insert(key, entry);
        }
        self.order.insert(version, key);
        if is_gone {
            self.withdrawn.insert(version, key);
        }
    }
}

fn announcement(key: RouteKey, said: &Said) -> Option<Item> {
    Some(Item::Announce(Announcement {
        key,
        scope: scope_of(key.prefix)?,
        path: said.path.to_vec(),
        cost: said.cost,
        members: said.members.as_deref().copied(),
    }))
}

#[cfg(test)]
mod tests;
