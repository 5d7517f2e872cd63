//! The machine of one neighbour.

use std::time::Duration;

use rackweave_types::Instant;

use super::Stamp;
use super::estimate::{Estimate, Estimator};
use super::message::{Beacon, BeaconError, Key, LEN};

/// Between beacons.
const CALM: Duration = Duration::from_millis(20);
/// Between beacons where something looked odd.
const CLOSER: Duration = Duration::from_millis(5);
/// How long it looks closer.
const LOOK: Duration = Duration::from_secs(1);
/// How long a neighbour that asked for it is sent more.
const ASKED: Duration = Duration::from_millis(100);
/// Within this time both sides have a new key.
const REKEYING: Duration = Duration::from_millis(500);
/// Beacons of ours that are remembered.
const SENT: usize = 64;
/// A round trip that is longer is none.
const RTT_MAX_NS: u32 = 4_000_000_000;

/// A beacon to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its octets.
    pub bytes: [u8; LEN],
    /// Its number, for [`Beacons::departed`].
    pub seq: u32,
}

/// Sends beacons to one neighbour and makes sense of its own.
///
/// Call order: [`receive`](Self::receive) for what came; when [`deadline`](Self::deadline) is reached
/// [`transmit`](Self::transmit), and [`departed`](Self::departed) once the kernel has told when it left.
#[derive(Clone, Debug)]
pub struct Beacons {
    /// The one in use, and the one before it.
    keys: [Key; 2],
    /// Until when what we send is still tagged with the one before.
    old_key_until: Option<Instant>,
    instance: u32,
    seq: u32,
    sent: [Sent; SENT],
    sent_at: Option<Instant>,
    closer_until: Instant,
    asked_until: Instant,
    neighbor: Option<Neighbor>,
    /// What the neighbour says of beacons before this one means nothing.
    counts_from: u32,
    /// The echo of the last round trip.
    sampled: u32,
    /// Instances of the neighbour that are over.
    retired: [u32; 4],
    estimator: Estimator,
}

/// A beacon of ours.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    seq: u32,
    left: Stamp,
    /// When what it echoes arrived.
    echo_arrived: Option<Stamp>,
}

/// What is known of the neighbour's beacons.
#[derive(Clone, Copy, Debug)]
struct Neighbor {
    instance: u32,
    highest: u32,
    /// Which of the 64 up to the highest arrived, the highest lowest.
    arrived: u64,
    received: u32,
    /// When the highest arrived.
    arrived_at: Stamp,
    /// Whether the gap before the next one means nothing.
    fresh: bool,
    /// What the highest echoed of ours.
    echo: Option<u32>,
    /// What it said of ours: the newest, and how many.
    heard: Option<(u32, u32)>,
}

impl Beacons {
    /// Begins. `instance` is drawn by chance and not zero.
    #[must_use]
    pub fn new(now: Instant, instance: u32, key: Key) -> Self {
        Self {
            keys: [key; 2],
            old_key_until: None,
            instance: instance.max(1),
            seq: 0,
            sent: [Sent::default(); SENT],
            sent_at: None,
            closer_until: now.after(LOOK),
            asked_until: now,
            neighbor: None,
            counts_from: 1,
            sampled: 0,
            retired: [0; 4],
            estimator: Estimator::default(),
        }
    }

    /// Both sides agreed on another key; what is under way with the old one is still taken.
    pub fn rekey(&mut self, now: Instant, key: Key) {
        if key != self.keys[0] {
            self.keys = [key, self.keys[0]];
            self.old_key_until = Some(now.after(REKEYING));
        }
    }

    /// Frames pass again: what was counted before counts no more.
    pub fn begin_anew(&mut self, now: Instant) {
        self.estimator.forget();
        self.counts_from = self.seq.saturating_add(1);
        if let Some(neighbor) = &mut self.neighbor {
            neighbor.fresh = true;
            (neighbor.echo, neighbor.heard) = (None, None);
        }
        self.look_closer(now, LOOK);
    }

