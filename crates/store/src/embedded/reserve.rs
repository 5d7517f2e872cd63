//! Room on the disk that is kept for the day when there is no other.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file of zeros beside the store's.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    octets: u64,
    held: bool,
}

impl Reserve {
    /// The reserve of a store's file, which is not held yet.
    pub(super) fn of(store: &Path, octets: u64) -> Self {
        let mut name = OsString::from(store);
        name.push(".reserve");
        Self {
            path: name.into(),
            octets,
            held: false,
        }
    }

    /// Takes the room, if it is not held.
    pub(super) fn hold(&mut self) -> io::Result<()> {
        if self.held {
            return Ok(());
        }
        let there = fs::metadata(&self.path).map_or(0, |file| file.len());
        if there != self.octets
            && let Err(error) = self.fill()
        {
            self.release();
            return Err(error);
        }
        self.held = true;
        Ok(())
    }

    /// Gives the room back.
    pub(super) fn release(&mut self) {
        self.held = false;
        let file = File::options().write(true).open(&self.path);
        if let Err(error) = file.and_then(|file| file.set_len(0)) {
            tracing::warn!(path = %self.path.display(), %error, "the store's reserve is not given back");
        }
    }

    /// Zeros are written, for a length alone takes no room.
    fn fill(&self) -> io::Result<()> {
        let zeros = [0; 1 << 12];
        let mut file = File::create(&self.path)?;
        let mut missing = self.octets;
        while missing > 0 {
            let part = usize::try_from(missing).map_or(zeros.len(), |n| n.min(zeros.len()));
            file.write_all(&zeros[..part])?;
            missing = missing.saturating_sub(u64::try_from(part).unwrap_or(u64::MAX));
        }
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::of(&dir.path().join("store"), 100_000);
        let length = || {
            fs::metadata(dir.path().join("store.reserve"))
                .unwrap()
                .len()
        };
        reserve.hold().unwrap();
        assert_eq!(length(), 100_000);
        reserve.release();
        assert_eq!(length(), 0);
        reserve.hold().unwrap();
        assert_eq!(length(), 100_000);
    }
}
