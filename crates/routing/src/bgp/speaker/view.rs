//! What people can see.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use rackweave_types::{Asn, Instant};

use super::super::decision::Step;
use super::super::peer::{Counters, Peer, SessionState};
use super::super::table::{Entry, Path, PeerId, Source, Way};
use super::super::{Attributes, Family};
use super::select::Importer;
use super::{BOTH, Speaker};
use crate::fabric::LinkId;

/// A peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// What people call it.
    pub name: Arc<str>,
    /// Its address, where it is known.
    pub address: Option<IpAddr>,
    /// The link that it is on, where one is configured.
    pub link: Option<LinkId>,
    /// Its system, once it has said it.
    pub asn: Option<Asn>,
    /// Its identifier, once it has said it.
    pub id: Option<Ipv4Addr>,
    /// The state of the session.
    pub state: SessionState,
    /// Since when it is established, or not.
    pub since: Instant,
    /// Why there is no session: what holds it back, or why the last one ended.
    pub why: Option<String>,
    /// The families that are exchanged.
    pub families: Vec<Family>,
    /// The agreed hold time; zero is none.
    pub hold: Option<Duration>,
    /// Prefixes that it announces.
    pub received: usize,
    /// Prefixes that it was told.
    pub sent: usize,
    /// Prefixes that wait to be looked at for it.
    pub waiting: usize,
    /// What BFD says, where it is asked.
    pub live: Option<bool>,
    /// Whether its routes are kept while it is away.
    pub away: bool,
    /// What was counted.
    pub counters: Counters,
}

/// A route of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteView {
    /// Where it leads.
    pub prefix: IpNet,
    /// Who has it: a peer's name, `local` or `static`.
    pub from: Arc<str>,
    /// What is said of it: as it is used, else as it came.
    pub attributes: Arc<Attributes>,
    /// What became of it.
    pub standing: Standing,
    /// Whether the kernel has a route to the prefix.
    pub held: bool,
}

/// What became of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the best.
    Best,
    /// It is used beside the best.
    Used,
    /// Another one is better.
    Lost(Step),
    /// It is not let in: why.
    Refused(String),
    /// Its peer is gone.
    Away,
}

/// All that is known of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The prefix.
    pub prefix: IpNet,
    /// Its routes, the best first.
    pub routes: Vec<RouteView>,
    /// What the kernel was asked.
    pub ways: Vec<Way>,
    /// Whether the kernel has it.
    pub held: bool,
    /// Why it does not, where it refused.
    pub refused: Option<String>,
    /// What each peer is told.
    pub peers: Vec<TowardsPeer>,
}

/// What a peer is told of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TowardsPeer {
    /// The peer.
    pub name: Arc<str>,
    /// What it was told.
    pub told: Option<Arc<Attributes>>,
    /// Why it is not told.
    pub why: Option<String>,
}

impl Speaker {
    /// All peers, by number.
    pub fn peers(&self) -> impl Iterator<Item = PeerView> {
        self.peers.values().map(peer)
    }

