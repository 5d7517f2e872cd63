//! What neighbours say: taken in, refused, kept while it is stale, forgotten.

use super::neighbor::Neighbor;
use super::{EventKind, Fabric};
use crate::ddm::admit::{Refusal, admit};
use crate::ddm::exchange::News;
use crate::ddm::item::{Announcement, RouteKey};
use crate::ddm::learned::NeighborIndex;

impl Fabric {
    pub(super) fn on_announce(&mut self, index: NeighborIndex, said: Announcement) {
        let (end, id) = (self.end(), self.own.id);
        let Some(neighbor) = self.neighbors.get_mut(index) else {
            return;
        };
        let Some(peer) = &neighbor.peer else {
            return;
        };
        let key = said.key;
        match admit((&end, id), peer, &said) {
            Ok(()) => {
                neighbor.refused.remove(&key);
                self.claim(index, &said);
                match self.learned.insert(index, said) {
                    News::None => {}
                    News::Cost | News::Good => {
                        self.gathered.insert(key.prefix);
                        self.select_soon();
                    }
                    News::Bad => {
                        self.touched.insert(key.prefix);
                    }
                }
            }
            Err(why) => {
                let text = why.to_string();
                let is_fault = why != Refusal::Loop;
                if is_fault {
                    neighbor.refuse(said, why);
                }
                self.unlearn(index, key);
                if is_fault {
                    let name = self.neighbor_name(index);
                    let what = format!("refused {} from {name}: {text}", key.prefix);
                    self.event(EventKind::Refused, what);
                }
            }
        }
        self.refresh_filter_of(index);
    }

    /// Looks again at all that was refused, and at all that was taken in: who may say what has changed.
    pub(super) fn reconsider(&mut self, index: NeighborIndex) {
        let Some(neighbor) = self.neighbors.get_mut(index) else {
            return;
        };
        for (_, (said, _)) in std::mem::take(&mut neighbor.refused) {
            self.on_announce(index, said);
        }
        for said in self.learned.said_by(index) {
            self.on_announce(index, said);
        }
    }

    pub(super) fn on_withdrawn(&mut self, index: NeighborIndex, key: RouteKey) {
        if let Some(neighbor) = self.neighbors.get_mut(index) {
            neighbor.refused.remove(&key);
            self.unlearn(index, key);
            self.refresh_filter_of(index);
        }
    }

    fn unlearn(&mut self, index: NeighborIndex, key: RouteKey) {
        if self.learned.remove(index, key.prefix, key.origin) {
            self.touched.insert(key.prefix);
            self.release(key.prefix);
        }
    }

    pub(super) fn on_end_of_rib(&mut self, index: NeighborIndex) {
        if let Some(neighbor) = self.neighbors.get_mut(index) {
            neighbor.is_complete = true;
            neighbor.stale_until = None;
            let (link, address) = (neighbor.link, neighbor.address);
            self.forget_all_of(index, false);
            self.neighbor_complete(link, address);
        }
    }

    /// Forgets what neighbours said whose control is dead and whose forwarding died, too.
    pub(super) fn forget_broken(&mut self) {
        let is_broken = |n: &Neighbor| n.has_broken && !n.is_usable() && !n.is_up();
        for index in self.neighbors.indices(is_broken) {
            self.forget_all_of(index, true);
        }
    }

    /// Forgets what was stale for too long.
    pub(super) fn on_stale(&mut self) {
        let now = self.now.at;
        for index in self
            .neighbors
            .indices(|n| n.stale_until.is_some_and(|at| at <= now))
        {
            if let Some(neighbor) = self.neighbors.get_mut(index) {
                neighbor.stale_until = None;
            }
            self.forget_all_of(index, false);
        }
    }

    pub(super) fn touch_all_of(&mut self, index: NeighborIndex) {
        self.touched.extend(self.learned.prefixes_of(index));
    }

    /// Forgets what a neighbour said, all of it or what is stale.
    pub(super) fn forget_all_of(&mut self, index: NeighborIndex, all: bool) {
        let gone = self.learned.sweep(index, all);
        for prefix in &gone {
            self.release(*prefix);
        }
        self.touched.extend(gone);
        self.refresh_filter_of(index);
    }

    /// Has ways selected within the time that good news waits.
    fn select_soon(&mut self) {
        let soon = self.now.at.after(super::GATHER);
        self.select_at = Some(self.select_at.map_or(soon, |at| at.min(soon)));
    }
}
