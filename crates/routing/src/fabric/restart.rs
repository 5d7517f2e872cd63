//! Forwarding while the program is started anew, and mending of the kernel's table.
//!
//! What the kernel holds of a process before is adopted, and left alone until all neighbours that it leads to are back
//! and have said all that they know, or for [`PATIENCE`]; only ways whose link or neighbour dies meanwhile are taken out.
//! Until then neighbours are told nothing: they keep, stale, what the process before said.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::time::Duration;

use rackweave_types::Instant;

use super::{EventKind, Fabric, KernelRoute, LinkId};

/// How long forwarding of a process before is kept unchanged.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What is kept of a process before.
#[derive(Debug, Default)]
pub(super) struct Restart {
    until: Option<Instant>,
    waiting: BTreeSet<(LinkId, Ipv6Addr)>,
    is_past: bool,
}

impl Restart {
    /// Whether forwarding of a process before is kept.
    pub(super) fn is_holding(&self) -> bool {
        self.until.is_some()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until
    }
}

impl Fabric {
    /// All routes of ours that the kernel holds.
    pub(super) fn on_kernel(&mut self, held: &[KernelRoute]) {
        if self.restart.is_holding() {
            return;
        }
        let is_first = !std::mem::replace(&mut self.restart.is_past, true);
        if is_first && !self.is_started && !held.is_empty() {
            self.adopt(held);
            return;
        }
        let changes = self.rib.compare(held);
        if !changes.is_empty() {
            let what = format!(
                "the kernel's table differed in {} routes and is being mended, {:?} the first",
                changes.len(),
                changes.first()
            );
            self.event(EventKind::Repair, what);
        }
        for change in changes {
            self.change(Some(change));
        }
    }

    fn adopt(&mut self, held: &[KernelRoute]) {
        for route in held {
            let hops = route.hops.iter().map(|hop| (hop.link, hop.via));
            self.restart.waiting.extend(hops);
            self.rib.adopt(route.prefix, route.hops.clone());
        }
        self.rib.freeze();
        self.restart.until = Some(self.now.at.after(PATIENCE));
        let what = format!(
            "{} routes of the process before stay until {} neighbours have said what they know",
            held.len(),
            self.restart.waiting.len()
        );
        self.event(EventKind::Node, what);
    }

    /// A neighbour has said all that it knows, or is alive: it is waited for no longer where both hold.
    pub(super) fn neighbor_complete(&mut self, link: LinkId, address: Ipv6Addr) {
        let index = self.neighbors.find(link, address);
        let neighbor = index.and_then(|index| self.neighbors.get(index));
        if neighbor.is_some_and(|n| n.is_complete && n.is_usable()) {
            self.restart.waiting.remove(&(link, address));
        }
    }

    /// A link does not forward: as if all its neighbours were dead.
    pub(super) fn link_died(&mut self, link: LinkId) {
        let waiting = self.restart.waiting.iter().filter(|(on, _)| *on == link);
        let waiting: Vec<_> = waiting.copied().collect();
        for (link, address) in waiting {
            self.forwarding_died(link, address);
        }
    }

    /// A neighbour does not forward: it is not waited for, and no route kept leads there.
    pub(super) fn forwarding_died(&mut self, link: LinkId, address: Ipv6Addr) {
        if self.restart.is_holding() {
            self.restart.waiting.remove(&(link, address));
            for change in self.rib.shed(link, address) {
                self.change(Some(change));
            }
        }
    }

    /// Goes over to what is known now, once all are back or the time is over.
    pub(super) fn on_restart_time(&mut self) {
        let Some(until) = self.restart.until else {
            return;
        };
        if until > self.now.at && !self.restart.waiting.is_empty() {
            return;
        }
        self.restart.until = None;
        let missing = self.restart.waiting.len();
        self.restart.waiting.clear();
        self.touched.append(&mut self.gathered);
        while let Some(prefix) = self.touched.pop_first() {
            self.select(prefix);
        }
        for change in self.rib.thaw() {
            self.change(Some(change));
        }
        let what = format!(
            "all routes are this process's own again; {missing} neighbours did not come back"
        );
        self.event(EventKind::Node, what);
        self.close_filters();
        self.retell_all();
        self.tell_soon();
    }
}
