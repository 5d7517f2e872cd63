//! What share each of several ways gets, from what they cost.
//!
//! **Cost of a link** ([`link_cost`]): its smoothed round trip, and 100 ms times the share of what it loses, so that a
//! link that loses a tenth is as bad as one that is 10 ms slower. Costs add up along a way.
//!
//! **Weight** ([`weight`]), of [`FULL`] = 16 steps. With `over` = what a way costs more than the best one:
//!
//! ```text
//! equal = max(1 ms, best / 4)        within it, ways are equal: 16
//! limit = max(3 ms, best)            at and beyond it, a way has nothing: 0
//! between:  16 × (limit − over) / (limit − equal), rounded
//! ```
//!
//! **What keeps it calm** ([`Weigher`]):
//! - A weight between the ends stays until it would move by two steps or more; 16 is left at 14, 0 at 2.
//! - Changed costs settle for 60 ms before weights are made of them, so that the two halves of one event (this way
//!   faster, that one slower) are one change.
//! - A way that was shed is taken back only when it has been good for a while: 250 ms after the first time, twice as
//!   long after each further one of the last minute, at most 8 s. It is taken at once where every way in use has become
//!   worthless beside it, so that when the slow side changes, the weights change once.
//!
//! Ways that come or go (sessions, liveness, links) change the weights at once: these are facts and no estimates.

use std::time::Duration;

use rackweave_types::Instant;

use super::item::Cost;

/// The weight of the best way and of its equals.
pub const FULL: u8 = 16;
/// How long changed costs settle.
pub const SETTLE: Duration = Duration::from_millis(60);

/// Ways that cost at most so much more than the best are its equals.
const EQUAL_NS: u64 = 1_000_000;
/// Ways that cost at least so much more than the best, and twice the best, get nothing.
const LIMIT_NS: u64 = 3_000_000;
/// Nanoseconds that a millionth of loss is worth: 100 ms for all of it.
const LOSS_NS: u64 = 100;
/// Steps that a weight must move by.
const HYSTERESIS: u64 = 2;
/// Wait before a way is taken back, the first time.
const BACK_FIRST: Duration = Duration::from_millis(250);
/// How often that wait doubles at most: 250 ms, five times doubled, are 8 s.
const BACK_DOUBLINGS: usize = 5;
/// How long it is remembered that a way was shed.
const MEMORY: Duration = Duration::from_mins(1);
/// A cost that moved by less is not announced anew.
const MOVED_NS: u32 = 100_000;

/// What a link costs that was measured so: round trip in nanoseconds, and lost of a million.
#[must_use]
pub fn link_cost(rtt_ns: u32, loss_ppm: u32) -> Cost {
    let cost = u64::from(rtt_ns) + u64::from(loss_ppm.min(1_000_000)) * LOSS_NS;
    Cost(u32::try_from(cost).unwrap_or(u32::MAX))
}

/// Whether a cost differs from what was announced by more than a fifth of it and by more than 100 µs: only then it is
/// announced anew.
#[must_use]
pub fn moved(announced: Cost, now: Cost) -> bool {
    announced.0.abs_diff(now.0) > (announced.0 / 5).max(MOVED_NS)
}

/// The weight of a way beside the best one, with the weight that it has now (`None` where it is new).
#[must_use]
pub fn weight(best: Cost, cost: Cost, now: Option<u8>) -> u8 {
    let best = u64::from(best.0);
    let over = u64::from(cost.0).saturating_sub(best);
    let equal = EQUAL_NS.max(best / 4);
    let limit = LIMIT_NS.max(best);
    if over <= equal {
        return FULL;
    }
    if over >= limit {
        return 0;
    }
    let full = u64::from(FULL);
    let (left, range) = (full * (limit - over), limit - equal);
    if let Some(now) = now {
        let moved = left.abs_diff(u64::from(now) * range);
        if moved < HYSTERESIS * range {
            return now;
        }
    }
    u8::try_from((left + range / 2) / range).unwrap_or(FULL)
}

