//! When flows end: timing wheels that are at the same time the order of eviction.
//!
//! Records with the same idle timeout wait in one *queue*: a ring of 64 lists by the time of their last use, each
//! about a thirty-second of the timeout wide. A packet only writes the record's `last_use`; whoever looks at the
//! oldest list, to expire or to evict, moves what was used since to where it belongs. Every operation looks at a
//! bounded number of records.
//!
//! Lists are circular through the records: the outermost links name the list itself, so that a record is taken out
//! without knowing where it stands, and a whole queue is joined into one list by rewriting its ends.

use alloc::vec::Vec;

use rackweave_types::Instant;

use super::FlowClass;
use super::index::at;
use super::queue::{LISTS, QUEUES, Queue, QueueId, list_of};
use super::record::Record;
use super::slab::Slab;
use crate::program::Timeouts;

/// A link with this bit names a list, one without it a record.
const LIST: u32 = 1 << 31;

/// How many used records one eviction moves to where they belong before it takes the longest idle it has met.
const CHANCES: u32 = 4;

/// A record's stamp counts this many nanoseconds, as a power of two: 17 ms.
const STAMP_SHIFT: u32 = 24;

/// A half-open flow that was idle for this part of its timeout is not worth a finished connection.
const STALE_PART: u64 = 8;

/// Where a list begins and ends.
#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
}

/// All queues of one flow table.
#[derive(Debug)]
pub(super) struct Wheel {
    queues: [Queue; QUEUES],
    /// The lists of all queues, one after the other.
    lists: Vec<Ends>,
    /// The queue where expiry goes on.
    turn: usize,
    /// How many half-open, or answered, flows are safe from new ones of their kind.
    share: u32,
}

impl Wheel {
    pub(super) fn new(capacity: u32, timeouts: &Timeouts) -> Self {
        let lists = (LIST..).map(|list| Ends {
            first: list,
            last: list,
        });
        Self {
            queues: QueueId::ALL.map(|id| Queue::new(id.timeout(timeouts))),
            lists: lists.take(QUEUES * at(LISTS)).collect(),
            turn: 0,
            share: (capacity / 16).max(64).min(capacity / 4),
        }
    }

    /// Octets of the lists.
    pub(super) fn bytes(&self) -> usize {
        self.lists.len() * size_of::<Ends>() + size_of::<Self>()
    }

    /// How many flows of this class there are.
    pub(super) fn population(&self, class: FlowClass) -> u32 {
        QueueId::ALL
            .iter()
            .filter(|id| id.class() == class)
            .map(|id| self.queues[id.index()].len)
            .sum()
    }

    /// Whether a record's idle time is over.
    #[inline]
    pub(super) fn is_expired(&self, queue: u8, last_use: u64, now: Instant) -> bool {
        let timeout = self
            .queues
            .get(usize::from(queue))
            .map_or(0, |queue| queue.timeout);
        now.nanos().saturating_sub(last_use) >= timeout
    }

    /// Takes over other timeouts. Flows keep their order; each queue becomes one list, and its records are put
    /// where they belong as they are looked at.
    pub(super) fn set_timeouts(&mut self, slab: &mut Slab, timeouts: &Timeouts) {
        for id in QueueId::ALL {
            let fresh = Queue::new(id.timeout(timeouts));
            let old = self.queues[id.index()];
            if fresh.timeout == old.timeout {
                continue;
            }
            self.queues[id.index()] = fresh;
            let Some(oldest) = old.oldest() else { continue };
            // Nanoseconds to ticks of the new width; the earliest time that the joined list may hold.
            let tick = (oldest << old.shift) >> fresh.shift;
            let joined = self.join(slab, id, &old, oldest);
            let list = list_number(id, tick);
            self.set_next(slab, list, joined.first);
            self.set_prev(slab, joined.first, list);
            self.set_prev(slab, list, joined.last);
            self.set_next(slab, joined.last, list);
            let queue = &mut self.queues[id.index()];
            queue.len = old.len;
            queue.base = tick;
            queue.occupied = 1 << list_of(tick);
        }
    }

