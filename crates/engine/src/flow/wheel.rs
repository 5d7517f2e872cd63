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
use core::time::Duration;

use rackweave_types::Instant;

use super::FlowClass;
use super::index::at;
use super::slab::Slab;
use crate::parse::protocol;
use crate::program::Timeouts;

/// Lists in a queue: one for each bit of [`Queue::occupied`].
const LISTS: u32 = 64;

/// A timeout is at most this many lists wide, so that all flows within it stand in different lists by their time.
const MAX_WIDTH: u64 = 62;

/// A link with this bit names a list, one without it a record.
const LIST: u32 = 1 << 31;

/// How many used records one eviction moves to where they belong before it takes the longest idle it has met.
const CHANCES: u32 = 8;

/// A half-open flow that was idle for this part of its timeout is not worth a finished connection.
const STALE_PART: u64 = 8;

/// The queues: one for each timeout, and half-open flows apart by what is to be expected of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum QueueId {
    TcpHalfOpen,
    Unanswered,
    IcmpUnanswered,
    /// As the three above, towards end points that answered lately.
    TcpHalfOpenHopeful,
    UnansweredHopeful,
    IcmpUnansweredHopeful,
    Closing,
    Answered,
    IcmpAnswered,
    Established,
}

const QUEUES: usize = 10;

impl QueueId {
    const ALL: [Self; QUEUES] = [
        Self::TcpHalfOpen,
        Self::Unanswered,
        Self::IcmpUnanswered,
        Self::TcpHalfOpenHopeful,
        Self::UnansweredHopeful,
        Self::IcmpUnansweredHopeful,
        Self::Closing,
        Self::Answered,
        Self::IcmpAnswered,
        Self::Established,
    ];
    const PLAIN: [Self; 3] = [Self::TcpHalfOpen, Self::Unanswered, Self::IcmpUnanswered];
    const HOPEFUL: [Self; 3] = [
        Self::TcpHalfOpenHopeful,
        Self::UnansweredHopeful,
        Self::IcmpUnansweredHopeful,
    ];
    const ANSWERED: [Self; 2] = [Self::Answered, Self::IcmpAnswered];

    /// The queue of a connection of this class and protocol; `hopeful` is asked for half-open ones only.
    pub(super) const fn new(class: FlowClass, protocol: u8, hopeful: bool) -> Self {
        let icmp = matches!(protocol, protocol::ICMP | protocol::ICMPV6);
        match (class, protocol, hopeful) {
            (FlowClass::Opening, protocol::TCP, false) => Self::TcpHalfOpen,
            (FlowClass::Opening, protocol::TCP, true) => Self::TcpHalfOpenHopeful,
            (FlowClass::Opening, _, false) if icmp => Self::IcmpUnanswered,
            (FlowClass::Opening, _, true) if icmp => Self::IcmpUnansweredHopeful,
            (FlowClass::Opening, _, false) => Self::Unanswered,
            (FlowClass::Opening, _, true) => Self::UnansweredHopeful,
            (FlowClass::Closing, ..) => Self::Closing,
            (FlowClass::Answered, ..) if icmp => Self::IcmpAnswered,
            (FlowClass::Answered, ..) => Self::Answered,
            (FlowClass::Established, ..) => Self::Established,
        }
    }

    const fn class(self) -> FlowClass {
        match self {
            Self::TcpHalfOpen
            | Self::Unanswered
            | Self::IcmpUnanswered
            | Self::TcpHalfOpenHopeful
            | Self::UnansweredHopeful
            | Self::IcmpUnansweredHopeful => FlowClass::Opening,
            Self::Closing => FlowClass::Closing,
            Self::Answered | Self::IcmpAnswered => FlowClass::Answered,
            Self::Established => FlowClass::Established,
        }
    }

    const fn timeout(self, timeouts: &Timeouts) -> Duration {
        match self {
            Self::TcpHalfOpen | Self::TcpHalfOpenHopeful => timeouts.tcp_half_open,
            Self::Unanswered | Self::UnansweredHopeful => timeouts.unanswered,
            Self::IcmpUnanswered | Self::IcmpUnansweredHopeful | Self::IcmpAnswered => {
                timeouts.icmp
            }
            Self::Closing => timeouts.tcp_closing,
            Self::Answered => timeouts.answered,
            Self::Established => timeouts.tcp_established,
        }
    }

