//! What neighbours are told of a prefix.
//!
//! Switches and spines are told one announcement for each origin, sleds one for each prefix: with this switch as origin,
//! the shortest way's path, and of a rack all nodes that are reached whichever switch of it does. Only what the kernel
//! forwards is announced; a shorter way than before only once the kernel has it, a longer one at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::Ipv6Net;

use rackweave_types::{NodePrefix, Role};

use super::{Fabric, Hop};
use crate::ddm::exchange::{News, Outbox, Said};
use crate::ddm::item::{Cost, Members, NodeId, RouteKey, Scope};
use crate::ddm::learned::Candidate;
use crate::ddm::message::MAX_PATH;
use crate::ddm::policy::{Class, exports, scope_of};

impl Fabric {
    /// Brings what all neighbours are told of a prefix up to date.
    pub(super) fn announce(&mut self, prefix: Ipv6Net) {
        let scope = scope_of(prefix);
        let is_switch = self.own.role == Role::Switch;
        if is_switch && scope == Some(Scope::Rack) && self.is_of_own_rack(prefix) {
            // Whom this switch reaches itself is part of the rack's summary.
            self.retold.extend(self.own_rack());
        }
        let is_own_rack = is_switch && self.own_rack() == Some(prefix);
        let counted = is_own_rack.then(|| Arc::new(self.counted()));
        let mut outboxes = std::mem::take(&mut self.outboxes);
        let mut news = News::None;
        for (class, outbox) in &mut outboxes {
            let wanted = self.wanted(class, prefix, outbox, counted.as_ref());
            let gone: Vec<RouteKey> = outbox
                .keys_of(prefix)
                .filter(|key| !wanted.contains_key(key))
                .collect();
            for key in gone {
                news = news.max(outbox.withdraw(key));
            }
            for (key, said) in wanted {
                let is_better = outbox
                    .said(key)
                    .is_none_or(|before| before.path.len() > said.path.len());
                let is_own = key.origin == self.own.id && said.path.len() == 1;
                if is_better && !is_own && self.rib.is_pending(prefix) {
                    continue;
                }
                news = news.max(outbox.announce(key, said));
            }
        }
        self.outboxes = outboxes;
        match news {
            News::Bad => self.tell_at = Some(self.now.at),
            News::Good => self.tell_soon(),
            News::Cost | News::None => {}
        }
    }

    /// Has everything brought up to date, for neighbours of a new kind or where this node is another now.
    pub(super) fn retell_all(&mut self) {
        self.retold
            .extend(self.learned.iter().map(|(prefix, _)| prefix));
        self.retold
            .extend(self.rib.iter().map(|(prefix, _, _)| prefix));
        self.retold.extend(self.own_prefixes());
        for outbox in self.outboxes.values() {
            self.retold.extend(outbox.prefixes());
        }
    }

    fn wanted(
        &self,
        class: &Class,
        prefix: Ipv6Net,
        outbox: &Outbox,
        counted: Option<&Arc<Members>>,
    ) -> BTreeMap<RouteKey, Said> {
        let end = self.end();
        let mut wanted = BTreeMap::new();
        let key = |origin| RouteKey { prefix, origin };
        let id = self.own.id;
        if self.is_announced(prefix) && exports(&end, class, prefix, true) {
            let members = counted.cloned();
            let said = Said {
                path: Box::new([id]),
                cost: Cost(0),
                members,
            };
            wanted.insert(key(id), said);
        }
        if !self.rib.is_forwarded(prefix) || !exports(&end, class, prefix, false) {
            return wanted;
        }
        if class.is_leaf() {
            if wanted.is_empty() {
                let before = outbox.said(key(id));
                wanted.extend(self.for_leaf(prefix, before).map(|said| (key(id), said)));
            }
            return wanted;
        }
        let mut by_origin: BTreeMap<NodeId, Vec<&Candidate>> = BTreeMap::new();
        for candidate in self.candidates(prefix) {
            by_origin
                .entry(candidate.origin)
                .or_default()
                .push(candidate);
        }
        for (origin, candidates) in by_origin {
            let before = outbox.said(key(origin));
            let said = self.said_of(candidates.into_iter(), before);
            wanted.extend(said.map(|said| (key(origin), said)));
        }
        wanted
    }

    /// What sleds are told of a prefix: the best way of all origins.
    fn for_leaf(&self, prefix: Ipv6Net, before: Option<&Said>) -> Option<Said> {
        if scope_of(prefix) == Some(Scope::Rack) && self.candidates(prefix).next().is_none() {
            let node = NodePrefix::try_from(prefix).ok()?;
            let mut said = self.said_of(self.to_node(node), before)?;
            said.members = None;
            return Some(said);
        }
        let mut said = self.said_of(self.candidates(prefix), before)?;
        if said.members.is_some() {
            let sets = self.candidates(prefix).filter_map(|c| c.members.as_ref());
            let mut union: Option<Arc<Members>> = None;
            for members in sets {
                union = Some(match union {
                    None => Arc::clone(members),
                    Some(union) if union == *members => union,
                    Some(union) => Arc::new(union.union(members)),
                });
            }
            said.members = union;
        }
        Some(said)
    }

    /// One announcement of these candidates: the least hop count, the path that was told before where it still is one of
    /// the shortest, and the least cost among these.
    fn said_of<'a>(
        &self,
        candidates: impl Iterator<Item = &'a Candidate> + Clone,
        before: Option<&Said>,
    ) -> Option<Said> {
        let hops = candidates.clone().map(Candidate::hops).min()?;
        if hops >= MAX_PATH {
            return None;
        }
        let shortest = candidates.filter(|c| c.hops() == hops);
        let is_before = |c: &&Candidate| {
            before.is_some_and(|before| before.path.split_last().map(|(_, p)| p) == Some(&*c.path))
        };
        let cheapest = |c: &&Candidate| (self.cost(c), c.neighbor);
        let chosen = shortest.clone().find(is_before);
        let chosen = chosen.or_else(|| shortest.clone().min_by_key(cheapest))?;
        let cost = shortest.map(|c| self.cost(c)).min()?;
        let path = chosen.path.iter().copied().chain([self.own.id]).collect();
        Some(Said {
            path,
            cost,
            members: chosen.members.clone(),
        })
    }

    /// The numbers of the rack's nodes that this switch reaches itself, its own among them.
    pub(super) fn direct(&self) -> Members {
        let mut members = Members::default();
        if let Some(own) = &self.own.assignment {
            members.insert(own.prefix.node());
        }
        let Some(rack) = self.own_rack() else {
            return members;
        };
        for (prefix, _) in self.learned.within(rack) {
            if let Ok(node) = NodePrefix::try_from(prefix)
                && self.is_direct(prefix)
            {
                members.insert(node.node());
            }
        }
        members
    }

    /// Whether the kernel forwards to a node of the rack by its own link.
    fn is_direct(&self, prefix: Ipv6Net) -> bool {
        let leads = |hop: &Hop| {
            let index = self.neighbors.find(hop.link, hop.via);
            index.is_some_and(|index| self.candidates(prefix).any(|c| c.neighbor == index))
        };
        let held = self.rib.held(prefix);
        held.is_some_and(|hops| !hops.is_empty() && hops.iter().all(leads))
    }

    fn is_of_own_rack(&self, prefix: Ipv6Net) -> bool {
        self.own_rack().is_some_and(|rack| rack.contains(&prefix))
    }
}