    /// Routes in the order of their prefixes: of one peer alone where it is named; those behind a prefix, at most so many
    /// prefixes.
    pub fn routes(
        &self,
        from: Option<&str>,
        after: Option<IpNet>,
        most: usize,
    ) -> impl Iterator<Item = RouteView> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let only = from.map(|name| self.source(name));
        let range = self.table.range((start, Bound::Unbounded));
        let has = move |entry: &Entry| match only {
            None => true,
            Some(source) => entry
                .paths
                .as_slice()
                .iter()
                .any(|path| Some(path.source) == source),
        };
        let some = range.filter(move |(_, entry)| has(entry)).take(most);
        some.flat_map(move |(prefix, entry)| {
            let mut routes = self.entry(*prefix, entry);
            if let Some(source) = only {
                let name = source.map(|source| self.name(source));
                routes.retain(|route| Some(&route.from) == name.as_ref());
            }
            routes
        })
    }

    /// What a peer was told, in the order of prefixes: what is behind one, at most so much.
    pub fn told_to(
        &self,
        name: &str,
        after: Option<IpNet>,
        most: usize,
    ) -> impl Iterator<Item = (IpNet, Arc<Attributes>)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let peer = self.peers.values().find(|peer| *peer.name == *name);
        let all = peer
            .into_iter()
            .flat_map(move |peer| peer.sent.range((start, Bound::Unbounded)));
        all.take(most)
            .map(|(prefix, attributes)| (*prefix, Arc::clone(attributes)))
    }

    /// All that is known of the longest prefix that holds this one; nothing where there is none.
    #[must_use]
    pub fn explain(&self, prefix: IpNet) -> Option<Explained> {
        let (prefix, entry) = (0..=prefix.prefix_len()).rev().find_map(|len| {
            let shorter = IpNet::new(prefix.addr(), len).ok()?.trunc();
            Some((shorter, self.table.get(&shorter)?))
        })?;
        let towards = |peer: &Peer| {
            let told = peer.sent.get(&prefix).cloned();
            let why = self
                .told(peer, prefix, entry)
                .err()
                .map(|why| why.to_string());
            TowardsPeer {
                name: Arc::clone(&peer.name),
                told,
                why,
            }
        };
        Some(Explained {
            prefix,
            routes: self.entry(prefix, entry),
            ways: entry.asked.as_deref().unwrap_or_default().to_vec(),
            held: entry.held,
            refused: self.refused.get(&prefix).cloned().filter(|_| entry.refused),
            peers: self.peers.values().map(towards).collect(),
        })
    }

    /// Prefixes, and sets of attributes that they share.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.table.len(), self.attributes.len())
    }

    /// Whether nothing is chosen yet after a restart.
    #[must_use]
    pub const fn is_deferring(&self) -> bool {
        self.deferring.is_some()
    }

    fn source(&self, name: &str) -> Option<Source> {
        match name {
            "local" => Some(Source::Local),
            "static" => Some(Source::Static),
            _ => {
                let peer = self.peers.values().find(|peer| *peer.name == *name)?;
                Some(Source::Peer(peer.id))
            }
        }
    }

    fn name(&self, source: Source) -> Arc<str> {
        match source {
            Source::Local => "local".into(),
            Source::Static => "static".into(),
            Source::Peer(id) => match self.peers.get(&id) {
                Some(peer) => Arc::clone(&peer.name),
                None => "gone".into(),
            },
        }
    }

    /// The routes of a prefix, the best first.
    fn entry(&self, prefix: IpNet, entry: &Entry) -> Vec<RouteView> {
        let paths = entry.paths.as_slice();
        let mut lost = Vec::new();
        let decision = self.decide(paths, |index, step| lost.push((index, step)));
        let standing = |index: usize, path: &Path| match decision {
            Some(decision) if decision.best == index => Standing::Best,
            Some(decision) if decision.equal.contains(index) => Standing::Used,
            _ => match lost.iter().find(|(own, _)| *own == index) {
                Some((_, step)) => Standing::Lost(*step),
                None => self.refusal(prefix, path),
            },
        };
        let view = |(index, path): (usize, &Path)| RouteView {
            prefix,
            from: self.name(path.source),
            attributes: Arc::clone(path.used.as_ref().unwrap_or(&path.said)),
            standing: standing(index, path),
            held: entry.held,
        };
        let mut all: Vec<RouteView> = paths.iter().enumerate().map(view).collect();
        all.sort_by_key(|route| match route.standing {
            Standing::Best => 0,
            Standing::Used => 1,
            Standing::Lost(_) => 2,
            Standing::Refused(_) | Standing::Away => 3,
        });
        all
    }

    /// Why a route is no candidate.
    fn refusal(&self, prefix: IpNet, path: &Path) -> Standing {
        let Source::Peer(id) = path.source else {
            return Standing::Away;
        };
        let Some(peer) = self.peers.get(&id).filter(|peer| peer.facts().usable) else {
            return Standing::Away;
        };
        let importer = Importer::new(&self.config, peer, Arc::clone(&path.said));
        match importer.judge(prefix) {
            Err(why) => Standing::Refused(why.to_string()),
            // A new policy lets it in, and the table is still gone through.
            Ok(_) => Standing::Refused("it has not been judged anew yet".to_owned()),
        }
    }

    /// A peer's number.
    #[must_use]
    pub fn peer_id(&self, name: &str) -> Option<PeerId> {
        let mut all = self.peers.values();
        all.find(|peer| *peer.name == *name).map(|peer| peer.id)
    }
}

fn peer(peer: &Peer) -> PeerView {
    let session = peer.session();
    let open = session.and_then(|conn| conn.open.as_ref());
    PeerView {
        name: Arc::clone(&peer.name),
        address: peer.address,
        link: peer.link,
        asn: open.map(|open| open.asn),
        id: open.map(|open| open.id),
        state: peer.state(),
        since: peer.since,
        why: match session {
            Some(_) => None,
            None => peer.why_not().or_else(|| peer.last_error.clone()),
        },
        families: session
            .into_iter()
            .flat_map(super::super::session::Conn::families)
            .collect(),
        hold: session.map(super::super::session::Conn::hold),
        received: BOTH
            .into_iter()
            .map(|family| peer.held_prefixes.get(family))
            .sum(),
        sent: peer.sent.len(),
        waiting: peer.dirty.len(),
        live: peer.live.filter(|_| peer.config.bfd),
        away: peer.away_until.is_some(),
        counters: peer.counters,
    }
}
