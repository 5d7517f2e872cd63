//! Keeping the shard's journal; the form is [`crate::journal`]'s.

use alloc::boxed::Box;

use rackweave_types::Instant;

use super::Shard;
use crate::flow::CompiledFlow;
use crate::journal::{self, Entry, Header, JournalError, Marks, Medium, Slot, digest};
use crate::nat::Resting;

/// How many slots ahead of the one that is written memory is asked for.
const AHEAD: usize = 4;

impl Shard {
    /// How many octets the shard's journal has.
    pub fn journal_len(&self) -> usize {
        journal::len_of(self.table.capacity())
    }

    /// Begins a journal with all connections that there are; from now on the shard notes what changes. The memory
    /// becomes readable as a journal with the last write, whatever was in it before. So that a process killed in here
    /// loses nothing, it is not the memory of the journal before; that one is kept until this returns.
    ///
    /// # Errors
    /// Where the memory is shorter than [`journal_len`](Self::journal_len); then nothing is changed.
    pub fn begin_journal(&mut self, memory: &mut [u8], now: Instant) -> Result<(), JournalError> {
        let capacity = self.table.capacity();
        let mut medium = Medium::new(memory, capacity)?;
        let (index, count) = (self.id.index(), self.id.count());
        let mut marks = Marks::new(&Header::new(self.secret, index, count, capacity), now);
        marks.program_changed(false);
        marks.rename(self.layers.names().map(digest));
        marks.header.rest_until = self.rest_until().into();
        medium.erase();
        let high = self.table.high();
        if let Some((from, to)) = marks.raise(high) {
            medium.clear(from, to);
        }
        for number in 0..high {
            if let Some(slot) = self.slot(number, &mut marks) {
                medium.put_first(number, slot);
            }
        }
        medium.beat(now);
        medium.write_header(&mut marks.header);
        self.journal = Some(Box::new(marks));
        Ok(())
    }

    /// Brings the journal up to date, in the memory in which it was begun: what changed since the last call, and a
    /// part of the rest, so that a round through all of it takes a few seconds. Returns how many slots were written.
    ///
    /// A worker calls this after each batch, before the batch's frames leave; after [`install`](Self::install),
    /// before the change is reported as done; and every 100 ms where there is no traffic.
    ///
    /// # Errors
    /// Where no journal was begun, or the memory is too short.
    pub fn journal(&mut self, memory: &mut [u8], now: Instant) -> Result<u32, JournalError> {
        let mut marks = self.journal.take().ok_or(JournalError::NotBegun)?;
        let written = match Medium::new(memory, self.table.capacity()) {
            Ok(mut medium) => Ok(self.write(&mut marks, &mut medium, now)),
            Err(error) => Err(error),
        };
        self.journal = Some(marks);
        written
    }

    /// Keeps no journal any longer. What is in its memory stays as it is.
    pub fn end_journal(&mut self) {
        self.journal = None;
    }

    fn write(&self, marks: &mut Marks, medium: &mut Medium<'_>, now: Instant) -> u32 {
        let places = marks.take();
        let renamed = marks.rename(self.layers.names().map(digest));
        let raised = marks.raise(places.iter().max().map_or(0, |place| place + 1));
        if let Some((from, to)) = raised {
            medium.clear(from, to);
        }
        if renamed || raised.is_some() {
            marks.header.rest_until = self.rest_until().into();
            medium.write_header(&mut marks.header);
        }
        let mut written = 0;
        for (at, place) in places.iter().enumerate() {
            if let Some(ahead) = places.get(at + AHEAD) {
                medium.prefetch(*ahead);
            }
            if let Some(slot) = self.slot(*place, marks) {
                medium.put(*place, slot);
                written += 1;
            }
        }
        // After the others: a connection that moved to another place stands in one of them at any time.
        for place in &places {
            if !self.table.get(*place).is_used() {
                medium.vacate(*place);
                written += 1;
            }
        }
        marks.done(places);
        let (places, since) = marks.next_to_refresh(now);
        for place in places {
            if self.table.get(place).last_use >= since
                && let Some(slot) = self.slot(place, marks)
            {
                medium.put(place, slot);
                written += 1;
            }
        }
        medium.beat(now);
        written
    }

    /// The slot of the connection at this place, if there is one.
    #[inline]
    fn slot(&self, number: u32, marks: &mut Marks) -> Option<Slot> {
        let record = self.table.get(number);
        if !record.is_used() {
            return None;
        }
        let peer = record.compiled.peer;
        let entry = Entry {
            record,
            flags: self.frozen_flags(record),
            class: super::freeze::class_number(record.class()),
            peer: self
                .peers
                .get(peer)
                .copied()
                .filter(|_| peer != CompiledFlow::NONE),
            last_use: record.last_use.saturating_sub(self.set_ahead(number)),
        };
        Some(Slot::new(&entry, marks.number()))
    }

    /// The connection at this place has come, gone or changed.
    #[inline]
    pub(super) fn mark(&mut self, number: u32) {
        if let Some(journal) = &mut self.journal {
            journal.mark(number);
        }
    }

    /// Until when outside ports rest, in nanoseconds; 0 where none do.
    fn rest_until(&self) -> u64 {
        let until = self.resting.as_deref().map(Resting::until);
        until.map_or(0, Instant::nanos)
    }
}
