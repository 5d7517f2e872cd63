//! The neighbours that are known, by link: bounded, and so that one odd neighbour never hides the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rackweave_types::{Instant, MacAddr};
use serde::{Deserialize, Serialize};

use super::identity::{ChassisId, PortId};
use super::message::Message;
use crate::fabric::LinkId;

/// How many neighbours are kept at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// That were heard from one Ethernet address on one link. One more takes the place of the one among them that has
    /// been silent longest.
    pub per_sender: usize,
    /// On one link. One more takes the place of the one that has been silent longest among those heard only once; where
    /// all were heard again, it is refused.
    pub per_link: usize,
    /// On all links. One more takes a place on the link that has most, as if that were full.
    pub total: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_sender: 8,
            per_link: 1_024,
            total: 4_096,
        }
    }
}

/// What happened on a link, counted (IEEE 802.1AB, 9.2.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Frames sent.
    pub sent: u64,
    /// Frames received.
    pub received: u64,
    /// Frames of which nothing could be used.
    pub refused: u64,
    /// Elements that were left out of frames, for they were wrong.
    pub flaws: u64,
    /// Elements that were kept without being understood.
    pub unknown: u64,
    /// Neighbours that grew old.
    pub aged: u64,
    /// Neighbours that gave their place to others, or got none.
    pub crowded: u64,
}

/// A system at the other end of a link, and the port that it is there with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// The Ethernet address that its last frame came from.
    pub from: MacAddr,
    /// What it said last.
    pub message: Message,
    /// When it was heard first, and since then always again in time.
    pub since: Instant,
    /// When it was heard last.
    pub heard: Instant,
    /// When it will have grown old.
    pub expires: Instant,
    /// How often it was heard.
    pub frames: u64,
}

/// A neighbour among those of a link.
type Key = (ChassisId, PortId);

/// What a message did to the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// There is a neighbour more.
    Appeared,
    /// A known neighbour says something else than before.
    Altered,
    /// A known neighbour says what it said before.
    Renewed,
    /// A known neighbour took back all that it said.
    Left,
    /// An unknown neighbour said that it leaves.
    Nothing,
    /// There is no room.
    Crowded,
}

/// All neighbours.
#[derive(Debug)]
pub(super) struct Table {
    limits: Limits,
    links: BTreeMap<LinkId, BTreeMap<Key, Neighbor>>,
    /// Who grows old when.
    ages: BTreeSet<(Instant, LinkId, Key)>,
}

impl Table {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            links: BTreeMap::new(),
            ages: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ages.len()
    }

    /// When the next neighbour grows old.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ages.first().map(|(at, ..)| *at)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &Neighbor)> {
        let links = self.links.iter();
        links.flat_map(|(link, all)| all.values().map(|neighbor| (*link, neighbor)))
    }

    /// Takes a message in. With it come those who gave their place, by link.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        link: LinkId,
        from: MacAddr,
        message: Message,
    ) -> (Change, Vec<(LinkId, Neighbor)>) {
        let key = (message.chassis.clone(), message.port.clone());
        if message.ttl == 0 {
            let left = self.remove(link, &key).is_some();
            let change = if left { Change::Left } else { Change::Nothing };
            return (change, Vec::new());
        }
        let expires = now.after(Duration::from_secs(message.ttl.into()));
        let gone = self.take_over(link, from, &key);
        if let Some(known) = self.links.get_mut(&link).and_then(|all| all.get_mut(&key)) {
            self.ages.remove(&(known.expires, link, key.clone()));
            self.ages.insert((expires, link, key));
            let same = known.message == message;
            known.from = from;
            known.message = message;
            known.heard = now;
            known.expires = expires;
            known.frames += 1;
            let change = if same {
                Change::Renewed
            } else {
                Change::Altered
            };
            return (change, gone);
        }
        let Some(gone) = self.make_room(link, from) else {
            return (Change::Crowded, Vec::new());
        };
        let neighbor = Neighbor {
            from,
            message,
            since: now,
            heard: now,
            expires,
            frames: 1,
        };
        self.ages.insert((expires, link, key.clone()));
        self.links.entry(link).or_default().insert(key, neighbor);
        (Change::Appeared, gone)
    }

    /// A sender that says what another one said before has one neighbour more, and may have too many then.
    fn take_over(&mut self, link: LinkId, from: MacAddr, key: &Key) -> Vec<(LinkId, Neighbor)> {
        let all = self.links.get(&link);
        let known = all.and_then(|all| all.get(key));
        let is_new = known.is_some_and(|known| known.from != from);
        let of_sender = |neighbor: &Neighbor| neighbor.from == from;
        let same = all.map_or(0, |all| all.values().filter(|one| of_sender(one)).count());
        if !is_new || same < self.limits.per_sender {
            return Vec::new();
        }
        let gone = self.displace(link, of_sender);
        gone.map(|gone| (link, gone)).into_iter().collect()
    }

    /// Makes room for one more on a link; nothing where there is none to be had.
    fn make_room(&mut self, link: LinkId, from: MacAddr) -> Option<Vec<(LinkId, Neighbor)>> {
        let mut gone = Vec::new();
        let here = self.links.get(&link);
        let of_sender = |neighbor: &Neighbor| neighbor.from == from;
        let same = here.map_or(0, |all| all.values().filter(|one| of_sender(one)).count());
        let count = here.map_or(0, BTreeMap::len);
        if same >= self.limits.per_sender {
            gone.push((link, self.displace(link, of_sender)?));
        } else if count >= self.limits.per_link {
            gone.push((link, self.displace(link, |one| one.frames == 1)?));
        } else if self.len() >= self.limits.total {
            let (&most, all) = self.links.iter().max_by_key(|(_, all)| all.len())?;
            // A link with fewer takes from the one with most whatever it takes to have its share.
            let fair = all.len() > count + 1;
            let displaced = self.displace(most, |one| fair || one.frames == 1)?;
            gone.push((most, displaced));
        }
        Some(gone)
    }

    /// Takes away the one that has been silent longest among those on a link that may go.
    fn displace(&mut self, link: LinkId, may_go: impl Fn(&Neighbor) -> bool) -> Option<Neighbor> {
        let all = self.links.get(&link)?.iter();
        let (key, _) = all
            .filter(|(_, one)| may_go(one))
            .min_by_key(|(_, one)| one.heard)?;
        let key = key.clone();
        self.remove(link, &key)
    }

    fn remove(&mut self, link: LinkId, key: &Key) -> Option<Neighbor> {
        let all = self.links.get_mut(&link)?;
        let neighbor = all.remove(key)?;
        if all.is_empty() {
            self.links.remove(&link);
        }
        self.ages.remove(&(neighbor.expires, link, key.clone()));
        Some(neighbor)
    }

    /// Takes away the next one that has grown old.
    pub(super) fn age(&mut self, now: Instant) -> Option<(LinkId, Neighbor)> {
        let (_, link, key) = self.ages.first().filter(|(at, ..)| *at <= now)?.clone();
        let neighbor = self.remove(link, &key)?;
        Some((link, neighbor))
    }

    /// Takes away all of a link.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.links.remove(&link);
        self.ages.retain(|(_, of, _)| *of != link);
    }
}