    /// The number that a record holds.
    pub(super) const fn number(self) -> u8 {
        // The enum is `repr(u8)`.
        self as u8
    }

    fn index(self) -> usize {
        usize::from(self.number())
    }
}

/// The class of the queue with this number; of numbers that no queue has, the least valuable.
#[inline]
pub(super) fn class_of(queue: u8) -> FlowClass {
    QueueId::ALL
        .get(usize::from(queue))
        .map_or(FlowClass::Opening, |queue| queue.class())
}

/// The flows of one timeout, by their last use.
#[derive(Clone, Copy, Debug)]
struct Queue {
    /// In nanoseconds.
    timeout: u64,
    /// A list is 2^`shift` nanoseconds wide.
    shift: u32,
    len: u32,
    /// No list is for an earlier tick (time divided by the width), nor for one 64 later.
    base: u64,
    /// Which lists hold a record, by tick modulo 64.
    occupied: u64,
}

impl Queue {
    fn new(timeout: Duration) -> Self {
        let timeout = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        let mut shift = 0;
        while timeout >> shift > MAX_WIDTH {
            shift += 1;
        }
        Self {
            timeout,
            shift,
            len: 0,
            base: 0,
            occupied: 0,
        }
    }

    /// The oldest tick whose list holds a record.
    fn oldest(&self) -> Option<u64> {
        let ahead = self
            .occupied
            .rotate_right(list_of(self.base))
            .trailing_zeros();
        (ahead < LISTS).then(|| self.base + u64::from(ahead))
    }

    /// The tick under which a record of this last use is put: its own, unless that is too far from the others'.
    fn tick_for(&mut self, last_use: u64) -> u64 {
        let tick = last_use >> self.shift;
        let Some(oldest) = self.oldest() else {
            self.base = tick;
            return tick;
        };
        let span = u64::from(LISTS - 1);
        let behind = self
            .occupied
            .rotate_right(list_of(self.base))
            .leading_zeros();
        let newest = self.base + (span - u64::from(behind));
        let tick = tick.clamp(newest.saturating_sub(span), oldest.saturating_add(span));
        self.base = oldest.min(tick);
        tick
    }
}

/// The list of a tick within its queue.
fn list_of(tick: u64) -> u32 {
    let [low, ..] = tick.to_le_bytes();
    u32::from(low) % LISTS
}

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
        if few && !self.is_stale(slab, number, now) {
            return self.longest_idle(slab, others);
        }
        Some(number)
    }

    /// Whether a half-open record has been idle for so long that it is not worth another.
    fn is_stale(&self, slab: &Slab, number: u32, now: Instant) -> bool {
        let record = &slab[number];
        let timeout = self.queues[usize::from(record.queue)].timeout;
        now.nanos().saturating_sub(record.last_use) >= timeout / STALE_PART
    }

    /// The longest idle record of these queues, to the accuracy of their lists.
    fn longest_idle(&mut self, slab: &mut Slab, ids: &[QueueId]) -> Option<u32> {
        let mut longest: Option<(u64, u32)> = None;
        for _ in 0..CHANCES {
            let heads = ids.iter().filter_map(|&id| {
                let (number, end) = self.head(id)?;
                Some((slab[number].last_use, number, id, end))
            });
            let (last_use, number, id, end) = heads.min_by_key(|&(last_use, ..)| last_use)?;
            if last_use < end {
                return Some(number);
            }
            if longest.is_none_or(|(time, _)| last_use < time) {
                longest = Some((last_use, number));
            }
            self.relink(slab, number, id);
        }
        longest.map(|(_, number)| number)
    }

    /// Moves a record to where its last use belongs.
    fn relink(&mut self, slab: &mut Slab, number: u32, id: QueueId) {
        self.unlink(slab, number);
        self.link(slab, number, id);
    }
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
