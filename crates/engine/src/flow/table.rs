//! The flow table of one shard: records, their index and the order in which they end.

use core::fmt;

use rackweave_types::Instant;

use super::index::{Crowded, FlowIndex};
use super::queue::QueueId;
use super::recent::Recent;
use super::record::{CompiledFlow, FlowClass, FlowKey, Record};
use super::slab::{FlowHandle, Slab};
use super::wheel::Wheel;
use crate::addr::Addr;
use crate::direction::Direction;
use crate::hash::FlowHasher;
use crate::program::Timeouts;

/// The connections of one shard.
///
/// Every operation takes constant time, and none but [`new`](Self::new) allocates. A packet computes its key's hash
/// once ([`hasher`](Self::hasher)), asks [`lookup`](Self::lookup) and, on a hit, [`is_expired`](Self::is_expired);
/// then it works on the record and [touches](Self::touch) it. On a miss the shard [inserts](Self::insert) a record;
/// a full table gives up its least valuable flow for it. [`expire`](Self::expire) is called now and then.
#[derive(Debug)]
pub struct FlowTable {
    hasher: FlowHasher,
    index: FlowIndex,
    slab: Slab,
    wheel: Wheel,
    recent: Recent,
}

/// Why a flow table cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableError {
    /// Room for no flow, or for more than [`FlowTable::MAX_CAPACITY`], was asked for.
    Capacity(u32),
    /// There is not enough memory.
    OutOfMemory,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity(capacity) => {
                write!(
                    f,
                    "capacity of {capacity} flows is not within 1 to {}",
                    FlowTable::MAX_CAPACITY
                )
            }
            Self::OutOfMemory => f.write_str("not enough memory for the flow table"),
        }
    }
}

impl core::error::Error for TableError {}

/// Why a connection cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InsertError {
    /// Packets with one of its keys belong to another connection.
    KeyInUse {
        /// The direction whose key it is.
        direction: Direction,
        /// The number of the record that has it.
        number: u32,
    },
    /// The table is full, and no flow can end for it.
    Full,
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyInUse {
                direction: Direction::Out,
                number,
            } => {
                write!(f, "outbound key belongs to flow {number}")
            }
            Self::KeyInUse {
                direction: Direction::In,
                number,
            } => {
                write!(f, "inbound key belongs to flow {number}")
            }
            Self::Full => f.write_str("no flow can end for it in the full table"),
        }
    }
}

impl core::error::Error for InsertError {}

/// A flow that the table has given up.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// What named it until now.
    pub handle: FlowHandle,
    /// The record as it was.
    pub record: &'a Record,
    /// Why it ended.
    pub why: EndReason,
}

/// Why the table has given up a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// No packet came for as long as its class allows.
    Expired,
    /// The table was full, and it was the least valuable.
    Evicted,
}

impl FlowTable {
    /// The most flows that one table can hold.
    pub const MAX_CAPACITY: u32 = 1 << 28;

    /// An empty table for `capacity` flows. Room for all of them is set aside ([`bytes_per_flow`](Self::bytes_per_flow)
    /// each); only the index is written at once, the memory of records is touched as flows come.
    ///
    /// # Errors
    /// Where `capacity` is out of bounds or there is not enough memory.
    pub fn new(capacity: u32, timeouts: &Timeouts, hasher: FlowHasher) -> Result<Self, TableError> {
        if capacity == 0 || capacity > Self::MAX_CAPACITY {
            return Err(TableError::Capacity(capacity));
        }
        Ok(Self {
            hasher,
            index: FlowIndex::new(capacity)?,
            slab: Slab::new(capacity)?,
            wheel: Wheel::new(capacity, timeouts),
            recent: Recent::new(capacity)?,
        })
    }

    /// What computes the hashes that [`lookup`](Self::lookup) takes.
    #[inline]
    pub const fn hasher(&self) -> &FlowHasher {
        &self.hasher
    }

