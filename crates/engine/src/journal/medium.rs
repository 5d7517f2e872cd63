//! The memory of a journal, as it is written.

use core::sync::atomic::{Ordering, compiler_fence};

use rackweave_types::Instant;
use zerocopy::IntoBytes;

use super::error::JournalError;
use super::header::Header;
use super::slot::Slot;
use crate::flow::prefetch;

/// Where the two headers begin, and how long one may become.
pub(super) const HEADERS: [usize; 2] = [0, 2_048];
pub(super) const HEADER_ROOM: usize = 1_024;
/// Where the time of the last call stands.
pub(super) const BEAT_AT: usize = 4_032;
/// Where the draft begins, and its slot behind that.
pub(super) const DRAFT_AT: usize = 4_096;
pub(super) const DRAFT_HEAD: usize = 64;
/// Where this version's first slot begins.
pub(super) const SLOTS_AT: usize = 8_192;

/// Octets of a journal for so many connections.
pub(crate) const fn len_of(capacity: u32) -> usize {
    SLOTS_AT.saturating_add(at(capacity).saturating_mul(Slot::LEN))
}

/// A place as an index: 32 bits fit wherever this runs.
const fn at(place: u32) -> usize {
    place as usize
}

/// The memory of one journal.
#[derive(Debug)]
pub(crate) struct Medium<'m> {
    head: &'m mut [u8],
    slots: &'m mut [[u8; Slot::LEN]],
}

impl<'m> Medium<'m> {
    /// The memory, if it is long enough.
    pub(crate) fn new(bytes: &'m mut [u8], capacity: u32) -> Result<Self, JournalError> {
        let (len, needed) = (bytes.len(), len_of(capacity));
        if len < needed {
            return Err(JournalError::NoRoom { len, needed });
        }
        let (head, slots) = bytes.split_at_mut(SLOTS_AT);
        let (slots, _) = slots.as_chunks_mut();
        Ok(Self { head, slots })
    }

    /// Makes the memory unreadable as a journal, to begin another.
    pub(crate) fn erase(&mut self) {
        self.head.fill(0);
        in_order();
    }

    /// Writes the header, twice: one of the two is whole at any time.
    pub(crate) fn write_header(&mut self, header: &mut Header) {
        let sealed = header.sealed();
        for from in HEADERS {
            in_order();
            write(self.head, from, sealed.as_bytes());
        }
        in_order();
    }

    /// Notes when the journal was written last.
    pub(crate) fn beat(&mut self, now: Instant) {
        write(self.head, BEAT_AT, &now.nanos().to_le_bytes());
    }

    /// Makes the slots from one place to before another vacant.
    pub(crate) fn clear(&mut self, from: u32, to: u32) {
        let slots = self.slots.get_mut(at(from)..at(to));
        slots.unwrap_or_default().as_flattened_mut().fill(0);
        in_order();
    }

    /// Asks for the memory of a slot that will be written soon.
    pub(crate) fn prefetch(&self, place: u32) {
        if let Some(slot) = self.slots.get(at(place)) {
            let (lines, _) = slot.as_chunks::<64>();
            for line in lines {
                prefetch(line);
            }
        }
    }

    /// Writes a slot where nothing was, or where nobody reads before the header is written.
    pub(crate) fn put_first(&mut self, place: u32, slot: Slot) {
        if let Some(to) = self.slots.get_mut(at(place)) {
            to.copy_from_slice(slot.sealed(place).as_bytes());
        }
    }

    /// Writes a slot: the draft, then the slot. Whichever write is cut short, the other is whole.
    #[inline]
    pub(crate) fn put(&mut self, place: u32, slot: Slot) {
        let Some(to) = self.slots.get_mut(at(place)) else {
            return;
        };
        let slot = slot.sealed(place);
        write(self.head, DRAFT_AT, &place.to_le_bytes());
        write(self.head, DRAFT_AT + DRAFT_HEAD, slot.as_bytes());
        in_order();
        to.copy_from_slice(slot.as_bytes());
        in_order();
    }

    /// Makes a slot vacant: one store, which cannot be cut short.
    #[inline]
    pub(crate) fn vacate(&mut self, place: u32) {
        let slot = self.slots.get_mut(at(place));
        if let Some(checksum) = slot.and_then(|slot| slot.first_chunk_mut()) {
            *checksum = [0; 8];
        }
        in_order();
    }
}

fn write(bytes: &mut [u8], from: usize, what: &[u8]) {
    if let Some(to) = bytes.get_mut(from..from + what.len()) {
        to.copy_from_slice(what);
    }
}

/// What was written before stands in the program before what comes after. The one who reads does so when this process
/// is gone: to a kernel that ends it, a thread's writes are done in the order of its program.
fn in_order() {
    compiler_fence(Ordering::SeqCst);
}
