//! What is let in, which route is the best, and what the kernel is asked for it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use rackweave_types::Asn;

use super::super::config::Config;
use super::super::decision::{Decision, Facts, Step, decide};
use super::super::io::Output;
use super::super::peer::Peer;
use super::super::policy::{Judgement, Policy};
use super::super::table::{Path, PeerId, Shared, Source, Way};
use super::super::{Attributes, Family};
use super::Speaker;

/// How many reasons of the kernel are kept.
const REASONS: usize = 256;

/// Why a route is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Our own system is in its path already.
    Loop(Asn),
    /// It leads to ourselves.
    OwnNextHop,
    /// We brought it into the system.
    OwnOriginator,
    /// Policy.
    Policy(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loop(asn) => write!(f, "our own system {asn} is in its as path"),
            Self::OwnNextHop => f.write_str("its next hop is this router"),
            Self::OwnOriginator => f.write_str("this router brought it into the system"),
            Self::Policy(rule) => write!(f, "the import policy rejects it: {rule}"),
        }
    }
}

/// Lets the routes in that one peer says the same of.
pub(super) struct Importer<'a> {
    own: Asn,
    policy: &'a Policy,
    said: Arc<Attributes>,
    /// Why none of them is let in, whatever its prefix.
    refused: Option<Refusal>,
    /// What came of settings, for those that get the same.
    last: Option<(Vec<usize>, Arc<Attributes>)>,
}

impl<'a> Importer<'a> {
    pub(super) fn new(config: &Config, peer: &'a Peer, said: Arc<Attributes>) -> Self {
        let local = peer.session().map(|conn| conn.local);
        let refused = if said.as_path.contains(config.asn) {
            Some(Refusal::Loop(config.asn))
        } else if Some(said.next_hop.address()) == local {
            Some(Refusal::OwnNextHop)
        } else if said.originator == Some(config.router_id) {
            Some(Refusal::OwnOriginator)
        } else {
            None
        };
        Self {
            own: config.asn,
            policy: &peer.config.import,
            said,
            refused,
            last: None,
        }
    }

    /// What is used of a route; nothing where it is not let in.
    pub(super) fn import(
        &mut self,
        prefix: IpNet,
        shared: &mut Shared<Attributes>,
    ) -> Option<Arc<Attributes>> {
        if self.refused.is_some() {
            return None;
        }
        let judgement = self.policy.judge(prefix, &self.said);
        if !judgement.accepted {
            return None;
        }
        if judgement.set.is_empty() {
            return Some(Arc::clone(&self.said));
        }
        if let Some((set, made)) = &self.last
            && *set == judgement.set
        {
            return Some(Arc::clone(made));
        }
        let mut attributes = (*self.said).clone();
        self.policy.apply(&judgement.set, self.own, &mut attributes);
        let made = shared.get(attributes);
        self.last = Some((judgement.set, Arc::clone(&made)));
        Some(made)
    }

    /// Why it is not let in, or what is said of it.
    pub(super) fn judge(&self, prefix: IpNet) -> Result<Judgement, Refusal> {
        if let Some(refusal) = &self.refused {
            return Err(refusal.clone());
        }
        let judgement = self.policy.judge(prefix, &self.said);
        if judgement.accepted {
            Ok(judgement)
        } else {
            Err(Refusal::Policy(self.policy.name(judgement.rule)))
        }
    }
}

impl Speaker {
    /// Which of the paths of a prefix is the best.
    pub(super) fn decide(&self, paths: &[Path], lost: impl FnMut(usize, Step)) -> Option<Decision> {
        decide(paths, |source| facts(&self.peers, source), lost)
    }

    /// A peer's route is no more, where it was heard in a session before number `below`.
    pub(super) fn forget(&mut self, id: PeerId, prefix: IpNet, below: u32, out: &mut Vec<Output>) {
        let Some(entry) = self.table.get_mut(&prefix) else {
            return;
        };
        if entry
            .paths
            .take(Source::Peer(id), |path| path.epoch < below)
            .is_none()
        {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            let family = Family::of(prefix);
            let held = peer.held_prefixes.get(family);
            peer.held_prefixes.set(family, held.saturating_sub(1));
        }
        self.select(prefix, out);
    }

