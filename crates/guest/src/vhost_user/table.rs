//! The three tables of a split ring, where they are in the guest's memory (Virtio 1.3 section 2.7).
//!
//! Every index is masked by the ring's size, which is checked once when the tables are found; what is read is a claim
//! and may differ when it is read again.
#![expect(
    unsafe_code,
    reason = "tables in memory shared with a guest are read and written through raw pointers"
)]

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use super::memory::{Memory, Run};

/// The most descriptors that a ring may have (Virtio 1.3 section 2.7).
pub(super) const MAX_SIZE: u16 = 32_768;

/// Bytes of a descriptor.
pub(super) const DESCRIPTOR_LEN: usize = 16;
/// Bytes of an element of the used ring.
const USED_LEN: usize = 8;
/// Bytes before the entries of the available and of the used ring.
const RING_HEAD: usize = 4;

const FLAG_NEXT: u16 = 1;
const FLAG_WRITE: u16 = 2;
const FLAG_INDIRECT: u16 = 4;

/// One descriptor, as it was when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) address: u64,
    pub(super) len: u32,
    pub(super) next: Option<u16>,
    pub(super) writable: bool,
    pub(super) indirect: bool,
}

/// Where a machine says that a ring's tables are, in its own addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TableAddresses {
    pub(super) descriptors: u64,
    pub(super) available: u64,
    pub(super) used: u64,
}

/// Which table of indices: the driver's or ours.
#[derive(Clone, Copy)]
enum Half {
    Available,
    Used,
}

/// The tables of one ring.
#[derive(Debug)]
pub(super) struct Tables {
    memory: Arc<Memory>,
    /// The number of descriptors, a power of two.
    size: u16,
    /// `size` descriptors, aligned to 16.
    descriptors: NonNull<u8>,
    /// Flags, index, `size` entries and the driver's event, aligned to 2.
    available: NonNull<u8>,
    /// Flags, index, `size` elements and our event, aligned to 4.
    used: NonNull<u8>,
}

// SAFETY: the pointers are into mappings that `memory` keeps and that belong to the process, not to a thread.
unsafe impl Send for Tables {}

impl Tables {
    /// Finds the tables; `None` where they are not wholly in the memory, not aligned, or of an impossible size.
    pub(super) fn find(memory: &Arc<Memory>, size: u16, at: TableAddresses) -> Option<Self> {
        if !size.is_power_of_two() || size > MAX_SIZE {
            return None;
        }
        let entries = usize::from(size);
        let place = |address, len, align: usize| {
            let start = memory.user(address, len)?.start();
            start.addr().get().is_multiple_of(align).then_some(start)
        };
        Some(Self {
            size,
            descriptors: place(at.descriptors, DESCRIPTOR_LEN * entries, 16)?,
            available: place(at.available, RING_HEAD + 2 * entries + 2, 2)?,
            used: place(at.used, RING_HEAD + USED_LEN * entries + 2, 4)?,
            memory: Arc::clone(memory),
        })
    }

    /// The memory that the ring is in.
    #[inline]
    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The number of descriptors.
    #[inline]
    pub(super) fn size(&self) -> u16 {
        self.size
    }

    #[inline]
    fn slot(&self, index: u16) -> usize {
        usize::from(index & (self.size - 1))
    }

    /// A 16-bit field that both sides use at once.
    #[inline]
    fn shared(&self, half: Half, offset: usize) -> &AtomicU16 {
        let table = match half {
            Half::Available => self.available,
            Half::Used => self.used,
        };
        // SAFETY: callers are below and pass even offsets inside the table, so it stays in the mapping.
        let field = unsafe { table.add(offset) };
        // SAFETY: it is aligned, mapped as long as `self`, and 16 bits that both sides may use atomically; a guest
        // that does not only garbles what it claims itself.
        unsafe { AtomicU16::from_ptr(field.as_ptr().cast()) }
    }

    /// The driver's index into the available ring; what it speaks of is visible afterwards.
    #[inline]
    pub(super) fn available_index(&self) -> u16 {
        u16::from_le(self.shared(Half::Available, 2).load(Ordering::Acquire))
    }

