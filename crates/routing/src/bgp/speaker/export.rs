//! What peers are told.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use rackweave_types::Instant;

use super::super::decision::LOCAL_PREF;
use super::super::io::Output;
use super::super::message::{Prefixes, announce, end_of_rib, withdraw};
use super::super::peer::Peer;
use super::super::session::Conn;
use super::super::table::{Entry, Path, PeerId, Source};
use super::super::{Attributes, Community, Family, NextHop};
use super::connect::send;
use super::{BOTH, Speaker};

/// Prefixes that are looked at for one peer in one go.
const STEP: usize = 1024;
/// Octets that must have room before more is told.
const LEAST: usize = 8192;

/// Why a peer is not told of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Withheld {
    /// There is no session.
    NoSession,
    /// The family is not exchanged.
    Family(Family),
    /// No route can be used.
    NoRoute,
    /// Nothing is chosen yet after the restart.
    Deferring,
    /// The kernel does not have it yet, or refused it.
    NotInstalled(Option<String>),
    /// It is the peer's own.
    Its,
    /// It was heard inside of the system, and the peer is there too.
    Internal,
    /// It is marked so.
    Marked(Community),
    /// Policy.
    Policy(String),
    /// There is no address to tell as next hop.
    NextHop(Family),
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSession => f.write_str("there is no session with it"),
            Self::Family(family) => write!(f, "{family} is not exchanged with it"),
            Self::NoRoute => f.write_str("no route can be used"),
            Self::Deferring => {
                f.write_str("after a restart nothing is told until peers have told all")
            }
            Self::NotInstalled(None) => f.write_str("the kernel does not have it yet"),
            Self::NotInstalled(Some(why)) => write!(f, "the kernel refused it: {why}"),
            Self::Its => f.write_str("the best route is its own"),
            Self::Internal => f.write_str("it was heard inside of the system, and so is this peer"),
            Self::Marked(community) => write!(f, "it is marked {community}"),
            Self::Policy(rule) => write!(f, "the export policy rejects it: {rule}"),
            Self::NextHop(Family::Ipv4) => f.write_str(
                "there is no next hop for ipv4: the peer takes none of ipv6, set next_hop_ipv4",
            ),
            Self::NextHop(Family::Ipv6) => {
                f.write_str("there is no next hop for ipv6: set next_hop_ipv6")
            }
        }
    }
}

/// What a peer is to be told of a prefix, and what it was made of.
type Made = (usize, Vec<usize>, bool, Arc<Attributes>);

/// Whether a peer can be told something that waits.
pub(super) fn can_be_told(peer: &Peer) -> bool {
    let Some(conn) = peer.session().filter(|conn| conn.room >= LEAST) else {
        return false;
    };
    let ends = !peer.walking && conn.families().any(|family| peer.end_due.get(family));
    !peer.dirty.is_empty() || ends
}

