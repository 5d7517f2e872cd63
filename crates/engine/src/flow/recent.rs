//! Which remote end points answered lately: a small table of fixed size.
//!
//! A flood of new flows drives out what is half-open faster than an answer can come. Who answered lately will most
//! likely answer again, so a new flow towards it is worth more than one into the blue.

use alloc::vec::Vec;

use rackweave_types::Instant;
use zerocopy::{FromBytes, FromZeros, Immutable, KnownLayout};

use super::TableError;
use super::index::at;
use crate::hash::tag_and_place;

const WAYS: usize = 8;

/// One cache line of end points that share the lower bits of their hash.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
struct Set {
    /// The upper half of the end point's hash.
    tags: [u32; WAYS],
    /// When it answered last, in seconds and one; 0 is a free place.
    times: [u32; WAYS],
}

/// The end points that answered in the last five minutes, as far as they fit.
#[derive(Debug)]
pub(super) struct Recent {
    sets: Vec<Set>,
    mask: u32,
}

impl Recent {
    /// How long an answer counts, in seconds.
    const WINDOW: u32 = 300;

    /// Room for one end point for every sixteen flows, between 64 and 4,096.
    ///
    /// # Errors
    /// Where there is not enough memory.
    pub(super) fn new(capacity: u32) -> Result<Self, TableError> {
        let sets = (capacity / 128).clamp(8, 512).next_power_of_two();
        let mask = sets - 1;
        let sets = Set::new_vec_zeroed(at(sets)).map_err(|_| TableError::OutOfMemory)?;
        Ok(Self { sets, mask })
    }

    /// Octets of the table.
    pub(super) fn bytes(&self) -> usize {
        self.sets.len() * size_of::<Set>()
    }

    /// Remembers that the end point with this hash has answered.
    pub(super) fn note(&mut self, hash: u64, now: Instant) {
        let (tag, set) = self.place(hash);
        let set = &mut self.sets[at(set)];
        let known = (0..WAYS).find(|&way| set.times[way] != 0 && set.tags[way] == tag);
        let way = known
            .or_else(|| (0..WAYS).min_by_key(|&way| set.times[way]))
            .unwrap_or(0);
        set.tags[way] = tag;
        set.times[way] = seconds(now);
    }

    /// Whether the end point with this hash has answered lately.
    pub(super) fn contains(&self, hash: u64, now: Instant) -> bool {
        let (tag, set) = self.place(hash);
        let set = &self.sets[at(set)];
        let since = seconds(now).saturating_sub(Self::WINDOW).max(1);
        (0..WAYS).any(|way| set.tags[way] == tag && set.times[way] >= since)
    }

    fn place(&self, hash: u64) -> (u32, u32) {
        let (tag, place) = tag_and_place(hash);
        (tag, place & self.mask)
    }
}

/// Seconds and one: no answer came at 0.
fn seconds(now: Instant) -> u32 {
    u32::try_from(now.nanos() / 1_000_000_000 + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: u64) -> Instant {
        Instant::from_nanos(n * 1_000_000_000)
    }

    #[test]
    fn an_answer_counts_for_five_minutes() {
        let mut recent = Recent::new(1024).unwrap();
        assert!(!recent.contains(0, second(0)));
        recent.note(0, second(0));
        assert!(recent.contains(0, second(299)));
        assert!(!recent.contains(0, second(301)));
        recent.note(0, second(301));
        assert!(recent.contains(0, second(302)));
        assert!(!recent.contains(1 << 32, second(302)));
    }

    #[test]
    fn the_oldest_gives_way() {
        let mut recent = Recent::new(1024).unwrap();
        for n in 0..9 {
            recent.note(n << 32, second(n));
        }
        assert!(!recent.contains(0, second(9)));
        assert!((1..9).all(|n| recent.contains(n << 32, second(9))));
    }
}
