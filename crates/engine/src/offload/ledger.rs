//! Who is where: the stays of connections at the executor, and what is still to be told.

use alloc::collections::VecDeque;

use hashbrown::HashMap;
use rackweave_types::Instant;

use super::{OffloadCounts, OffloadId, OffloadPolicy, OffloadReport};
use crate::flow::FlowHandle;
use crate::hash::FlowHasher;

/// Where a stay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// To be announced.
    Waiting,
    /// Announced.
    Out,
    /// Called back, or to be called back; the last report is awaited.
    Returning,
}

/// One stay.
#[derive(Clone, Copy, Debug)]
struct Stay {
    stage: Stage,
    /// Whether its id is in the queue.
    queued: bool,
    /// What the executor was last given, hashed.
    print: u64,
    /// By how much the last use of its record is set ahead while it is away, in nanoseconds.
    lag: u64,
    sequence: u64,
    counts: [OffloadCounts; 2],
    tcp_flags: [u8; 2],
    /// Places of the connection's network and transport protocol in the traffic counters.
    kind: [u8; 2],
}

/// What the shard has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Look whether the connection is worth announcing; it has not been.
    Announce(OffloadId),
    /// Announce anew: something of it has changed.
    Renew(OffloadId),
    /// Say that it is called back.
    Revoke(OffloadId),
}

/// What a report adds to what is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct News {
    pub(crate) counts: [OffloadCounts; 2],
    /// Flags that no report showed before.
    pub(crate) tcp_flags: [u8; 2],
    pub(crate) kind: [u8; 2],
}

/// The stays of one shard's connections. Bounded: as many stays as the policy's limit, and a bounded number of
/// waiting events for each.
#[derive(Debug)]
pub(crate) struct Ledger {
    policy: OffloadPolicy,
    /// Nothing is announced any more, and what is out comes back.
    closing: bool,
    round: u32,
    stays: HashMap<OffloadId, Stay, FlowHasher>,
    /// The stays of connections that are there, by the number of their record.
    current: HashMap<u32, OffloadId, FlowHasher>,
    queue: VecDeque<OffloadId>,
    /// The announced stays in turn, to look for one that is idle.
    turns: VecDeque<OffloadId>,
    /// Stays that were called back, and until when their last report counts.
    returning: VecDeque<(Instant, OffloadId)>,
}

impl Ledger {
    /// Nothing is out; `round` stays were there under other ledgers of the shard.
    pub(crate) fn new(policy: OffloadPolicy, round: u32, hasher: FlowHasher) -> Self {
        Self {
            policy,
            closing: false,
            round,
            stays: HashMap::with_hasher(hasher),
            current: HashMap::with_hasher(hasher),
            queue: VecDeque::new(),
            turns: VecDeque::new(),
            returning: VecDeque::new(),
        }
    }

    /// Stays of all connections so far.
    pub(crate) const fn round(&self) -> u32 {
        self.round
    }

    pub(crate) const fn after_packets(&self) -> u64 {
        self.policy.after_packets
    }

    /// By how much the last use of this record is set ahead, in nanoseconds: by the lag while it is away.
    pub(crate) fn ahead(&self, number: u32) -> u64 {
        let stay = self.current.get(&number).and_then(|id| self.stays.get(id));
        stay.filter(|stay| stay.stage != Stage::Waiting)
            .map_or(0, |stay| stay.lag)
    }

    /// Whether nothing is out and nothing will be.
    pub(crate) fn is_done(&self) -> bool {
        self.closing && self.stays.is_empty()
    }

    pub(crate) fn close(&mut self) {
        self.closing = true;
        self.revoke_all();
    }

    /// Announces under another policy from now on; what is out under the old one comes back.
    pub(crate) fn reopen(&mut self, policy: OffloadPolicy) {
        self.revoke_all();
        self.policy = policy;
        self.closing = false;
    }

    /// Where the connection of this record is.
    pub(crate) fn stage(&self, number: u32) -> Option<Stage> {
        Some(self.stays.get(self.current.get(&number)?)?.stage)
    }

    /// Whether every place of the executor is taken, or more is untold than fits.
    pub(crate) fn is_full(&self) -> bool {
        let limit = usize::try_from(self.policy.limit).unwrap_or(usize::MAX);
        self.stays.len() >= limit || self.queue.len() >= limit.saturating_mul(2)
    }

    /// The next announced connection to be looked at: its record, and since when it must have been idle for another
    /// to get its place. One step of a walk that goes round.
    pub(crate) fn turn(&mut self, now: Instant) -> Option<(u32, Instant)> {
        let id = self.turns.pop_front()?;
        self.stays
            .get(&id)
            .filter(|stay| stay.stage == Stage::Out)?;
        self.turns.push_back(id);
        let wait = self.policy.idle.saturating_add(self.policy.lag);
        let since = now
            .nanos()
            .checked_sub(u64::try_from(wait.as_nanos()).ok()?)?;
        Some((self.record(id)?, Instant::from_nanos(since)))
    }

