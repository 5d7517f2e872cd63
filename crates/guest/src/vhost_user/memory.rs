//! A guest's memory, mapped here.
//!
//! It is shared with the guest, which may change any byte at any time, and with the machine, which may take it away.
//! So no reference to it is ever made: it is copied to and from, in [`Run`]s that lie inside one mapping. What was
//! copied is what is looked at.
#![expect(
    unsafe_code,
    reason = "memory shared with another process is reached by raw pointers alone"
)]

use std::fs::File;
use std::marker::PhantomData;
use std::os::unix::fs::MetadataExt;
use std::ptr::NonNull;
use std::sync::Arc;

use thiserror::Error;
use vm_memory::{FileOffset, MmapRegion};

use super::sigbus::{self, Guard};

/// The most regions that a guest's memory may have.
pub(super) const MAX_REGIONS: usize = 32;

/// What a machine says about one region of its guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RegionClaim {
    /// Where it is for the guest.
    pub(super) guest: u64,
    /// Where it is for the machine.
    pub(super) user: u64,
    /// Its size in bytes.
    pub(super) len: u64,
    /// Where it begins in its file.
    pub(super) offset: u64,
}

/// One region, mapped; it stays as long as somebody has it.
#[derive(Debug)]
struct Mapping {
    // Dropped first: what is no longer guarded may go.
    guard: Guard,
    _region: MmapRegion,
}

/// A region, and where it is here.
#[derive(Clone, Debug)]
struct Region {
    claim: RegionClaim,
    /// Bytes of the region; all of them are mapped.
    len: usize,
    /// Where the region begins in this process.
    start: NonNull<u8>,
    mapping: Arc<Mapping>,
}

/// All of a guest's memory. Regions do not overlap in the guest.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    regions: Vec<Region>,
}

// SAFETY: `Region::start` points into its mapping, which is process-wide and lives as long as the region; nothing
// here depends on the thread.
unsafe impl Send for Memory {}
// SAFETY: as above; through a shared reference the memory is only copied to and from, and a race with another
// writer can do no more than what the guest itself can do at any time.
unsafe impl Sync for Memory {}

/// Why a region is not taken.
#[derive(Debug, Error)]
pub(super) enum MemoryError {
    #[error("there are more than {MAX_REGIONS} memory regions")]
    TooMany,
    #[error("a memory region is empty or wraps around")]
    Range,
    #[error("two memory regions overlap in the guest")]
    Overlap,
    #[error("a memory region ends at {end} in a file of {size} bytes")]
    PastEnd { end: u64, size: u64 },
    #[error("the file of a memory region cannot be looked at")]
    File { source: std::io::Error },
    #[error("a memory region cannot be mapped")]
    Map {
        source: vm_memory::mmap::MmapRegionError,
    },
    #[error("this process guards as many memory regions as it can")]
    Guard { source: sigbus::GuardError },
    #[error("there is no such memory region to take away")]
    Unknown,
}

impl Memory {
    /// Maps one more region.
    pub(super) fn add(&mut self, claim: RegionClaim, file: File) -> Result<(), MemoryError> {
        if self.regions.len() >= MAX_REGIONS {
            return Err(MemoryError::TooMany);
        }
        let end = |from: u64| from.checked_add(claim.len).ok_or(MemoryError::Range);
        let (guest_end, file_end) = (end(claim.guest)?, end(claim.offset)?);
        end(claim.user)?;
        if claim.len == 0 {
            return Err(MemoryError::Range);
        }
        let overlaps = |region: &Region| {
            claim.guest < region.claim.guest + region.claim.len && region.claim.guest < guest_end
        };
        if self.regions.iter().any(overlaps) {
            return Err(MemoryError::Overlap);
        }
        let region = Region::map(claim, file_end, file)?;
        self.regions.push(region);
        Ok(())
    }

    /// Takes away the region that was added by this claim; where it lies in its file does not count.
    pub(super) fn remove(&mut self, claim: RegionClaim) -> Result<(), MemoryError> {
        let is_it = |region: &Region| {
            let known = region.claim;
            (known.guest, known.user, known.len) == (claim.guest, claim.user, claim.len)
        };
        let at = self
            .regions
            .iter()
            .position(is_it)
            .ok_or(MemoryError::Unknown)?;
        self.regions.remove(at);
        Ok(())
    }