/// The weights of the ways to one destination. `K` names a way.
///
/// Call order: [`set`](Self::set) whenever ways or costs change, [`handle_timeout`](Self::handle_timeout) when
/// [`deadline`](Self::deadline) is reached; where either says that something changed, read [`weights`](Self::weights).
#[derive(Clone, Debug)]
pub struct Weigher<K> {
    ways: Vec<Way<K>>,
    settles: Option<Instant>,
    back: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Way<K> {
    key: K,
    cost: Cost,
    weight: u8,
    /// One that is gone is remembered for what it did.
    here: bool,
    new: bool,
    /// Since when it is good enough to be taken back.
    good_since: Option<Instant>,
    /// When it was shed, of late; the oldest first.
    shed: Vec<Instant>,
}

impl<K: Copy + Ord> Default for Weigher<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Copy + Ord> Weigher<K> {
    /// With no way.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ways: Vec::new(),
            settles: None,
            back: None,
        }
    }

    /// These are the ways, and their costs now; a key named twice counts once. Whether the weights changed.
    pub fn set(&mut self, now: Instant, ways: impl IntoIterator<Item = (K, Cost)>) -> bool {
        let mut given: Vec<(K, Cost)> = ways.into_iter().collect();
        given.sort_unstable_by_key(|(key, _)| *key);
        given.dedup_by_key(|(key, _)| *key);
        let (mut others, mut moved) = (false, false);
        for way in &mut self.ways {
            let here = given.binary_search_by_key(&way.key, |(key, _)| *key);
            others |= way.here != here.is_ok();
            if way.here && here.is_err() {
                (way.weight, way.good_since) = (0, None);
            }
            way.here = here.is_ok();
            if let Ok(at) = here {
                moved |= way.cost != given[at].1;
                way.cost = given[at].1;
            }
        }
        for (key, cost) in given {
            if let Err(at) = self.ways.binary_search_by_key(&key, |way| way.key) {
                self.ways.insert(at, Way::new(key, cost));
                others = true;
            }
        }
        if others {
            self.weigh(now);
            return true;
        }
        if moved && self.settles.is_none() {
            self.settles = Some(now.after(SETTLE));
        }
        false
    }

    /// When it wants to be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.settles.into_iter().chain(self.back).min()
    }

    /// Time has passed. Whether the weights changed.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        self.deadline().is_some_and(|due| due <= now) && self.weigh(now)
    }

    /// All ways in the order of their keys, with their weights: 0 to [`FULL`], and one at least not 0 where there is
    /// any. A way of weight 0 serves only where all others are gone.
    pub fn weights(&self) -> impl Iterator<Item = (K, u8)> + '_ {
        let here = self.ways.iter().filter(|way| way.here);
        here.map(|way| (way.key, way.weight))
    }

    /// Makes weights of the costs. Whether one changed.
    fn weigh(&mut self, now: Instant) -> bool {
        (self.settles, self.back) = (None, None);
        for way in &mut self.ways {
            way.shed.retain(|at| now.since(*at) < MEMORY);
        }
        self.ways.retain(|way| way.here || !way.shed.is_empty());
        let here = self.ways.iter().filter(|way| way.here);
        let Some(best) = here.map(|way| way.cost).min() else {
            return false;
        };
        let mut used = self.ways.iter().filter(|way| way.weight > 0);
        let serves = used.any(|way| weight(best, way.cost, Some(way.weight)) > 0);
        for way in self.ways.iter_mut().filter(|way| way.here) {
            let good = weight(best, way.cost, way.current()) > 0;
            way.good_since = good.then(|| way.good_since.unwrap_or(now));
        }
        let back = self.ways.iter().filter_map(|way| way.back(now));
        let back = if serves { back.min() } else { None };
        let waits = |way: &Way<K>| serves && way.back(now).is_some();
        let weighed = self.ways.iter().filter(|way| way.here && !waits(way));
        let best = weighed.map(|way| way.cost).min().unwrap_or(best);
        let mut changed = false;
        for way in self.ways.iter_mut().filter(|way| way.here) {
            let new = if waits(way) {
                0
            } else {
                weight(best, way.cost, way.current())
            };
            changed |= new != way.weight || way.new;
            way.take(now, new);
        }
        self.back = back;
        changed
    }
}

impl<K> Way<K> {
    const fn new(key: K, cost: Cost) -> Self {
        Self {
            key,
            cost,
            weight: 0,
            here: true,
            new: true,
            good_since: None,
            shed: Vec::new(),
        }
    }

    /// The weight that it moves from.
    fn current(&self) -> Option<u8> {
        (!self.new).then_some(self.weight)
    }

    /// Until when a way that was shed still waits, though it is good.
    fn back(&self, now: Instant) -> Option<Instant> {
        let good_since = self.good_since.filter(|_| self.weight == 0)?;
        let doublings = self.shed.len().checked_sub(1)?.min(BACK_DOUBLINGS);
        let wait = BACK_FIRST * (1_u32 << doublings);
        Some(good_since.after(wait)).filter(|until| *until > now)
    }

    fn take(&mut self, now: Instant, weight: u8) {
        if weight == 0 && self.weight > 0 {
            if self.shed.len() > BACK_DOUBLINGS {
                self.shed.remove(0);
            }
            self.shed.push(now);
        }
        self.weight = weight;
        self.new = false;
    }
}

#[cfg(test)]
mod tests;
