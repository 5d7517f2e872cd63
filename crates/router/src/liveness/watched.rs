//! All neighbours that are watched: their machines, and the sockets of their links.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rackweave_linux::poll::{Events, PollError, Poller};
use rackweave_linux::timestamp::{Batch, Stamp};
use rackweave_routing::bfd::message::State;
use rackweave_routing::bfd::{Change, Session, Sessions};
use rackweave_routing::probe::{self, Beacons};
use rackweave_types::Instant;

use super::LivenessPorts;
use super::doors::{Doors, DoorsError, Kind, Refused, near, socket};
use super::message::{SessionStatus, Target, Watch};

/// A gap of so many tenths of an interval is a control message lost, perhaps.
const GAP_TENTHS: u32 = 17;
/// How long a gap makes beacons look closer; what they find prolongs it.
const GAP_LOOK: Duration = Duration::from_millis(200);
/// So late is too late.
const LATE: Duration = Duration::from_millis(3);
/// How long a gap may be explained by that.
const HELD_UP: Duration = Duration::from_millis(50);

/// All that is watched.
#[derive(Debug)]
pub(super) struct Watched {
    sessions: Sessions<Target>,
    neighbors: BTreeMap<Target, Neighbor>,
    links: BTreeMap<u32, Doors>,
    ready: Poller,
    changed: BTreeSet<Target>,
    chance: u64,
    last_id: u32,
    ports: LivenessPorts,
    /// When it had last come too late to what was due: the machine was held up, perhaps others with it.
    late: Option<Instant>,
    /// Of links that are closed.
    refused: Refused,
}

/// Where what the kernel tells is put, the same for every round.
#[derive(Debug)]
pub(super) struct Room {
    events: Events,
    batch: Batch,
}

impl Room {
    pub(super) fn new() -> Self {
        Self {
            events: Events::with_capacity(64),
            batch: Batch::new(),
        }
    }
}

/// What is known of one beside its session.
#[derive(Debug)]
struct Neighbor {
    id: u32,
    beacons: Beacons,
    /// When its last control message arrived.
    heard: Instant,
    reason: String,
    downs: u32,
}

impl Watched {
    /// Nobody. `chance` is drawn at random.
    pub(super) fn new(ports: LivenessPorts, chance: u64) -> Result<Self, PollError> {
        Ok(Self {
            sessions: Sessions::default(),
            neighbors: BTreeMap::new(),
            links: BTreeMap::new(),
            ready: Poller::new()?,
            changed: BTreeSet::new(),
            chance: chance | 1,
            last_id: 0,
            ports,
            late: None,
            refused: Refused::default(),
        })
    }

    /// Watches a neighbour from now on, or otherwise than before.
    ///
    /// # Errors
    /// Where its link has no sockets.
    pub(super) fn watch(&mut self, now: Instant, watch: &Watch) -> Result<(), DoorsError> {
        let Target { link, .. } = watch.target;
        if !self.links.contains_key(&link) {
            let doors = Doors::open(link, self.ports, &self.ready)?;
            self.links.insert(link, doors);
        }
        let chance = &mut self.chance;
        self.sessions
            .watch(now, watch.target, watch.bfd, || draw(chance));
        if let Some(neighbor) = self.neighbors.get_mut(&watch.target) {
            neighbor.beacons.rekey(now, watch.key);
        } else {
            self.last_id = self.last_id.wrapping_add(1);
            let neighbor = Neighbor {
                id: self.last_id,
                beacons: Beacons::new(now, draw(&mut self.chance), watch.key),
                heard: now,
                reason: "nothing was heard yet".to_owned(),
                downs: 0,
            };
            self.neighbors.insert(watch.target, neighbor);
        }
        self.changed.insert(watch.target);
        Ok(())
    }

    /// Watches a neighbour no longer.
    pub(super) fn unwatch(&mut self, now: Instant, target: Target) {
        self.sessions.unwatch(now, &target);
        self.neighbors.remove(&target);
        self.changed.insert(target);
    }

    /// Whether nobody is watched, and nobody has to be told so.
    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Whether frames pass both ways to everybody.
    pub(super) fn all_up(&self) -> bool {
        self.sessions
            .iter()
            .all(|(_, session)| session.state() == State::Up)
    }