    /// The driver's flags: whether it wants to be told nothing.
    #[inline]
    pub(super) fn available_flags(&self) -> u16 {
        u16::from_le(self.shared(Half::Available, 0).load(Ordering::Relaxed))
    }

    /// The head of the chain at this index.
    #[inline]
    pub(super) fn available_entry(&self, index: u16) -> u16 {
        let offset = RING_HEAD + 2 * self.slot(index);
        u16::from_le(self.shared(Half::Available, offset).load(Ordering::Relaxed))
    }

    /// The used index at which the driver wants to be told.
    #[inline]
    pub(super) fn used_event(&self) -> u16 {
        let offset = RING_HEAD + 2 * usize::from(self.size);
        u16::from_le(self.shared(Half::Available, offset).load(Ordering::Relaxed))
    }

    /// Our index into the used ring, as it stands there.
    pub(super) fn used_index(&self) -> u16 {
        u16::from_le(self.shared(Half::Used, 2).load(Ordering::Acquire))
    }

    /// Gives the driver everything before this index.
    #[inline]
    pub(super) fn publish_used(&self, index: u16) {
        self.shared(Half::Used, 2)
            .store(index.to_le(), Ordering::Release);
    }

    /// Tells the driver whether we want to be told.
    #[inline]
    pub(super) fn set_used_flags(&self, flags: u16) {
        self.shared(Half::Used, 0)
            .store(flags.to_le(), Ordering::Relaxed);
    }

    /// Tells the driver at which available index we want to be told.
    #[inline]
    pub(super) fn set_available_event(&self, index: u16) {
        let offset = RING_HEAD + USED_LEN * usize::from(self.size);
        self.shared(Half::Used, offset)
            .store(index.to_le(), Ordering::Relaxed);
    }

    /// Writes an element of the used ring; the driver sees it once its index is published.
    #[inline]
    pub(super) fn set_used(&self, index: u16, head: u16, len: u32) {
        let element = u64::from(head) | (u64::from(len) << 32);
        let offset = RING_HEAD + USED_LEN * self.slot(index);
        // SAFETY: the slot is inside the used ring.
        let place = unsafe { self.used.add(offset) };
        // SAFETY: the place is mapped as long as `self`; nobody here holds a reference to it.
        unsafe { place.cast::<u64>().write_unaligned(element.to_le()) };
    }

    /// A descriptor of the ring's own table.
    #[inline]
    pub(super) fn descriptor(&self, index: u16) -> Option<Descriptor> {
        if index >= self.size {
            return None;
        }
        // SAFETY: the index is inside the table.
        let place = unsafe { self.descriptors.add(DESCRIPTOR_LEN * usize::from(index)) };
        let address = place.cast::<u64>();
        // SAFETY: a descriptor is aligned to 16, mapped as long as `self`, and any bytes are a number.
        let first = unsafe { address.read_volatile() };
        // SAFETY: as above; a descriptor has two words.
        let rest = unsafe { address.add(1) };
        // SAFETY: as above.
        let second = unsafe { rest.read_volatile() };
        Some(Descriptor::of([first, second]))
    }
}

impl Descriptor {
    /// A descriptor of an indirect table.
    #[inline]
    pub(super) fn in_table(table: Run<'_>, index: u16) -> Option<Self> {
        let at = DESCRIPTOR_LEN * usize::from(index);
        if at + DESCRIPTOR_LEN > table.len() {
            return None;
        }
        let (address, rest) = table.split_at(at).1.split_at(8);
        let mut words = [[0; 8]; 2];
        address.copy_to(&mut words[0]);
        rest.copy_to(&mut words[1]);
        Some(Self::of(words.map(u64::from_ne_bytes)))
    }

    #[inline]
    fn of([address, rest]: [u64; 2]) -> Self {
        let [l0, l1, l2, l3, f0, f1, n0, n1] = u64::from_le(rest).to_le_bytes();
        let flags = u16::from_le_bytes([f0, f1]);
        Self {
            address: u64::from_le(address),
            len: u32::from_le_bytes([l0, l1, l2, l3]),
            next: (flags & FLAG_NEXT != 0).then_some(u16::from_le_bytes([n0, n1])),
            writable: flags & FLAG_WRITE != 0,
            indirect: flags & FLAG_INDIRECT != 0,
        }
    }
}