    /// Chooses the ways of a prefix, asks the kernel for them where they are others than before, and has peers looked at.
    pub(super) fn select(&mut self, prefix: IpNet, out: &mut Vec<Output>) {
        if self.deferring.is_some() {
            return;
        }
        let Some(entry) = self.table.get_mut(&prefix) else {
            return;
        };
        let paths = entry.paths.as_slice();
        let decision = decide(paths, |source| facts(&self.peers, source), |_, _| {});
        let mut wanted = Vec::new();
        if let Some(decision) = decision {
            // The best first, so that it is used where not all are.
            let equal = decision
                .equal
                .iter()
                .filter(|index| *index != decision.best);
            for index in std::iter::once(decision.best).chain(equal) {
                match paths[index].source {
                    Source::Local => {}
                    Source::Static => {
                        wanted.extend(self.statics.get(&prefix).into_iter().flatten());
                    }
                    Source::Peer(id) => {
                        let peer = self.peers.get(&id);
                        wanted.extend(peer.and_then(|peer| way(peer, &paths[index])));
                    }
                }
            }
            wanted.truncate(self.config.multipath.max(1));
            wanted.sort_unstable();
            wanted.dedup();
        }
        if entry.asked.as_deref().unwrap_or_default() != wanted.as_slice() {
            entry.due = entry.due.saturating_add(1);
            if wanted.is_empty() {
                entry.asked = None;
                out.push(Output::Remove(prefix));
            } else {
                let ways = self.ways.get(wanted);
                entry.asked = Some(Arc::clone(&ways));
                out.push(Output::Install { prefix, ways });
            }
        }
        let sole = match paths {
            [only] => Some(only.source),
            _ => None,
        };
        if entry.is_over() {
            self.table.remove(&prefix);
            self.refused.remove(&prefix);
        }
        self.soil(prefix, sole);
    }

    /// Has it looked at for each peer what that is to be told of a prefix.
    fn soil(&mut self, prefix: IpNet, sole: Option<Source>) {
        for peer in self.peers.values_mut() {
            if peer.session().is_none() {
                continue;
            }
            let is_said = peer.sent.contains_key(&prefix);
            let is_its = sole == Some(Source::Peer(peer.id));
            if is_said || !is_its && !peer.config.export.rejects_all() {
                peer.dirty.insert(prefix);
            }
        }
    }

    /// The kernel's answers.
    pub(super) fn kernel(&mut self, answers: Vec<(IpNet, Result<(), String>)>) {
        for (prefix, answer) in answers {
            let Some(entry) = self.table.get_mut(&prefix) else {
                continue;
            };
            entry.due = entry.due.saturating_sub(1);
            if entry.due > 0 {
                continue;
            }
            let held = entry.asked.is_some() && answer.is_ok();
            entry.refused = answer.is_err();
            let changed = std::mem::replace(&mut entry.held, held) != held;
            if let Err(why) = answer {
                if self.refused.len() < REASONS {
                    self.refused.insert(prefix, why);
                }
            } else {
                self.refused.remove(&prefix);
            }
            let sole = match entry.paths.as_slice() {
                [only] => Some(only.source),
                _ => None,
            };
            if entry.is_over() {
                self.table.remove(&prefix);
            }
            if changed {
                self.soil(prefix, sole);
            }
        }
    }
}

fn facts(peers: &std::collections::BTreeMap<PeerId, Peer>, source: Source) -> Option<Facts> {
    match source {
        Source::Peer(id) => peers.get(&id).map(Peer::facts),
        Source::Local | Source::Static => None,
    }
}

/// Whom packets are given to by a peer's route.
fn way(peer: &Peer, path: &Path) -> Option<Way> {
    let via = path.used.as_ref()?.next_hop.address();
    let is_on_link = matches!(via, IpAddr::V6(address) if address.is_unicast_link_local());
    let link = peer.link;
    (link.is_some() || !is_on_link).then_some(Way { via, link })
}
