//! Where records stand: one array, with a list of free places. Its room is set aside at once, so that no record ever
//! moves; its memory is taken as places are used for the first time.

use alloc::vec::Vec;

use super::TableError;
use super::index::at;
use super::prefetch::prefetch;
use super::record::Record;

/// One life of one place in a flow table: a handle kept over the flow's end meets no other flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowHandle {
    /// The record's number.
    pub number: u32,
    /// Which of the place's lives; odd.
    pub serial: u32,
}

/// The records of one flow table.
#[derive(Debug)]
pub(super) struct Slab {
    /// Places that have memory, within the room for all.
    records: Vec<Record>,
    capacity: u32,
    /// The place freed last; each free place names the next in `Record::next`.
    free: u32,
    /// Places from here on were never used.
    high: u32,
    len: u32,
}

/// No place.
const NONE: u32 = u32::MAX;
/// Places that get memory at once: enough for the next ones to be there when they are asked for ahead.
const STEP: u32 = 256;

impl Slab {
    /// Octets of one record.
    pub(super) const RECORD_LEN: usize = size_of::<Record>();

    /// Room for `capacity` records.
    ///
    /// # Errors
    /// Where there is not enough memory.
    pub(super) fn new(capacity: u32) -> Result<Self, TableError> {
        let mut records = Vec::new();
        records
            .try_reserve_exact(at(capacity))
            .map_err(|_| TableError::OutOfMemory)?;
        Ok(Self {
            records,
            capacity,
            free: NONE,
            high: 0,
            len: 0,
        })
    }

    /// How many records are in use.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// How many records there can be.
    pub(super) const fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Where the next record will stand, if there is room.
    pub(super) fn vacant(&self) -> Option<u32> {
        if self.free != NONE {
            Some(self.free)
        } else if self.high < self.capacity {
            Some(self.high)
        } else {
            None
        }
    }

    /// Puts a record into a free place.
    pub(super) fn insert(&mut self, record: Record) -> Option<FlowHandle> {
        let number = self.vacant()?;
        if at(number) == self.records.len() {
            self.take_memory();
        }
        let place = &mut self.records[at(number)];
        if number == self.free {
            self.free = place.next;
        } else {
            self.high += 1;
        }
        let serial = place.serial.wrapping_add(1);
        *place = Record { serial, ..record };
        self.len += 1;
        Some(FlowHandle { number, serial })
    }

    /// Takes memory for some more places, of the room that is there.
    #[cold]
    fn take_memory(&mut self) {
        let len = self.high.saturating_add(STEP).min(self.capacity);
        self.records.resize(at(len), Record::empty());
    }

    /// Frees a place. Its contents stay until it is used again.
    pub(super) fn remove(&mut self, number: u32) {
        let place = &mut self.records[at(number)];
        debug_assert!(place.is_used(), "a free place cannot be freed");
        place.serial = place.serial.wrapping_add(1);
        place.next = self.free;
        self.free = number;
        self.len -= 1;
    }

    /// The handle of a place in use.
    pub(super) fn handle(&self, number: u32) -> FlowHandle {
        FlowHandle {
            number,
            serial: self[number].serial,
        }
    }

    /// Asks for the three cache lines of a record.
    #[inline]
    pub(super) fn prefetch(&self, number: u32) {
        if let Some(record) = self.records.get(at(number)) {
            prefetch(&record.compiled.guest);
            prefetch(&record.compiled.protocol);
            prefetch(&record.last_use);
        }
    }

    /// Asks for the place where the next record will stand.
    #[inline]
    pub(super) fn prefetch_vacant(&self) {
        if let Some(number) = self.vacant() {
            self.prefetch(number);
        }
    }

    /// One more than the highest number ever used.
    pub(super) fn high(&self) -> u32 {
        self.high
    }
}

impl core::ops::Index<u32> for Slab {
    type Output = Record;

    #[inline]
    fn index(&self, number: u32) -> &Record {
        &self.records[at(number)]
    }
}

impl core::ops::IndexMut<u32> for Slab {
    #[inline]
    fn index_mut(&mut self, number: u32) -> &mut Record {
        &mut self.records[at(number)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_with_another_serial() {
        let mut slab = Slab::new(2).unwrap();
        let a = slab.insert(Record::empty()).unwrap();
        let b = slab.insert(Record::empty()).unwrap();
        assert_eq!(slab.insert(Record::empty()), None);
        assert_eq!(
            ((a.number, a.serial), (b.number, b.serial)),
            ((0, 1), (1, 1))
        );
        slab.remove(0);
        slab.remove(1);
        assert_eq!(slab.len(), 0);
        let c = slab.insert(Record::empty()).unwrap();
        let d = slab.insert(Record::empty()).unwrap();
        assert_eq!(
            ((c.number, c.serial), (d.number, d.serial)),
            ((1, 3), (0, 3))
        );
        assert_eq!(slab.vacant(), None);
    }

    #[test]
    fn memory_is_taken_as_places_are_used() {
        let mut slab = Slab::new(1_000_000).unwrap();
        let room = slab.records.as_ptr();
        assert_eq!((slab.records.len(), slab.capacity()), (0, 1_000_000));
        for number in 0..1_000 {
            assert_eq!(slab.vacant(), Some(number));
            slab.insert(Record::empty()).unwrap();
            assert!(slab.records.len() <= at(number + STEP));
        }
        assert_eq!(slab.records.as_ptr(), room, "no record moves");
    }
}