impl Speaker {
    /// Tells a peer what waits for it, as far as there is room.
    pub(super) fn tell_peer(&mut self, now: Instant, id: PeerId, out: &mut Vec<Output>) {
        if self.deferring.is_some() || self.has_selection() {
            return;
        }
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| can_be_told(peer)) else {
            return;
        };
        let some: Vec<IpNet> = peer.dirty.iter().take(STEP).copied().collect();
        for prefix in &some {
            peer.dirty.remove(prefix);
        }
        self.tell(now, id, &some, out);
        self.tell_end(now, id, out);
    }

    /// Tells a peer that it was told everything, once it was.
    fn tell_end(&mut self, now: Instant, id: PeerId, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.walking || !peer.dirty.is_empty() {
            return;
        }
        for family in BOTH {
            if peer.end_due.get(family) {
                peer.end_due.set(family, false);
                if let Some(conn) = peer.session_mut() {
                    send(now, conn, end_of_rib(family), out);
                }
            }
        }
    }

    fn tell(&mut self, now: Instant, id: PeerId, some: &[IpNet], out: &mut Vec<Output>) {
        let mut come: BTreeMap<Arc<Attributes>, (Vec<IpNet>, Vec<IpNet>)> = BTreeMap::new();
        let (mut gone4, mut gone6) = (Vec::new(), Vec::new());
        let mut last: Option<Made> = None;
        for prefix in some {
            let wanted = self.wanted(id, *prefix, &mut last);
            let Some(peer) = self.peers.get_mut(&id) else {
                return;
            };
            match wanted {
                Some(attributes) => {
                    let before = peer.sent.insert(*prefix, Arc::clone(&attributes));
                    if before.is_some_and(|before| before == attributes) {
                        continue;
                    }
                    let (four, six) = come.entry(attributes).or_default();
                    match prefix {
                        IpNet::V4(_) => four.push(*prefix),
                        IpNet::V6(_) => six.push(*prefix),
                    }
                }
                None => {
                    if peer.sent.remove(prefix).is_some() {
                        match prefix {
                            IpNet::V4(net) => gone4.push(*net),
                            IpNet::V6(net) => gone6.push(*net),
                        }
                    }
                }
            }
        }
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let mut messages = withdraw(&Prefixes::V4(gone4));
        messages.extend(withdraw(&Prefixes::V6(gone6)));
        let Some(terms) = peer.session().map(|conn| conn.terms.clone()) else {
            return;
        };
        for (attributes, (four, six)) in come {
            for all in [four, six] {
                let prefixes = prefixes(&all);
                if prefixes.is_empty() {
                    continue;
                }
                if let Ok(more) = announce(&terms, &attributes, &prefixes) {
                    messages.extend(more);
                } else {
                    // More than a message holds was never heard; policy that adds so much is at fault.
                    messages.extend(withdraw(&prefixes));
                    for prefix in &all {
                        peer.sent.remove(prefix);
                    }
                }
            }
        }
        let count = u64::try_from(messages.len()).unwrap_or(u64::MAX);
        peer.counters.updates_sent += count;
        if let Some(conn) = peer.session_mut() {
            let bytes = messages.concat();
            if !bytes.is_empty() {
                send(now, conn, bytes, out);
            }
        }
    }

    /// What a peer is to be told of a prefix.
    fn wanted(
        &mut self,
        id: PeerId,
        prefix: IpNet,
        last: &mut Option<Made>,
    ) -> Option<Arc<Attributes>> {
        let entry = self.table.get(&prefix)?;
        let peer = self.peers.get(&id)?;
        let (path, set) = self.told(peer, prefix, entry).ok()?;
        let said = path.used.clone()?;
        // Prefixes with the same attributes mostly come one behind the other.
        let key = Arc::as_ptr(&said).addr();
        let is_six = matches!(prefix, IpNet::V6(_));
        if let Some((of, with, six, made)) = last
            && (*of, &*with, *six) == (key, &set, is_six)
        {
            return Some(Arc::clone(made));
        }
        let attributes = self.made(peer, prefix, path, &set)?;
        let made = self.attributes.get(attributes);
        *last = Some((key, set, is_six, Arc::clone(&made)));
        Some(made)
    }

    /// The route that a peer is told of, and the rules that set something; or why it is not told.
    pub(super) fn told<'a>(
        &self,
        peer: &Peer,
        prefix: IpNet,
        entry: &'a Entry,
    ) -> Result<(&'a Path, Vec<usize>), Withheld> {
        let family = Family::of(prefix);
        let conn = peer.session().ok_or(Withheld::NoSession)?;
        if !conn.terms.has(family) {
            return Err(Withheld::Family(family));
        }
        if self.deferring.is_some() {
            return Err(Withheld::Deferring);
        }
        let paths = entry.paths.as_slice();
        let decision = self.decide(paths, |_, _| {}).ok_or(Withheld::NoRoute)?;
        let path = &paths[decision.best];
        let attributes = path.used.as_deref().ok_or(Withheld::NoRoute)?;
        if path.source == Source::Peer(peer.id) {
            return Err(Withheld::Its);
        }
        let heard_inside = match path.source {
            Source::Peer(id) => self.peers.get(&id).is_some_and(|from| !from.external),
            Source::Local | Source::Static => false,
        };
        if heard_inside && !peer.external {
            return Err(Withheld::Internal);
        }
        if path.source != Source::Local && !entry.held {
            return Err(Withheld::NotInstalled(self.refused.get(&prefix).cloned()));
        }
        let inside = [Community::NO_EXPORT, Community::NO_EXPORT_SUBCONFED];
        let marked = |mark: &Community| attributes.has(*mark);
        if let Some(mark) = [Community::NO_ADVERTISE].iter().find(|mark| marked(mark)) {
            return Err(Withheld::Marked(*mark));
        }
        if let Some(mark) = inside.iter().find(|mark| peer.external && marked(mark)) {
            return Err(Withheld::Marked(*mark));
        }
        let policy = &peer.config.export;
        let judgement = policy.judge(prefix, attributes);
        if !judgement.accepted {
            return Err(Withheld::Policy(policy.name(judgement.rule)));
        }
        next_hop(peer, conn, family).ok_or(Withheld::NextHop(family))?;
        Ok((path, judgement.set))
    }

    /// What it is told: the next hop is always this router.
    fn made(&self, peer: &Peer, prefix: IpNet, path: &Path, set: &[usize]) -> Option<Attributes> {
        let own = self.config.asn;
        let mut attributes = path.used.as_deref()?.clone();
        if peer.external {
            // "received from a neighboring AS … MUST NOT be propagated to other neighboring ASes": section 5.1.4.
            if path.source != Source::Local {
                attributes.med = None;
            }
        } else {
            attributes.local_pref = attributes.local_pref.or(Some(LOCAL_PREF));
        }
        peer.config.export.apply(set, own, &mut attributes);
        if peer.external {
            attributes.as_path.prepend(own, 1);
            attributes.local_pref = None;
        }
        attributes.originator = None;
        attributes.next_hop = next_hop(peer, peer.session()?, Family::of(prefix))?;
        Some(attributes)
    }

    /// Whether the choice after a restart is still being made.
    fn has_selection(&self) -> bool {
        self.walks
            .front()
            .is_some_and(super::walk::Walk::is_selection)
    }
}

