//! What concerns a whole table, in steps.

use std::ops::Bound;
use std::sync::Arc;

use ipnet::{IpNet, Ipv6Net};
use rackweave_types::Instant;

use super::super::Family;
use super::super::io::Output;
use super::super::table::{PeerId, Source};
use super::Speaker;
use super::select::Importer;

/// Prefixes in one step.
const STEP: usize = 2048;
/// What may wait for one peer, before a walk for it goes on.
const WAITING: usize = 4 * STEP;

/// A way through the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    job: Job,
    /// The prefix that was looked at last.
    after: Option<IpNet>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Job {
    /// The best is chosen anew.
    Select,
    /// A peer's routes of sessions before this one go.
    Sweep(PeerId, Family, u32),
    /// A peer's routes are judged anew.
    Import(PeerId),
    /// A peer is told everything, in this session.
    Export(PeerId, u32),
}

impl Walk {
    const fn new(job: Job) -> Self {
        Self { job, after: None }
    }

    pub(super) const fn select_all() -> Self {
        Self::new(Job::Select)
    }

    pub(super) const fn sweep(peer: PeerId, family: Family, below: u32) -> Self {
        Self::new(Job::Sweep(peer, family, below))
    }

    pub(super) const fn import(peer: PeerId) -> Self {
        Self::new(Job::Import(peer))
    }

    pub(super) const fn export(peer: PeerId, epoch: u32) -> Self {
        Self::new(Job::Export(peer, epoch))
    }

    /// Whether it chooses anew.
    pub(super) fn is_selection(&self) -> bool {
        self.job == Job::Select
    }

    fn start(&self) -> Bound<IpNet> {
        match (self.after, &self.job) {
            (Some(prefix), _) => Bound::Excluded(prefix),
            (None, Job::Sweep(_, Family::Ipv6, _)) => {
                Bound::Included(IpNet::V6(Ipv6Net::default()))
            }
            (None, _) => Bound::Unbounded,
        }
    }

    /// Whether nothing more is to be looked at behind a prefix.
    fn is_past(&self, prefix: IpNet) -> bool {
        matches!(&self.job, Job::Sweep(_, Family::Ipv4, _)) && Family::of(prefix) == Family::Ipv6
    }
}

impl Speaker {
    /// One step of the walk whose turn it is.
    pub(super) fn walk(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Some(mut walk) = self.walks.pop_front() else {
            return;
        };
        if !self.may_go_on(&walk) {
            return self.walks.push_back(walk);
        }
        let range = self.table.range((walk.start(), Bound::Unbounded));
        let all: Vec<IpNet> = range
            .map(|(prefix, _)| *prefix)
            .take_while(|prefix| !walk.is_past(*prefix))
            .take(STEP)
            .collect();
        walk.after = all.last().copied().or(walk.after);
        let is_over = all.len() < STEP;
        match walk.job {
            Job::Select => {
                for prefix in all {
                    self.select(prefix, out);
                }
                if is_over {
                    out.push(Output::Settled);
                }
            }
            Job::Sweep(peer, _, below) => {
                for prefix in all {
                    self.forget(peer, prefix, below, out);
                }
            }
            Job::Import(peer) => self.judge_anew(peer, &all, out),
            Job::Export(id, epoch) => {
                if let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.epoch == epoch) {
                    peer.dirty.extend(all);
                    peer.walking = !is_over;
                }
            }
        }
        if is_over {
            if let Job::Import(peer) = walk.job {
                self.count(now, peer, out);
            }
            return;
        }
        // The choice after a restart comes before everything else.
        if walk.job == Job::Select {
            self.walks.push_front(walk);
        } else {
            self.walks.push_back(walk);
        }
    }

    /// Whether a walk need not wait for a peer to take what it was told.
    pub(super) fn may_go_on(&self, walk: &Walk) -> bool {
        let Job::Export(id, _) = walk.job else {
            return true;
        };
        self.peers
            .get(&id)
            .is_none_or(|peer| peer.dirty.len() < WAITING)
    }

    /// Whether some walk can go on.
    pub(super) fn has_work(&self) -> bool {
        self.walks.iter().any(|walk| self.may_go_on(walk))
    }

    /// Adds a walk, unless the same one is yet to begin.
    pub(super) fn add_walk(&mut self, walk: Walk) {
        if !self.walks.contains(&walk) {
            self.walks.push_back(walk);
        }
    }

    fn judge_anew(&mut self, id: PeerId, all: &[IpNet], out: &mut Vec<Output>) {
        for prefix in all {
            let (Some(peer), Some(entry)) = (self.peers.get(&id), self.table.get_mut(prefix))
            else {
                continue;
            };
            let paths = entry.paths.as_mut_slice();
            let Some(path) = paths
                .iter_mut()
                .find(|path| path.source == Source::Peer(id))
            else {
                continue;
            };
            let mut importer = Importer::new(&self.config, peer, Arc::clone(&path.said));
            let used = importer.import(*prefix, &mut self.attributes);
            if path.used != used {
                path.used = used;
                self.select(*prefix, out);
            }
        }
    }
}