    /// Chains the lists of a queue from the oldest to the newest, and leaves them empty.
    fn join(&mut self, slab: &mut Slab, id: QueueId, queue: &Queue, oldest: u64) -> Ends {
        let empty = list_number(id, oldest);
        let mut joined = Ends {
            first: empty,
            last: empty,
        };
        for ahead in 0..u64::from(LISTS) {
            let tick = oldest.wrapping_add(ahead);
            if queue.occupied >> list_of(tick) & 1 == 0 {
                continue;
            }
            let list = list_number(id, tick);
            let Ends { first, last } = self.lists[at(list ^ LIST)];
            if joined.first == empty {
                joined = Ends { first, last };
            } else {
                self.set_next(slab, joined.last, first);
                self.set_prev(slab, first, joined.last);
                joined.last = last;
            }
            self.lists[at(list ^ LIST)] = Ends {
                first: list,
                last: list,
            };
        }
        joined
    }

    /// Puts a record, which is in no list, into a queue by its last use.
    pub(super) fn link(&mut self, slab: &mut Slab, number: u32, id: QueueId) {
        let queue = &mut self.queues[id.index()];
        let tick = queue.tick_for(slab[number].last_use);
        queue.occupied |= 1 << list_of(tick);
        queue.len += 1;
        let list = list_number(id, tick);
        let last = self.lists[at(list ^ LIST)].last;
        let record = &mut slab[number];
        record.queue = id.number();
        record.stamp = stamp(record.last_use);
        record.prev = last;
        record.next = list;
        self.set_next(slab, last, number);
        self.set_prev(slab, list, number);
    }

    /// Takes a record out of its queue.
    pub(super) fn unlink(&mut self, slab: &mut Slab, number: u32) {
        let record = &slab[number];
        let (next, prev) = (record.next, record.prev);
        let queue = &mut self.queues[usize::from(record.queue)];
        queue.len -= 1;
        if next == prev && next & LIST != 0 {
            queue.occupied &= !(1 << (next % LISTS));
        }
        self.set_next(slab, prev, next);
        self.set_prev(slab, next, prev);
    }

    fn set_next(&mut self, slab: &mut Slab, link: u32, next: u32) {
        if link & LIST == 0 {
            slab[link].next = next;
        } else {
            self.lists[at(link ^ LIST)].first = next;
        }
    }

    fn set_prev(&mut self, slab: &mut Slab, link: u32, prev: u32) {
        if link & LIST == 0 {
            slab[link].prev = prev;
        } else {
            self.lists[at(link ^ LIST)].last = prev;
        }
    }

    /// The first record of a queue's oldest list, and the end of that list's time.
    fn head(&self, id: QueueId) -> Option<(u32, u64)> {
        let queue = &self.queues[id.index()];
        let tick = queue.oldest()?;
        let end = tick.saturating_add(1).saturating_mul(1 << queue.shift);
        Some((self.lists[at(list_number(id, tick) ^ LIST)].first, end))
    }

    /// A record whose idle time is over; it is still in its list. Each record that is looked at costs one of
    /// `budget`.
    pub(super) fn next_expired(
        &mut self,
        slab: &mut Slab,
        now: Instant,
        budget: &mut u32,
    ) -> Option<u32> {
        let mut idle = 0;
        while idle < QUEUES && *budget > 0 {
            let id = QueueId::ALL[self.turn];
            self.turn = (self.turn + 1) % QUEUES;
            let limit = now.nanos().checked_sub(self.queues[id.index()].timeout);
            let due = self
                .head(id)
                .filter(|&(_, end)| limit.is_some_and(|limit| end <= limit));
            let Some((number, end)) = due else {
                idle += 1;
                continue;
            };
            idle = 0;
            *budget -= 1;
            if slab[number].last_use < end {
                return Some(number);
            }
            self.relink(slab, number, id);
        }
        None
    }

