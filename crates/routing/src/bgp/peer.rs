//! What a speaker knows of a peer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use rackweave_types::Instant;
use serde::{Deserialize, Serialize};

use super::config::PeerConfig;
use super::decision::Facts;
use super::io::{ConnId, Target};
use super::session::{Conn, State};
use super::table::PeerId;
use super::{Attributes, Family};
use crate::fabric::LinkId;

/// The longest time that a peer is left alone after a failure.
const LONGEST: Duration = Duration::from_mins(1);

/// What a session is in (RFC 4271, section 8.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Nothing is tried.
    Idle,
    /// A connection is being opened.
    Connect,
    /// It will be, or is waited for.
    Active,
    /// We have said who we are.
    OpenSent,
    /// So has the other side.
    OpenConfirm,
    /// Routes are exchanged.
    Established,
}

/// What was counted of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Updates received.
    pub updates_received: u64,
    /// Updates sent.
    pub updates_sent: u64,
    /// Updates of which something was wrong.
    pub flawed: u64,
    /// Sessions that were established.
    pub established: u64,
    /// Notifications received.
    pub notifications_received: u64,
    /// Notifications sent.
    pub notifications_sent: u64,
}

/// A value for each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PerFamily<T>([T; 2]);

impl<T: Copy> PerFamily<T> {
    pub(super) const fn all(value: T) -> Self {
        Self([value; 2])
    }

    pub(super) const fn get(&self, family: Family) -> T {
        self.0[index(family)]
    }

    pub(super) const fn set(&mut self, family: Family, value: T) {
        self.0[index(family)] = value;
    }
}

const fn index(family: Family) -> usize {
    match family {
        Family::Ipv4 => 0,
        Family::Ipv6 => 1,
    }
}

/// A peer.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) name: Arc<str>,
    pub(super) config: PeerConfig,
    /// The link that it is on, where one is configured and there.
    pub(super) link: Option<LinkId>,
    /// Whether that is up; where none is configured, always.
    pub(super) link_up: bool,
    /// Its address, configured or found.
    pub(super) address: Option<IpAddr>,
    /// What BFD said last.
    pub(super) live: Option<bool>,
    pub(super) conns: Vec<Conn>,
    /// Whether a connection is being opened.
    pub(super) opening: bool,
    /// When to try next.
    pub(super) retry_at: Option<Instant>,
    /// Why nothing is tried until people change something.
    pub(super) held: Option<String>,
    /// Failures since it was last established for long.
    pub(super) failures: u32,
    /// How often a session was established.
    pub(super) epoch: u32,
    /// The identifier that it had last.
    pub(super) remote_id: Ipv4Addr,
    pub(super) external: bool,
    /// Until when its routes are kept while it is away.
    pub(super) away_until: Option<Instant>,
    /// Until when routes of the session before are kept beside those of this one.
    pub(super) stale_until: Option<Instant>,
    /// Families of which routes of the session before are still kept.
    pub(super) stale: PerFamily<bool>,
    /// Families of which it has told everything.
    pub(super) told_all: PerFamily<bool>,
    /// Families of which it is to hear that it was told everything.
    pub(super) end_due: PerFamily<bool>,
    /// What it was told.
    pub(super) sent: BTreeMap<IpNet, Arc<Attributes>>,
    /// What has to be looked at for it.
    pub(super) dirty: BTreeSet<IpNet>,
    /// Whether all routes are being gone through for it.
    pub(super) walking: bool,
    /// How many prefixes are held of it.
    pub(super) held_prefixes: PerFamily<usize>,
    pub(super) counters: Counters,
    /// Since when it is in its state.
    pub(super) since: Instant,
    /// Why the last session or attempt ended.
    pub(super) last_error: Option<String>,
}

