//! Memory that outlives the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// Why a region could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShmError {
    /// The file could not be opened, made or measured.
    #[error("cannot open shared memory {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The kernel's word.
        source: io::Error,
    },
    /// Another process, or this one, has the region.
    #[error("shared memory {} is in use: another process holds it", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// No memory of that length.
    #[error("cannot reserve {len} octets for shared memory {}", path.display())]
    Resize {
        /// The file.
        path: PathBuf,
        /// The octets asked for.
        len: u64,
        /// The kernel's word.
        source: io::Error,
    },
    /// An empty region holds nothing.
    #[error("shared memory {} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be mapped.
    #[error("cannot map shared memory {}", path.display())]
    Map {
        /// The file.
        path: PathBuf,
        /// The kernel's word.
        source: io::Error,
    },
}

/// A file, mapped: what is written into it stays when the process ends, however it ends. One process has it at a time;
/// the file has mode 0600.
///
/// It should lie where files are memory (`/dev/shm`, `/run`); elsewhere the kernel writes it to a disk now and then.
/// All of its memory is reserved when it is made, so a full file system is an error then and no signal later.
#[derive(Debug)]
pub struct Region {
    path: PathBuf,
    start: NonNull<u8>,
    len: NonZeroUsize,
    /// Open for its lock, which keeps other processes out for as long as the memory is mapped.
    _file: File,
}

impl Region {
    /// The region of this length at `path`, made of zeroes where there is none; one of another length is cut, or
    /// lengthened by zeroes.
    ///
    /// # Errors
    /// [`ShmError`], where the file cannot be had, is in use, or there is no memory.
    pub fn create_or_open(path: &Path, len: NonZeroUsize) -> Result<Self, ShmError> {
        let file = locked(path, true)?;
        resize(&file, len).map_err(|source| ShmError::Resize {
            path: path.into(),
            len: file_len(len),
            source,
        })?;
        Self::map(path, file, len)
    }

    /// The region that is at `path`, as long as it is.
    ///
    /// # Errors
    /// [`ShmError`]; [`ShmError::Open`] where there is none.
    pub fn open(path: &Path) -> Result<Self, ShmError> {
        let file = locked(path, false)?;
        let metadata = file.metadata().map_err(|source| ShmError::Open {
            path: path.into(),
            source,
        })?;
        let len = usize::try_from(metadata.len())
            .ok()
            .and_then(NonZeroUsize::new);
        let len = len.ok_or_else(|| ShmError::Empty { path: path.into() })?;
        Self::map(path, file, len)
    }

    #[expect(
        unsafe_code,
        reason = "only mmap(2) gives memory that outlives the process"
    )]
    fn map(path: &Path, file: File, len: NonZeroUsize) -> Result<Self, ShmError> {
        let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that Rust knows.
        let mapped = unsafe { mmap(None, len, prot, MapFlags::MAP_SHARED, &file, 0) };
        let start = mapped.map_err(|e| ShmError::Map {
            path: path.into(),
            source: e.into(),
        })?;
        Ok(Self {
            path: path.into(),
            start: start.cast(),
            len,
            _file: file,
        })
    }

    /// Where its file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds.
    #[must_use]
    #[expect(unsafe_code, reason = "mapped memory is reached by its address")]
    pub const fn bytes(&self) -> &[u8] {
        // SAFETY: `start` is mapped, readable, for `len` octets until drop, and every octet is a valid u8. Nobody else
        // writes: in this process writing needs `&mut self`; another process that opens the region fails at the lock.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len.get()) }
    }

    /// What it holds, to be changed.
    #[must_use]
    #[expect(unsafe_code, reason = "mapped memory is reached by its address")]
    pub const fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and mapped writable; `&mut self` makes this the one reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len.get()) }
    }
}

#[expect(
    unsafe_code,
    reason = "NonNull is not Send; the mapping it points to is"
)]
// SAFETY: the mapping belongs to the process, not to a thread, and `Region` hands it out by Rust's rules of borrowing.
unsafe impl Send for Region {}

#[expect(
    unsafe_code,
    reason = "NonNull is not Sync; reading the mapping it points to is"
)]
// SAFETY: with a shared reference the memory can only be read.
unsafe impl Sync for Region {}

impl Drop for Region {
    #[expect(unsafe_code, reason = "only munmap(2) takes a mapping back")]
    fn drop(&mut self) {
        // SAFETY: this very range was mapped by `map`, and no borrow of it outlives `self`.
        let unmapped = unsafe { munmap(self.start.cast(), self.len.get()) };
        debug_assert!(
            unmapped.is_ok(),
            "a whole mapping of ours can be taken back"
        );
    }
}

fn locked(path: &Path, create: bool) -> Result<File, ShmError> {
    let open = |source| ShmError::Open {
        path: path.into(),
        source,
    };
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(create)
        .truncate(false)
        .mode(0o600);
    let file = options.open(path).map_err(open)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ShmError::InUse { path: path.into() }),
        Err(TryLockError::Error(source)) => Err(open(source)),
    }
}

fn resize(file: &File, len: NonZeroUsize) -> io::Result<()> {
    file.set_len(file_len(len))?;
    let reserve = libc::off_t::try_from(len.get()).unwrap_or(libc::off_t::MAX);
    nix::fcntl::posix_fallocate(file, 0, reserve).map_err(io::Error::from)
}

fn file_len(len: NonZeroUsize) -> u64 {
    u64::try_from(len.get()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn octets(len: usize) -> NonZeroUsize {
        NonZeroUsize::new(len).unwrap()
    }

    #[test]
    fn content_outlives_the_mapping() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("region");
        assert!(matches!(Region::open(&path), Err(ShmError::Open { .. })));
        let mut region = Region::create_or_open(&path, octets(8192)).unwrap();
        assert_eq!(region.bytes(), [0; 8192]);
        region.bytes_mut()[8191] = 7;
        assert!(matches!(Region::open(&path), Err(ShmError::InUse { .. })));
        drop(region);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let region = Region::open(&path).unwrap();
        assert_eq!((region.bytes().len(), region.bytes()[8191]), (8192, 7));
        drop(region);
        let region = Region::create_or_open(&path, octets(8193)).unwrap();
        assert_eq!(region.bytes()[8191..], [7, 0]);
    }

    #[test]
    fn what_cannot_be_reserved_is_an_error() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let path = dir.path().join("region");
        let error = Region::create_or_open(&path, octets(1 << 45)).unwrap_err();
        assert!(matches!(error, ShmError::Resize { .. }), "{error}");
        std::fs::write(&path, []).unwrap();
        assert!(matches!(Region::open(&path), Err(ShmError::Empty { .. })));
    }
}