    /// Whether the machine took a part of it away while it was in use.
    pub(super) fn is_gone(&self) -> bool {
        self.regions
            .iter()
            .any(|region| region.mapping.guard.is_gone())
    }

    /// The bytes at a guest's address: `len` of them, or fewer where the region ends before.
    ///
    /// `hint` remembers the region of the last call.
    #[inline]
    pub(super) fn guest(&self, address: u64, len: usize, hint: &mut usize) -> Option<Run<'_>> {
        if let Some(region) = self.regions.get(*hint)
            && let Some(run) = region.run(address.wrapping_sub(region.claim.guest), len)
        {
            return Some(run);
        }
        self.regions.iter().enumerate().find_map(|(at, region)| {
            let run = region.run(address.checked_sub(region.claim.guest)?, len)?;
            *hint = at;
            Some(run)
        })
    }

    /// All `len` bytes at a machine's address.
    pub(super) fn user(&self, address: u64, len: usize) -> Option<Run<'_>> {
        self.regions
            .iter()
            .find_map(|region| region.run(address.checked_sub(region.claim.user)?, len))
            .filter(|run| run.len() == len)
    }
}

impl Region {
    fn map(claim: RegionClaim, file_end: u64, file: File) -> Result<Self, MemoryError> {
        let meta = file
            .metadata()
            .map_err(|source| MemoryError::File { source })?;
        if meta.len() < file_end {
            return Err(MemoryError::PastEnd {
                end: file_end,
                size: meta.len(),
            });
        }
        // A mapping begins at a page, and with huge pages at a huge one, whose size is the file's block size.
        let page = meta.blksize().max(4096);
        let before = claim.offset % page;
        let size = |bytes: u64| usize::try_from(bytes).map_err(|_| MemoryError::Range);
        let len = size(claim.len)?;
        let whole = size(before + claim.len)?;
        let at = FileOffset::new(file, claim.offset - before);
        let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let region = MmapRegion::build(Some(at), whole, prot, flags)
            .map_err(|source| MemoryError::Map { source })?;
        let guard = Guard::new(region.as_ptr().addr(), whole)
            .map_err(|source| MemoryError::Guard { source })?;
        // SAFETY: `before` is less than `whole`, the size of the mapping.
        let start = unsafe { region.as_ptr().add(size(before)?) };
        let start = NonNull::new(start).ok_or(MemoryError::Range)?;
        Ok(Self {
            claim,
            len,
            start,
            mapping: Arc::new(Mapping {
                guard,
                _region: region,
            }),
        })
    }

    /// The bytes from `offset` on, at most `len`.
    #[inline]
    fn run(&self, offset: u64, len: usize) -> Option<Run<'_>> {
        let offset = usize::try_from(offset).ok()?;
        let room = self.len.checked_sub(offset)?;
        if room == 0 {
            return None;
        }
        Some(Run {
            // SAFETY: `offset` is less than the region's length, and all of the region is mapped.
            start: unsafe { self.start.add(offset) },
            len: len.min(room),
            memory: PhantomData,
        })
    }
}

/// Bytes of a guest that lie together in one mapping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'m> {
    start: NonNull<u8>,
    len: usize,
    memory: PhantomData<&'m Memory>,
}