    /// What changed since it was last asked; with `None` it is watched no longer.
    pub(super) fn news(&mut self) -> Vec<(Target, Option<SessionStatus>)> {
        let changed = std::mem::take(&mut self.changed);
        let status = |target| (target, self.status(target));
        changed.into_iter().map(status).collect()
    }

    /// How all are.
    pub(super) fn list(&self) -> Vec<SessionStatus> {
        let targets = self.neighbors.keys();
        targets.filter_map(|target| self.status(*target)).collect()
    }

    /// What was not sent or not taken, since the start.
    pub(super) fn refused(&self) -> Refused {
        let all = self.links.values().map(|doors| doors.refused);
        all.fold(self.refused, Refused::and)
    }

    /// When [`send`](Self::send) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let up = self
            .neighbors
            .iter()
            .filter(|(target, _)| self.is_up(target));
        let beacons = up.map(|(_, neighbor)| neighbor.beacons.deadline());
        beacons.chain(self.sessions.deadline()).min()
    }

    /// Reads all that waits in the sockets.
    ///
    /// # Errors
    /// Where the kernel does not say what waits.
    pub(super) fn read(&mut self, now: Instant, room: &mut Room) -> Result<(), PollError> {
        let (stamp, batch) = (Stamp::now(), &mut room.batch);
        let due = self.deadline();
        if due.is_some_and(|due| now.since(due) >= LATE) {
            self.late = Some(now);
        }
        self.ready.wait(&mut room.events, Some(Duration::ZERO))?;
        for token in room.events.tokens() {
            match socket(token) {
                (link, Kind::Bfd) => self.read_bfd(now, stamp, link, batch),
                (link, Kind::Beacon) => self.read_beacons(now, stamp, link, batch),
            }
        }
        Ok(())
    }

    /// Sends what is due, after those were found who have been silent for too long. Read first.
    pub(super) fn send(&mut self, now: Instant) {
        let mut fallen = Vec::new();
        self.sessions
            .handle_timeout(now, |target, change| fallen.push((target, change)));
        for (target, change) in fallen {
            self.changed(now, target, change);
        }
        let entropy = draw(&mut self.chance);
        let links = &mut self.links;
        self.sessions.transmit(now, entropy, |target, message| {
            if let Some(doors) = links.get_mut(&target.link) {
                doors.send_bfd(target.peer, &message.emit());
            }
        });
        let stamp = probe::Stamp(Stamp::now().0);
        for (target, neighbor) in &mut self.neighbors {
            let session = self.sessions.get(target);
            if session.is_none_or(|session| session.state() != State::Up) {
                continue;
            }
            let Some(doors) = self.links.get_mut(&target.link) else {
                continue;
            };
            if let Some(beacon) = neighbor.beacons.transmit(now, stamp) {
                let tag = u64::from(neighbor.id) << 32 | u64::from(beacon.seq);
                doors.send_beacon(target.peer, &beacon, tag);
            }
        }
        self.close_unused();
    }

    fn read_bfd(&mut self, now: Instant, stamp: Stamp, link: u32, batch: &mut Batch) {
        let Some(doors) = self.links.get(&link) else {
            return;
        };
        let more = doors.receive_bfd(batch);
        let mut refused = Refused::default();
        for arrival in batch.arrivals() {
            if !near(arrival.hop_limit) {
                refused.far += 1;
                continue;
            }
            let target = Target {
                link,
                peer: arrival.from,
            };
            // It arrived by the kernel's stamp, not when we came to read it.
            let age = arrival.at.map_or(0, |at| stamp.0.saturating_sub(at.0));
            let at = Instant::from_nanos(now.nanos().saturating_sub(age.min(1_000_000_000)));
            let pace = self.pace(&target);
            match self.sessions.receive(at, target, arrival.bytes) {
                Ok(change) => {
                    self.heard(now, at, target);
                    if self.pace(&target) != pace {
                        self.changed.insert(target);
                    }
                    if let Some(change) = change {
                        self.changed(now, target, change);
                    }
                }
                Err(_) => refused.unmatched += 1,
            }
        }
        if let Some(doors) = self.links.get_mut(&link) {
            doors.refused = doors.refused.and(refused);
        }
        if matches!(more, Ok(true)) {
            self.read_bfd(now, stamp, link, batch);
        }
    }

    fn read_beacons(&mut self, now: Instant, stamp: Stamp, link: u32, batch: &mut Batch) {
        let Some(doors) = self.links.get_mut(&link) else {
            return;
        };
        let neighbors = &mut self.neighbors;
        let _unknown = doors.departed(batch, |tag, at| {
            let (id, seq) = (tag >> 32, u32::try_from(tag & 0xffff_ffff).unwrap_or(0));
            let mut known = neighbors.values_mut();
            if let Some(neighbor) = known.find(|neighbor| u64::from(neighbor.id) == id) {
                neighbor.beacons.departed(seq, at);
            }
        });
        let more = doors.receive_beacons(batch);
        for arrival in batch.arrivals() {
            if !near(arrival.hop_limit) {
                doors.refused.far += 1;
                continue;
            }
            let target = Target {
                link,
                peer: arrival.from,
            };
            let at = probe::Stamp(arrival.at.unwrap_or(stamp).0);
            let neighbor = self.neighbors.get_mut(&target);
            match neighbor.map(|neighbor| neighbor.beacons.receive(now, at, arrival.bytes)) {
                Some(Ok(None)) => {}
                Some(Ok(Some(_))) => {
                    self.changed.insert(target);
                }
                None | Some(Err(_)) => doors.refused.unmatched += 1,
            }
        }
        if matches!(more, Ok(true)) {
            self.read_beacons(now, stamp, link, batch);
        }
    }

    /// A gap between control messages is a reason to look closer, long before beacons tell; unless this machine was held
    /// up and others with it, which is no fault of the link.
    fn heard(&mut self, now: Instant, at: Instant, target: Target) {
        let Some(neighbor) = self.neighbors.get_mut(&target) else {
            return;
        };
        let gap = at.since(std::mem::replace(&mut neighbor.heard, at));
        let session = self.sessions.get(&target);
        let session = session.filter(|session| session.state() == State::Up);
        if self.late.is_some_and(|late| now.since(late) < HELD_UP) {
            return;
        }
        if let Some(silent) = session.and_then(Session::detection_time) {
            // With a multiplier of three, a third of the detection time is an interval.
            if gap > silent * GAP_TENTHS / 30 {
                neighbor.beacons.look_closer(now, GAP_LOOK);
            }
        }
    }

    fn changed(&mut self, now: Instant, target: Target, change: Change) {
        let Some(neighbor) = self.neighbors.get_mut(&target) else {
            return;
        };
        neighbor.reason = change.cause.to_string();
        neighbor.downs += u32::from(change.from == State::Up);
        if change.to == State::Up {
            neighbor.beacons.begin_anew(now);
        }
        self.changed.insert(target);
    }

    /// After which silence the neighbour counts as dead: both agree on it anew whenever one of them wants to.
    fn pace(&self, target: &Target) -> Option<Duration> {
        self.sessions.get(target)?.detection_time()
    }

    fn is_up(&self, target: &Target) -> bool {
        let session = self.sessions.get(target);
        session.is_some_and(|session| session.state() == State::Up)
    }

    fn status(&self, target: Target) -> Option<SessionStatus> {
        let neighbor = self.neighbors.get(&target)?;
        let session = self.sessions.get(&target)?;
        let detection = session.detection_time();
        Some(SessionStatus {
            target,
            state: session.state(),
            reason: neighbor.reason.clone(),
            downs: neighbor.downs,
            independent: session.remote_independent(),
            detection_us: detection.and_then(|time| time.as_micros().try_into().ok()),
            estimate: neighbor.beacons.reported(),
        })
    }

    /// Closes the sockets of links on which there is nobody left, not even somebody to say good-bye to.
    fn close_unused(&mut self) {
        if self.links.len() <= self.neighbors.len() {
            return;
        }
        let (sessions, refused) = (&self.sessions, &mut self.refused);
        self.links.retain(|link, doors| {
            let used = sessions.keys().any(|target| target.link == *link);
            if !used {
                *refused = refused.and(doors.refused);
            }
            used
        });
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }
}

/// Chance for jitter and numbers, which need be neither secret nor perfect (xorshift, Marsaglia 2003).
fn draw(chance: &mut u64) -> u32 {
    *chance ^= *chance << 13;
    *chance ^= *chance >> 7;
    *chance ^= *chance << 17;
    u32::try_from(*chance >> 32).unwrap_or(0)
}