    /// The least valuable record; it is still in its list.
    ///
    /// Half-open flows go first, then closing, answered and established ones, in each class the longest idle. But
    /// new flows shall not just drive out one another: while there are few half-open (or answered) ones, one of the
    /// next class goes, unless the half-open one has been idle for long.
    pub(super) fn victim(&mut self, slab: &mut Slab, now: Instant) -> Option<u32> {
        let len = |ids: &[QueueId]| {
            ids.iter()
                .map(|id| self.queues[id.index()].len)
                .sum::<u32>()
        };
        let (plain, hopeful) = (len(&QueueId::PLAIN), len(&QueueId::HOPEFUL));
        let (closing, answered) = (len(&[QueueId::Closing]), len(&QueueId::ANSWERED));
        let established = len(&[QueueId::Established]);
        // Each half of the half-open ones is safe from a flood of the other.
        let opening = if plain >= hopeful {
            QueueId::PLAIN
        } else {
            QueueId::HOPEFUL
        };
        let others: &[QueueId] = if closing > 0 {
            &[QueueId::Closing]
        } else if answered > 0 && (answered >= self.share || established == 0) {
            &QueueId::ANSWERED
        } else {
            &[QueueId::Established]
        };
        if plain + hopeful == 0 {
            return self.longest_idle(slab, others);
        }
        let number = self.longest_idle(slab, &opening)?;
        let few = plain + hopeful < self.share && closing + answered + established > 0;
        if few && !self.is_stale(&slab[number], now) {
            return self.longest_idle(slab, others);
        }
        Some(number)
    }

    /// Whether a half-open record has been idle for so long that it is not worth another.
    pub(super) fn is_stale(&self, record: &Record, now: Instant) -> bool {
        let timeout = self.queues[usize::from(record.queue)].timeout;
        now.nanos().saturating_sub(record.last_use) >= timeout / STALE_PART
    }

    /// The longest idle record of these queues, to the accuracy of their lists; within a list, one that was used
    /// since it was put there goes behind the others.
    fn longest_idle(&mut self, slab: &mut Slab, ids: &[QueueId]) -> Option<u32> {
        let mut longest: Option<(u64, u32)> = None;
        for _ in 0..CHANCES {
            let heads = ids.iter().filter_map(|&id| {
                let (number, end) = self.head(id)?;
                Some((slab[number].last_use, number, id, end))
            });
            let (last_use, number, id, end) = heads.min_by_key(|&(last_use, ..)| last_use)?;
            if !is_used_since(&slab[number], end) {
                return Some(number);
            }
            if longest.is_none_or(|(time, _)| last_use < time) {
                longest = Some((last_use, number));
            }
            self.relink(slab, number, id);
        }
        longest.map(|(_, number)| number)
    }

    /// Moves the oldest finished connections that were used since to where they belong, until one was not; each costs
    /// one of `budget`. Done ahead of need, so that an eviction meets few of them.
    pub(super) fn refresh(&mut self, slab: &mut Slab, mut budget: u32) {
        for id in [
            QueueId::Established,
            QueueId::Answered,
            QueueId::IcmpAnswered,
        ] {
            while budget > 0
                && let Some((number, end)) = self.head(id)
                && is_used_since(&slab[number], end)
            {
                self.relink(slab, number, id);
                budget -= 1;
            }
        }
    }

    /// Moves a record to where its last use belongs.
    fn relink(&mut self, slab: &mut Slab, number: u32, id: QueueId) {
        self.unlink(slab, number);
        self.link(slab, number, id);
    }
}

/// Whether a record was used since it was put into its list, whose time is over at `end`.
fn is_used_since(record: &Record, end: u64) -> bool {
    record.last_use >= end || stamp(record.last_use) != record.stamp
}

/// The part of a time that a record's stamp keeps.
fn stamp(time: u64) -> u16 {
    let [low, high, ..] = (time >> STAMP_SHIFT).to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// The link that names the list of a tick.
fn list_number(id: QueueId, tick: u64) -> u32 {
    LIST | (u32::from(id.number()) * LISTS + list_of(tick))
}

#[cfg(test)]
impl Wheel {
    /// Looks at every list: links go both ways, lists are marked, and lengths are right.
    pub(super) fn check(&self, slab: &Slab) {
        let mut total = 0;
        for id in QueueId::ALL {
            let queue = &self.queues[id.index()];
            let mut len = 0;
            for tick in 0..u64::from(LISTS) {
                let list = list_number(id, tick);
                let ends = self.lists[at(list ^ LIST)];
                assert_eq!(queue.occupied >> list_of(tick) & 1 == 1, ends.first != list);
                let (mut prev, mut number) = (list, ends.first);
                while number != list {
                    assert_eq!((slab[number].prev, slab[number].queue), (prev, id.number()));
                    assert!(slab[number].is_used());
                    (prev, number) = (number, slab[number].next);
                    len += 1;
                }
                assert_eq!(ends.last, prev);
            }
            assert_eq!(len, queue.len);
            total += len;
        }
        assert_eq!(total, slab.len());
    }
}