impl Peer {
    pub(super) fn new(now: Instant, id: PeerId, name: &str, config: PeerConfig) -> Self {
        Self {
            id,
            name: name.into(),
            link: None,
            link_up: config.interface.is_none(),
            address: config.address,
            config,
            live: None,
            conns: Vec::new(),
            opening: false,
            retry_at: Some(now),
            held: None,
            failures: 0,
            epoch: 0,
            remote_id: Ipv4Addr::UNSPECIFIED,
            external: true,
            away_until: None,
            stale_until: None,
            stale: PerFamily::default(),
            told_all: PerFamily::default(),
            end_due: PerFamily::default(),
            sent: BTreeMap::new(),
            dirty: BTreeSet::new(),
            walking: false,
            held_prefixes: PerFamily::default(),
            counters: Counters::default(),
            since: now,
            last_error: None,
        }
    }

    /// The session.
    pub(super) fn session(&self) -> Option<&Conn> {
        self.conns
            .iter()
            .find(|conn| conn.state == State::Established)
    }

    pub(super) fn session_mut(&mut self) -> Option<&mut Conn> {
        self.conns
            .iter_mut()
            .find(|conn| conn.state == State::Established)
    }

    pub(super) fn conn_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.conns.iter_mut().find(|conn| conn.id == id)
    }

    pub(super) fn state(&self) -> SessionState {
        match self.conns.iter().map(|conn| conn.state).max() {
            Some(State::Established) => SessionState::Established,
            Some(State::OpenConfirm) => SessionState::OpenConfirm,
            Some(State::OpenSent) => SessionState::OpenSent,
            None if self.why_not().is_some() => SessionState::Idle,
            None if self.opening => SessionState::Connect,
            None => SessionState::Active,
        }
    }

    /// Why no session is wanted, or can be had: for people.
    pub(super) fn why_not(&self) -> Option<String> {
        if let Some(why) = &self.config.shutdown {
            let colon = if why.is_empty() { "" } else { ": " };
            return Some(format!("shut down by the configuration{colon}{why}"));
        }
        if let Some(why) = &self.held {
            return Some(why.clone());
        }
        if !self.link_up {
            let name = self.config.interface.as_deref().unwrap_or_default();
            let what = if self.link.is_some() {
                "is down"
            } else {
                "is not there"
            };
            return Some(format!("interface {name} {what}"));
        }
        if self.address.is_none() {
            let name = self.config.interface.as_deref().unwrap_or_default();
            return Some(format!("no router advertises itself on {name}"));
        }
        None
    }

    /// Where it is; nothing where nothing is to be tried.
    pub(super) fn target(&self) -> Option<Target> {
        if self.why_not().is_some() {
            return None;
        }
        Some(Target {
            name: Arc::clone(&self.name),
            address: self.address?,
            link: self.link,
        })
    }

    /// How long it is left alone after another failure: longer each time, and never for the same time as others are.
    pub(super) fn pause(&mut self, chance: u64) -> Duration {
        let base = self.config.retry() * (1 << self.failures.min(6));
        self.failures = self.failures.saturating_add(1);
        let base = base.min(LONGEST.max(self.config.retry()));
        // "jitter … ranging between 0.75 and 1.0": section 10.
        let quarter = u32::try_from(chance % 256).unwrap_or(0);
        base.saturating_sub(base / 4 * quarter / 256)
    }

    /// What counts of it when routes are compared.
    pub(super) fn facts(&self) -> Facts {
        Facts {
            usable: self.session().is_some() || self.away_until.is_some(),
            external: self.external,
            id: self.remote_id,
            address: self.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        }
    }

    /// Whether nothing more is to be waited for that it knows since before a restart of ours (RFC 4724, section 4.1).
    pub(super) fn has_told_all(&self) -> bool {
        if self.config.shutdown.is_some() || self.held.is_some() {
            return true;
        }
        let Some(session) = self.session() else {
            return false;
        };
        let restart = session.restart(&self.config);
        restart.is_none_or(|restart| restart.restarted)
            || session.families().all(|family| self.told_all.get(family))
    }

    /// When it wants to be looked at.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let conns = self.conns.iter().filter_map(Conn::deadline).min();
        let waits = self.conns.is_empty() && !self.opening && self.target().is_some();
        let retry = self.retry_at.filter(|_| waits && !self.config.passive);
        [conns, retry, self.away_until, self.stale_until]
            .into_iter()
            .flatten()
            .min()
    }
}