/// The next hop that a peer is told: what is configured, else our end of the connection.
fn next_hop(peer: &Peer, conn: &Conn, family: Family) -> Option<NextHop> {
    let configured = match family {
        Family::Ipv4 => peer.config.next_hop_ipv4.map(NextHop::V4),
        Family::Ipv6 => peer.config.next_hop_ipv6.map(|global| NextHop::V6 {
            global,
            link_local: None,
        }),
    };
    configured.or(match (family, conn.local) {
        (Family::Ipv4, IpAddr::V4(address)) => Some(NextHop::V4(address)),
        (Family::Ipv4, IpAddr::V6(address)) if conn.terms.extended_next_hop => Some(six(address)),
        (Family::Ipv6, IpAddr::V6(address)) => Some(six(address)),
        _ => None,
    })
}

fn six(address: Ipv6Addr) -> NextHop {
    if address.is_unicast_link_local() {
        NextHop::V6 {
            global: Ipv6Addr::UNSPECIFIED,
            link_local: Some(address),
        }
    } else {
        NextHop::V6 {
            global: address,
            link_local: None,
        }
    }
}

/// Prefixes of one family, as a message has them.
fn prefixes(all: &[IpNet]) -> Prefixes {
    let (mut four, mut six) = (Vec::new(), Vec::new());
    for prefix in all {
        match prefix {
            IpNet::V4(net) => four.push(*net),
            IpNet::V6(net) => six.push(*net),
        }
    }
    if six.is_empty() {
        Prefixes::V4(four)
    } else {
        Prefixes::V6(six)
    }
}