    /// Wishes a connection to be announced, where there is room.
    pub(crate) fn offer(&mut self, flow: FlowHandle, kind: [u8; 2]) {
        if self.closing || self.is_full() || self.current.contains_key(&flow.number) {
            return;
        }
        self.round = self.round.wrapping_add(1);
        let id = OffloadId {
            flow,
            round: self.round,
        };
        let stay = Stay {
            stage: Stage::Waiting,
            queued: true,
            print: 0,
            lag: u64::try_from(self.policy.lag.as_nanos()).unwrap_or(u64::MAX),
            sequence: 0,
            counts: [OffloadCounts::default(); 2],
            tcp_flags: [0; 2],
            kind,
        };
        self.stays.insert(id, stay);
        self.current.insert(flow.number, id);
        self.queue.push_back(id);
    }

    /// Notes what the executor is now given of an announced connection; tells it anew where it is something else.
    pub(crate) fn compare(&mut self, number: u32, print: u64) {
        let Some(id) = self.current.get(&number) else {
            return;
        };
        let Some(stay) = self.stays.get_mut(id) else {
            return;
        };
        if stay.print != print && !stay.queued {
            stay.queued = true;
            self.queue.push_back(*id);
        }
    }

    /// Calls a connection back.
    pub(crate) fn revoke(&mut self, number: u32) {
        if let Some(id) = self.current.get(&number).copied()
            && !self.call_back(id)
        {
            self.current.remove(&number);
        }
    }

    /// Calls all back: what they were compiled for is over.
    pub(crate) fn revoke_all(&mut self) {
        let mut current = core::mem::replace(
            &mut self.current,
            HashMap::with_hasher(*self.stays.hasher()),
        );
        current.retain(|_, id| self.call_back(*id));
        self.current = current;
    }

    /// The connection of this record is gone.
    pub(crate) fn gone(&mut self, number: u32) {
        if let Some(id) = self.current.remove(&number) {
            self.call_back(id);
        }
    }

    /// Whether the stay goes on until the executor is told; one that was never announced just ends.
    fn call_back(&mut self, id: OffloadId) -> bool {
        let Some(stay) = self.stays.get_mut(&id) else {
            return false;
        };
        match stay.stage {
            Stage::Waiting => {
                self.stays.remove(&id);
                return false;
            }
            Stage::Out => stay.stage = Stage::Returning,
            Stage::Returning => return true,
        }
        if !stay.queued {
            stay.queued = true;
            self.queue.push_back(id);
        }
        true
    }

    /// What is to be done next.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Due> {
        while let Some(id) = self.queue.pop_front() {
            let Some(stay) = self.stays.get_mut(&id) else {
                continue;
            };
            stay.queued = false;
            match stay.stage {
                Stage::Waiting => return Some(Due::Announce(id)),
                Stage::Out => return Some(Due::Renew(id)),
                Stage::Returning => {
                    let until = now.nanos().saturating_add(stay.lag);
                    self.returning.push_back((Instant::from_nanos(until), id));
                    return Some(Due::Revoke(id));
                }
            }
        }
        None
    }

    /// The connection has been announced, with this entry.
    pub(crate) fn announced(&mut self, id: OffloadId, print: u64) {
        if let Some(stay) = self.stays.get_mut(&id) {
            if stay.stage == Stage::Waiting {
                self.turns.push_back(id);
            }
            stay.stage = Stage::Out;
            stay.print = print;
        }
        self.forget_ended();
    }

    /// Forgets ids of stays that have ended, where they have become more than those of stays that go on.
    fn forget_ended(&mut self) {
        let Self {
            stays,
            turns,
            returning,
            ..
        } = self;
        let most = stays.len() * 2 + 16;
        if turns.len() > most {
            turns.retain(|id| stays.contains_key(id));
        }
        if returning.len() > most {
            returning.retain(|(_, id)| stays.contains_key(id));
        }
    }

    /// A stay whose time to report is over.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<OffloadId> {
        while let Some((until, id)) = self.returning.front().copied() {
            if self.stays.contains_key(&id) {
                if now < until {
                    return None;
                }
                self.returning.pop_front();
                return Some(id);
            }
            self.returning.pop_front();
        }
        None
    }

    /// Ends a stay; the record's last use is no longer set ahead.
    pub(crate) fn end(&mut self, id: OffloadId) {
        self.stays.remove(&id);
        if self.current.get(&id.flow.number) == Some(&id) {
            self.current.remove(&id.flow.number);
        }
    }

    /// Takes a report; `None` where it tells nothing new.
    pub(crate) fn read(&mut self, report: &OffloadReport) -> Option<News> {
        let stay = self.stays.get_mut(&report.id)?;
        if stay.stage == Stage::Waiting || report.sequence <= stay.sequence {
            return None;
        }
        stay.sequence = report.sequence;
        let mut news = News {
            counts: stay.counts,
            tcp_flags: [0; 2],
            kind: stay.kind,
        };
        for side in 0..2 {
            news.counts[side] = report.counts[side].beyond(&stay.counts[side]);
            stay.counts[side] = stay.counts[side].highest(&report.counts[side]);
            news.tcp_flags[side] = report.tcp_flags[side] & !stay.tcp_flags[side];
            stay.tcp_flags[side] |= report.tcp_flags[side];
        }
        Some(news)
    }

    /// The record of the connection that a stay is about, where it is still there.
    pub(crate) fn record(&self, id: OffloadId) -> Option<u32> {
        (self.current.get(&id.flow.number) == Some(&id)).then_some(id.flow.number)
    }
}