    /// Something looked odd: it looks closer for so long at least.
    pub fn look_closer(&mut self, now: Instant, time: Duration) {
        self.closer_until = self.closer_until.max(now.after(time));
    }

    /// What was reported last.
    #[must_use]
    pub const fn reported(&self) -> Option<Estimate> {
        self.estimator.reported()
    }

    /// When the next beacon is due.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let after = |at: Instant| at.after(self.interval(at));
        self.sent_at.map_or(Instant::START, after)
    }

    /// The beacon that is to be sent now, if any; it may be sent up to a quarter of the interval early, so that one wake
    /// serves many. `stamp` is the time by the kernel's stamping clock, until the kernel tells better.
    pub fn transmit(&mut self, now: Instant, stamp: Stamp) -> Option<Outgoing> {
        let early = |at: Instant| at.after(self.interval(now) * 3 / 4);
        if self.sent_at.is_some_and(|at| early(at) > now) {
            return None;
        }
        if self.seq == u32::MAX {
            (self.instance, self.seq) = (self.instance.wrapping_add(1).max(1), 0);
            (self.counts_from, self.sampled) = (1, 0);
        }
        let held = self.sent(self.seq).and_then(|sent| {
            let held = sent.left.since(sent.echo_arrived?);
            u32::try_from(held).ok().filter(|held| *held < u32::MAX)
        });
        self.seq += 1;
        self.sent_at = Some(now);
        let neighbor = self.neighbor.as_ref();
        let beacon = Beacon {
            closer: now < self.closer_until,
            instance: self.instance,
            seq: self.seq,
            echo_instance: neighbor.map_or(0, |neighbor| neighbor.instance),
            echo: neighbor.map_or(0, |neighbor| neighbor.highest),
            received: neighbor.map_or(0, |neighbor| neighbor.received),
            held,
        };
        self.sent[slot(self.seq)] = Sent {
            seq: self.seq,
            left: stamp,
            echo_arrived: neighbor.map(|neighbor| neighbor.arrived_at),
        };
        if self.old_key_until.is_some_and(|until| until <= now) {
            self.old_key_until = None;
        }
        let key = &self.keys[usize::from(self.old_key_until.is_some())];
        Some(Outgoing {
            bytes: beacon.emit(key),
            seq: self.seq,
        })
    }

    /// A beacon of ours left at this time.
    pub fn departed(&mut self, seq: u32, at: Stamp) {
        let sent = &mut self.sent[slot(seq)];
        if sent.seq == seq && seq != 0 {
            sent.left = at;
        }
    }

    /// Octets arrived from the neighbour, `at` by the kernel's stamp. What is to be reported, where it is new.
    ///
    /// # Errors
    /// Where they are no beacon for us; nothing has changed then.
    pub fn receive(
        &mut self,
        now: Instant,
        at: Stamp,
        bytes: &[u8],
    ) -> Result<Option<Estimate>, BeaconError> {
        let (beacon, key) = Beacon::parse(bytes, &self.keys)?;
        let newest = self.note(now, at, &beacon)?;
        if key == 0 {
            // The neighbour has the new key, too.
            self.old_key_until = None;
        }
        if beacon.closer {
            self.asked_until = now.after(ASKED);
        }
        if newest {
            self.measure(now, at, &beacon);
        }
        Ok(self.estimator.report())
    }

    /// Counts a beacon. Whether it is the newest.
    fn note(&mut self, now: Instant, at: Stamp, beacon: &Beacon) -> Result<bool, BeaconError> {
        let Beacon { instance, seq, .. } = *beacon;
        if instance == self.instance || instance == 0 || self.retired.contains(&instance) {
            return Err(BeaconError::Instance);
        }
        if seq == 0 {
            return Err(BeaconError::Replayed { seq });
        }
        let known = self.neighbor.filter(|known| known.instance == instance);
        let Some(mut neighbor) = known else {
            if let Some(before) = self.neighbor.replace(Neighbor::new(beacon, at)) {
                self.retired.rotate_right(1);
                self.retired[0] = before.instance;
                self.estimator.forget();
            }
            return Ok(true);
        };
        let newest = seq > neighbor.highest;
        if newest {
            let ahead = seq - neighbor.highest;
            if neighbor.fresh {
                neighbor.fresh = false;
            } else {
                self.estimator.inward.push(ahead - 1, 1);
                if ahead > 1 {
                    self.look_closer(now, LOOK);
                }
            }
            neighbor.arrived = neighbor.arrived.checked_shl(ahead).unwrap_or(0) | 1;
            neighbor.highest = seq;
        } else {
            let age = neighbor.highest - seq;
            let bit = 1_u64.checked_shl(age).unwrap_or(0);
            if bit == 0 || neighbor.arrived & bit != 0 {
                return Err(BeaconError::Replayed { seq });
            }
            neighbor.arrived |= bit;
            self.estimator.inward.forgive(age);
        }
        neighbor.received = neighbor.received.wrapping_add(1);
        self.neighbor = Some(neighbor);
        Ok(newest)
    }

    /// Reads what the newest beacon says of ours, and makes a round trip of it and the one before.
    fn measure(&mut self, now: Instant, at: Stamp, beacon: &Beacon) {
        let of_ours = beacon.echo_instance == self.instance && beacon.echo <= self.seq;
        let before = self.neighbor.filter(|neighbor| neighbor.before(beacon.seq));
        if let Some(before) = before {
            self.sample(now, &before, beacon.held);
        }
        let Some(neighbor) = &mut self.neighbor else {
            return;
        };
        neighbor.arrived_at = at;
        neighbor.echo = of_ours.then_some(beacon.echo).filter(|echo| *echo > 0);
        if !of_ours || beacon.echo < self.counts_from {
            return;
        }
        let said = (beacon.echo, beacon.received);
        if let Some((echo, received)) = neighbor.heard.replace(said) {
            let sent = beacon.echo.saturating_sub(echo);
            let arrived = beacon.received.wrapping_sub(received);
            // More than that is no count of anything.
            let arrived = arrived.min(sent.saturating_add(64));
            let outward = &mut self.estimator.outward;
            outward.push(sent.saturating_sub(arrived), arrived.min(sent));
            for _late in sent..arrived {
                outward.forgive_newest();
            }
            if sent > arrived {
                self.look_closer(now, LOOK);
            }
        }
    }

    /// Makes a round trip of the beacon before the newest, which held its echo so long.
    fn sample(&mut self, now: Instant, before: &Neighbor, held: Option<u32>) {
        // An echo that is said again would make one odd beacon count twice.
        let echo = before.echo.filter(|echo| *echo > self.sampled);
        let (Some(echo), Some(held)) = (echo, held) else {
            return;
        };
        let Some(left) = self.sent(echo).map(|sent| sent.left) else {
            return;
        };
        let rtt = before.arrived_at.since(left).saturating_sub(held.into());
        if let Some(rtt) = u32::try_from(rtt).ok().filter(|rtt| *rtt < RTT_MAX_NS) {
            self.sampled = echo;
            if self.estimator.sample(rtt) {
                self.look_closer(now, LOOK);
            }
        }
    }

    fn sent(&self, seq: u32) -> Option<&Sent> {
        let sent = &self.sent[slot(seq)];
        (sent.seq == seq && seq != 0).then_some(sent)
    }

    fn interval(&self, now: Instant) -> Duration {
        if now < self.closer_until.max(self.asked_until) {
            CLOSER
        } else {
            CALM
        }
    }
}

impl Neighbor {
    fn new(beacon: &Beacon, at: Stamp) -> Self {
        Self {
            instance: beacon.instance,
            highest: beacon.seq,
            arrived: 1,
            received: 1,
            arrived_at: at,
            fresh: false,
            echo: None,
            heard: None,
        }
    }

    /// Whether the beacon before this one, which is the newest, arrived and is what is remembered.
    const fn before(&self, seq: u32) -> bool {
        self.highest == seq && self.arrived & 2 != 0
    }
}

fn slot(seq: u32) -> usize {
    usize::try_from(seq).unwrap_or(0) % SENT
}

#[cfg(test)]
mod tests;
