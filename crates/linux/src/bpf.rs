//! Memory of the kernel's programs.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// A BPF array that was made to be mapped (`BPF_F_MMAPABLE`), as words that programs read and write meanwhile.
#[derive(Debug)]
pub struct MappedArray {
    start: NonNull<AtomicU64>,
    words: usize,
    octets: NonZeroUsize,
}

impl MappedArray {
    /// Maps the first `words` words of the array whose descriptor this is.
    ///
    /// # Errors
    /// Where the kernel refuses: the array is shorter, or was not made to be mapped.
    #[expect(
        unsafe_code,
        reason = "only mmap(2) gives memory that programs of the kernel see"
    )]
    pub fn map(array: impl AsFd, words: NonZeroUsize) -> io::Result<Self> {
        let octets = words.checked_mul(const { NonZeroUsize::new(size_of::<u64>()).unwrap() });
        let octets = octets.ok_or(io::ErrorKind::OutOfMemory)?;
        let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that Rust knows.
        let mapped = unsafe { mmap(None, octets, prot, MapFlags::MAP_SHARED, array, 0) };
        Ok(Self {
            start: mapped?.cast(),
            words: words.get(),
            octets,
        })
    }

    /// The words.
    #[must_use]
    #[expect(unsafe_code, reason = "mapped memory is reached by its address")]
    pub const fn words(&self) -> &[AtomicU64] {
        // SAFETY: `start` is of a page, so aligned, and mapped for `words` words until drop; whatever a word holds is an
        // atomic's value, and others change it only as a whole.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

#[expect(
    unsafe_code,
    reason = "NonNull is not Send; the mapping it points to is"
)]
// SAFETY: a mapping belongs to the process and to no thread.
unsafe impl Send for MappedArray {}

#[expect(
    unsafe_code,
    reason = "NonNull is not Sync; the atomics it points to are"
)]
// SAFETY: all that is reached through a shared reference are atomics.
unsafe impl Sync for MappedArray {}

impl Drop for MappedArray {
    #[expect(unsafe_code, reason = "the counterpart of mmap(2)")]
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length, and no reference outlives `self`.
        let unmapped = unsafe { munmap(self.start.cast(), self.octets.get()) };
        debug_assert!(unmapped.is_ok(), "munmap of a whole mapping cannot fail");
    }
}