impl Run<'_> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Where it begins; for tables that are read in place, as long as the memory is held.
    #[inline]
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// The first `at` bytes, and the rest.
    #[inline]
    pub(super) fn split_at(self, at: usize) -> (Self, Self) {
        let at = at.min(self.len);
        let first = Self { len: at, ..self };
        let rest = Self {
            // SAFETY: `at` is at most the run's length: this is inside the mapping, or one past its end and then
            // nothing is read from there.
            start: unsafe { self.start.add(at) },
            len: self.len - at,
            ..self
        };
        (first, rest)
    }

    /// Copies as much as fits in both.
    #[inline]
    pub(super) fn copy_to(self, bytes: &mut [u8]) {
        let len = self.len.min(bytes.len());
        // SAFETY: `len` bytes are inside the mapping, which the lifetime keeps, and inside `bytes`, which no guest
        // sees, so that they do not overlap. A guest that writes meanwhile garbles its own frame.
        unsafe { std::ptr::copy_nonoverlapping(self.start.as_ptr(), bytes.as_mut_ptr(), len) };
    }

    /// Overwrites as much as both have.
    #[inline]
    pub(super) fn copy_from(self, bytes: &[u8]) {
        let len = self.len.min(bytes.len());
        // SAFETY: as in `copy_to`, in the other direction; nobody here holds a reference to the guest's memory.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.as_ptr(), len) };
    }

    /// Has the processor fetch its beginning.
    #[inline]
    pub(super) fn prefetch(self) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a prefetch reads nothing that a program can see, and faults on no address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(self.start.as_ptr().cast::<i8>().cast_const()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::{File, Memory, MemoryError, RegionClaim};

    fn file(len: u64) -> File {
        let fd: OwnedFd = memfd_create("memory", MFdFlags::MFD_CLOEXEC).unwrap();
        let file = File::from(fd);
        file.set_len(len).unwrap();
        file
    }

    fn claim(guest: u64, len: u64, offset: u64) -> RegionClaim {
        RegionClaim {
            guest,
            user: guest + 0x7000_0000_0000,
            len,
            offset,
        }
    }

    #[test]
    fn a_run_ends_with_its_region() {
        let mut memory = Memory::default();
        memory
            .add(claim(0x1_0000, 0x2000, 0), file(0x2000))
            .unwrap();
        memory
            .add(claim(0x1_2000, 0x1000, 0x1010), file(0x3000))
            .unwrap();
        let mut hint = 0;
        assert_eq!(memory.guest(0x1_1ff0, 64, &mut hint).unwrap().len(), 16);
        assert_eq!(memory.guest(0x1_2000, 64, &mut hint).unwrap().len(), 64);
        assert_eq!(hint, 1);
        for outside in [0, 0xffff, 0x1_3000, u64::MAX] {
            assert!(
                memory.guest(outside, 1, &mut hint).is_none(),
                "{outside:#x}"
            );
        }
        assert!(memory.user(0x7000_0001_1ff0, 16).is_some());
        assert!(memory.user(0x7000_0001_1ff0, 17).is_none());
    }

    #[test]
    fn what_one_mapping_wrote_another_reads() {
        let shared = file(0x3000);
        let mut here = Memory::default();
        here.add(claim(0, 0x1000, 0x1010), shared.try_clone().unwrap())
            .unwrap();
        let mut there = Memory::default();
        there.add(claim(0, 0x3000, 0), shared).unwrap();
        let mut hint = 0;
        here.guest(0x20, 5, &mut hint).unwrap().copy_from(b"hello");
        let mut read = [0; 5];
        there
            .guest(0x1030, 5, &mut hint)
            .unwrap()
            .copy_to(&mut read);
        assert_eq!(&read, b"hello");
    }

    #[test]
    fn untrue_regions_are_refused() {
        let mut memory = Memory::default();
        memory.add(claim(0x1000, 0x1000, 0), file(0x1000)).unwrap();
        let mut refused = |claim, len| memory.add(claim, file(len)).unwrap_err();
        assert!(matches!(
            refused(claim(0x1800, 0x1000, 0), 0x1000),
            MemoryError::Overlap
        ));
        assert!(matches!(
            refused(claim(0x4000, 0, 0), 0x1000),
            MemoryError::Range
        ));
        assert!(matches!(
            refused(claim(0x4000, u64::MAX, 0), 0x1000),
            MemoryError::Range
        ));
        assert!(matches!(
            refused(claim(0x4000, 0x1001, 0), 0x1000),
            MemoryError::PastEnd { .. }
        ));
        assert!(matches!(
            refused(claim(0x4000, 0x1000, 1), 0x1000),
            MemoryError::PastEnd { .. }
        ));
        assert!(matches!(
            memory.remove(claim(0, 1, 0)),
            Err(MemoryError::Unknown)
        ));
        memory.remove(claim(0x1000, 0x1000, 0)).unwrap();
        assert!(memory.guest(0x1000, 1, &mut 0).is_none());
    }
}