    /// Asks for the index's memory for this hash: the first step for a batch of packets.
    #[inline]
    pub fn prefetch_index(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Asks for the memory of the record that this hash most likely means: the second step.
    #[inline]
    pub fn prefetch_record(&self, hash: u64) {
        if let Some(number) = self.index.guess(hash) {
            self.slab.prefetch(number);
        }
    }

    /// Asks for the memory of a record that may have to be added.
    #[inline]
    pub fn prefetch_vacant(&self) {
        self.slab.prefetch_vacant();
    }

    /// Asks for the index's memory for the hash of a key that most likely no connection has.
    #[inline]
    pub fn prefetch_new(&self, hash: u64) {
        self.index.prefetch_both(hash);
    }

    /// The number of the connection that packets with this key belong to; `hash` is the key's. The connection may
    /// have expired without being noticed yet: see [`is_expired`](Self::is_expired).
    #[inline(always)]
    pub fn lookup(&self, key: &FlowKey, hash: u64) -> Option<u32> {
        self.index
            .lookup(hash, |number| self.slab[number].compiled.matches(key))
    }

    /// The record with this number, which [`lookup`](Self::lookup) or a handle gave.
    ///
    /// # Panics
    /// Where no flow ever had the number.
    #[inline]
    pub fn get(&self, number: u32) -> &Record {
        &self.slab[number]
    }

    /// The record with this number, to be changed. Its keys (addresses, ports, protocol, inbound VNI) must stay: a
    /// connection with other keys is removed and inserted anew.
    ///
    /// # Panics
    /// Where no flow ever had the number.
    #[inline]
    pub fn get_mut(&mut self, number: u32) -> &mut Record {
        &mut self.slab[number]
    }

    /// The number of the flow that this handle was given for, if it is still there.
    #[inline]
    pub fn resolve(&self, handle: FlowHandle) -> Option<u32> {
        let there = handle.number < self.slab.high() && self.slab.handle(handle.number) == handle;
        (there && self.slab[handle.number].is_used()).then_some(handle.number)
    }

    /// The handle of the flow with this number.
    ///
    /// # Panics
    /// Where no flow ever had the number.
    pub fn handle(&self, number: u32) -> FlowHandle {
        self.slab.handle(number)
    }

    /// Whether the flow of this record has been idle for as long as its class allows: exact, unlike
    /// [`expire`](Self::expire), which comes by later.
    #[inline]
    pub fn is_expired(&self, record: &Record, now: Instant) -> bool {
        self.wheel.is_expired(record.queue, record.last_use, now)
    }

    /// Whether the half-open flow of this record has been idle for so long that it is worth less than a finished one.
    pub(crate) fn is_stale(&self, record: &Record, now: Instant) -> bool {
        self.wheel.is_stale(record, now)
    }

    /// Notes that a packet of the flow came.
    #[inline]
    pub fn touch(&mut self, number: u32, now: Instant) {
        let record = &mut self.slab[number];
        record.last_use = record.last_use.max(now.nanos());
    }

    /// Adds a connection under the two keys that its compiled flow says.
    ///
    /// Where the table is full, the least valuable flow ends for it and is handed to `ended`; so is an expired flow
    /// that still has one of the keys.
    ///
    /// # Errors
    /// Where a live flow has one of the keys; nothing is changed then but that expired ones may have ended.
    pub fn insert(
        &mut self,
        record: Record,
        class: FlowClass,
        now: Instant,
        mut ended: impl FnMut(Ended<'_>),
    ) -> Result<FlowHandle, InsertError> {
        let keys = FlowKey::all(&record.compiled);
        let hashes = keys.map(|key| self.hasher.hash(&key));
        for hash in hashes {
            self.index.prefetch(hash);
        }
        for (key, hash) in keys.iter().zip(hashes) {
            self.free_key(key, hash, now, &mut ended)?;
        }
        if self.slab.vacant().is_none()
            && let Some(victim) = self.wheel.victim(&mut self.slab, now)
        {
            self.end(victim, EndReason::Evicted, &mut ended);
        }
        let queue = self.queue_of(&record.compiled, class, hashes[0], now);
        let record = Record {
            last_use: now.nanos(),
            ..record
        };
        let handle = self.slab.insert(record).ok_or(InsertError::Full)?;
        self.wheel.link(&mut self.slab, handle.number, queue);
        for hash in hashes {
            if let Err(crowd) = self.index.insert(hash, handle.number) {
                self.thin_out(&crowd, handle.number, &mut ended);
                let placed = self.index.insert(hash, handle.number);
                debug_assert!(placed.is_ok(), "a place was made");
            }
        }
        if class > FlowClass::Closing {
            self.note_answer(handle.number);
        }
        Ok(handle)
    }

    /// Says which flow has the key, unless it has expired; then it ends.
    fn free_key(
        &mut self,
        key: &FlowKey,
        hash: u64,
        now: Instant,
        ended: &mut impl FnMut(Ended<'_>),
    ) -> Result<(), InsertError> {
        let Some(number) = self.lookup(key, hash) else {
            return Ok(());
        };
        if !self.is_expired(&self.slab[number], now) {
            return Err(InsertError::KeyInUse {
                direction: key.direction,
                number,
            });
        }
        self.end(number, EndReason::Expired, ended);
        Ok(())
    }

    /// Ends the least valuable flow of a crowd, other than the one that is being added.
    fn thin_out(&mut self, crowd: &Crowded, added: u32, ended: &mut impl FnMut(Ended<'_>)) {
        let others = crowd.numbers.into_iter().filter(|&number| number != added);
        let victim = others.min_by_key(|&number| {
            let record = &self.slab[number];
            (record.class(), record.last_use)
        });
        if let Some(victim) = victim {
            self.end(victim, EndReason::Evicted, ended);
        }
    }

    /// Ends a flow: what the table knew of it is handed over and forgotten.
    fn end(&mut self, number: u32, why: EndReason, ended: &mut impl FnMut(Ended<'_>)) {
        ended(Ended {
            handle: self.slab.handle(number),
            record: &self.slab[number],
            why,
        });
        self.remove(number);
    }

    /// Removes a flow. Its record can still be read until the next [`insert`](Self::insert).
    ///
    /// # Panics
    /// Where there is no flow with this number.
    pub fn remove(&mut self, number: u32) {
        let keys = FlowKey::all(&self.slab[number].compiled);
        for hash in keys.map(|key| self.hasher.hash(&key)) {
            let was_there = self.index.remove(hash, number);
            debug_assert!(was_there, "a record's keys do not change");
        }
        self.wheel.unlink(&mut self.slab, number);
        self.slab.remove(number);
    }

    /// Changes how valuable a flow is, and with it how long it may be idle. Costs nothing where it stays the same.
    #[inline]
    pub fn reclass(&mut self, number: u32, class: FlowClass) {
        if self.slab[number].class() != class {
            self.reclass_changed(number, class);
        }
    }

    #[cold]
    fn reclass_changed(&mut self, number: u32, class: FlowClass) {
        let answered =
            self.slab[number].class() == FlowClass::Opening && class > FlowClass::Closing;
        let queue = QueueId::new(class, self.slab[number].compiled.protocol, false);
        self.wheel.unlink(&mut self.slab, number);
        self.wheel.link(&mut self.slab, number, queue);
        if answered {
            self.note_answer(number);
        }
    }

    /// Remembers who answered the guest.
    fn note_answer(&mut self, number: u32) {
        let record = &self.slab[number];
        if record.compiled.flags & CompiledFlow::FLAG_BEGAN_OUT != 0 {
            let hash = remote_hash(&self.hasher, &record.compiled);
            self.recent.note(hash, Instant::from_nanos(record.last_use));
        }
    }

    /// Where a new flow waits. Half-open ones of the guest towards who answered lately stand apart from the rest, so
    /// that a flood into the blue does not drive them out before the answer comes. One in sixteen of the others is
    /// put there by lot, or nobody could ever answer for the first time during a flood.
    fn queue_of(
        &self,
        compiled: &CompiledFlow,
        class: FlowClass,
        hash: u64,
        now: Instant,
    ) -> QueueId {
        let hopeful = class == FlowClass::Opening
            && compiled.flags & CompiledFlow::FLAG_BEGAN_OUT != 0
            && (lot(hash ^ now.nanos())
                || self
                    .recent
                    .contains(remote_hash(&self.hasher, compiled), now));
        QueueId::new(class, compiled.protocol, hopeful)
    }

    /// Ends flows that were idle for too long, at most `budget` of them; says how many. Where it is called often and
    /// with enough budget, a flow ends at most a thirtieth of its timeout late. What is left of the budget goes, in a
    /// table that is nearly full, into the order of eviction.
    pub fn expire(&mut self, now: Instant, budget: u32, mut ended: impl FnMut(Ended<'_>)) -> u32 {
        let mut left = budget;
        let mut count = 0;
        while let Some(number) = self.wheel.next_expired(&mut self.slab, now, &mut left) {
            self.end(number, EndReason::Expired, &mut ended);
            count += 1;
        }
        let capacity = self.slab.capacity();
        if self.slab.len() >= capacity - capacity / 8 {
            self.wheel.refresh(&mut self.slab, left);
        }
        count
    }

    /// Changes how long idle flows may live, from now on and for all of them.
    pub fn set_timeouts(&mut self, timeouts: &Timeouts) {
        self.wheel.set_timeouts(&mut self.slab, timeouts);
    }

    /// How many flows there are.
    pub fn len(&self) -> u32 {
        self.slab.len()
    }

    /// Whether there is no flow.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many flows there can be.
    pub fn capacity(&self) -> u32 {
        self.slab.capacity()
    }

    /// One more than the highest number that a flow ever had.
    pub(crate) fn high(&self) -> u32 {
        self.slab.high()
    }

    /// How many flows of this class there are.
    pub fn population(&self, class: FlowClass) -> u32 {
        self.wheel.population(class)
    }

    /// The flows among the next `max` places from `cursor` (0 to begin with), for walking the table in bounded steps
    /// while it is used: a flow that is there all the time is met exactly once.
    pub fn flows_from(&self, cursor: u32, max: u32) -> FlowPage<'_> {
        let end = self.slab.high().min(cursor.saturating_add(max));
        FlowPage {
            table: self,
            at: cursor,
            end,
        }
    }

    /// Octets of memory for each connection, both directions: its record and its share of the index, all of it in
    /// use.
    pub fn bytes_per_flow(&self) -> usize {
        let capacity = self.slab.capacity();
        Slab::RECORD_LEN + self.index.bytes().div_ceil(super::index::at(capacity))
    }

    /// Octets of memory that do not grow with the flows (beyond the size of the table's own type): heads of lists
    /// and who answered lately.
    pub fn fixed_bytes(&self) -> usize {
        self.wheel.bytes() + self.recent.bytes()
    }
}

/// A part of a walk through a flow table; see [`FlowTable::flows_from`].
#[derive(Clone, Debug)]
pub struct FlowPage<'a> {
    table: &'a FlowTable,
    at: u32,
    end: u32,
}

impl FlowPage<'_> {
    /// Where the walk goes on after this page; `None` at the end of the table.
    pub fn next_cursor(&self) -> Option<u32> {
        (self.end < self.table.slab.high()).then_some(self.end)
    }
}

impl<'a> Iterator for FlowPage<'a> {
    type Item = (FlowHandle, &'a Record);

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.end {
            let number = self.at;
            self.at += 1;
            let record = &self.table.slab[number];
            if record.is_used() {
                return Some((self.table.slab.handle(number), record));
            }
        }
        None
    }
}

/// The hash of a connection's other end, as the guest sees it.
fn remote_hash(hasher: &FlowHasher, compiled: &CompiledFlow) -> u64 {
    let guest = &compiled.guest;
    hasher.end(
        Addr::from_octets(guest.remote),
        guest.remote_port,
        compiled.protocol,
    )
}

/// True for one in sixteen values.
fn lot(value: u64) -> bool {
    value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60 == 0
}

#[cfg(test)]
impl FlowTable {
    /// How many entries the index holds, counted one by one.
    pub(super) fn index_entries(&self) -> usize {
        self.index.count()
    }

    /// Looks at every list: links go both ways, and every flow stands in exactly one.
    pub(super) fn check_lists(&self) {
        self.wheel.check(&self.slab);
    }
}
