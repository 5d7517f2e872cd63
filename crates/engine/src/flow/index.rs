//! The flow index: from a hash to the number of a record.
//!
//! Open addressing in buckets of one cache line. Every entry has two possible buckets and stands in the first of
//! them unless that was full, so that nearly every hit costs one cache line. The table never grows: it is made for
//! its full load at once, and written at once. Memory that comes page by page as hashes scatter over it makes lookups in
//! large tables measurably slower, and it is a seventh of what a full flow table has.

use alloc::vec::Vec;

use zerocopy::{FromBytes, FromZeros, Immutable, KnownLayout};

use super::TableError;
use super::prefetch::prefetch;
use crate::hash::tag_and_place;

/// Entries in a bucket.
const WAYS: usize = 8;

/// One cache line: the upper part of each entry's hash, and its record. Tags are odd; 0 is a free place.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
struct Bucket {
    tags: [u32; WAYS],
    numbers: [u32; WAYS],
}

impl Bucket {
    /// The places whose tag this is, a bit each.
    #[inline]
    fn find(&self, tag: u32) -> u32 {
        let mut places = 0;
        for (place, &there) in self.tags.iter().enumerate() {
            places |= u32::from(there == tag) << place;
        }
        places
    }

    /// Puts an entry into a free place, if there is one.
    fn put(&mut self, tag: u32, number: u32) -> bool {
        let Some(place) = self.tags.iter().position(|&there| there == FREE) else {
            return false;
        };
        self.tags[place] = tag;
        self.numbers[place] = number;
        true
    }
}

/// The tag of a free place.
const FREE: u32 = 0;

/// The index of one flow table.
#[derive(Debug)]
pub(super) struct FlowIndex {
    buckets: Vec<Bucket>,
    /// One less than the number of buckets, a power of two.
    mask: u32,
}

/// Both buckets of an entry are full, and so is every other bucket of their entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crowded {
    /// The records that stand there; without any one of them the entry finds its place.
    pub(super) numbers: [u32; 2 * WAYS],
}

impl FlowIndex {
    /// Octets of one bucket.
    const BUCKET_LEN: usize = size_of::<Bucket>();

    /// An index for two entries for each of `capacity` records, loaded to three fifths at most.
    ///
    /// # Errors
    /// Where there is not enough memory.
    pub(super) fn new(capacity: u32) -> Result<Self, TableError> {
        // 2 entries / (3/5 load × 8 places) for each record.
        let needed = u64::from(capacity).saturating_mul(5).div_ceil(12);
        let buckets = needed.next_power_of_two().max(2);
        let mask = u32::try_from(buckets - 1).map_err(|_| TableError::OutOfMemory)?;
        let len = usize::try_from(buckets).map_err(|_| TableError::OutOfMemory)?;
        let buckets = Bucket::new_vec_zeroed(len).map_err(|_| TableError::OutOfMemory)?;
        Ok(Self { buckets, mask })
    }

    /// Octets of the whole index.
    pub(super) fn bytes(&self) -> usize {
        self.buckets.len() * Self::BUCKET_LEN
    }

    /// Asks for the bucket where this hash most likely is.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        prefetch(&self.buckets[at(self.place(hash).1)]);
    }

    /// Asks for both buckets where this hash may be: for keys that are most likely new.
    #[inline]
    pub(super) fn prefetch_both(&self, hash: u64) {
        let (tag, first) = self.place(hash);
        prefetch(&self.buckets[at(first)]);
        prefetch(&self.buckets[at(self.other(first, tag))]);
    }

    /// The record that a lookup of this hash would most likely look at first.
    #[inline]
    pub(super) fn guess(&self, hash: u64) -> Option<u32> {
        let (tag, first) = self.place(hash);
        let bucket = &self.buckets[at(first)];
        bucket
            .numbers
            .get(at(bucket.find(tag).trailing_zeros()))
            .copied()
    }

    /// The record with this hash for which `same` holds.
    #[inline(always)]
    pub(super) fn lookup(&self, hash: u64, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let (tag, first) = self.place(hash);
        match self.lookup_in(first, tag, &mut same) {
            None => self.lookup_in_other(first, tag, &mut same),
            found => found,
        }
    }

    #[cold]
    fn lookup_in_other(
        &self,
        first: u32,
        tag: u32,
        same: &mut impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        self.lookup_in(self.other(first, tag), tag, same)
    }

    #[inline(always)]
    fn lookup_in(&self, bucket: u32, tag: u32, same: &mut impl FnMut(u32) -> bool) -> Option<u32> {
        let bucket = &self.buckets[at(bucket)];
        let mut places = bucket.find(tag);
        while let Some(&number) = bucket.numbers.get(at(places.trailing_zeros())) {
            if same(number) {
                return Some(number);
            }
            places &= places - 1;
        }
        None
    }

    /// Adds an entry; the same one may be there more than once.
    ///
    /// # Errors
    /// Where there is no place even after moving one other entry; nothing is changed then.
    pub(super) fn insert(&mut self, hash: u64, number: u32) -> Result<(), Crowded> {
        let (tag, first) = self.place(hash);
        let second = self.other(first, tag);
        if self.buckets[at(first)].put(tag, number) || self.buckets[at(second)].put(tag, number) {
            return Ok(());
        }
        for bucket in [first, second] {
            for place in 0..WAYS {
                let moved_tag = self.buckets[at(bucket)].tags[place];
                let moved = self.buckets[at(bucket)].numbers[place];
                let other = self.other(bucket, moved_tag);
                if self.buckets[at(other)].put(moved_tag, moved) {
                    self.buckets[at(bucket)].tags[place] = tag;
                    self.buckets[at(bucket)].numbers[place] = number;
                    return Ok(());
                }
            }
        }
        let mut numbers = [0; 2 * WAYS];
        numbers[..WAYS].copy_from_slice(&self.buckets[at(first)].numbers);
        numbers[WAYS..].copy_from_slice(&self.buckets[at(second)].numbers);
        Err(Crowded { numbers })
    }

    /// Takes an entry away; says whether it was there.
    pub(super) fn remove(&mut self, hash: u64, number: u32) -> bool {
        let (tag, first) = self.place(hash);
        self.remove_from(first, tag, number)
            || self.remove_from(self.other(first, tag), tag, number)
    }

    fn remove_from(&mut self, bucket: u32, tag: u32, number: u32) -> bool {
        let bucket = &mut self.buckets[at(bucket)];
        for place in 0..WAYS {
            if bucket.tags[place] == tag && bucket.numbers[place] == number {
                bucket.tags[place] = FREE;
                return true;
            }
        }
        false
    }

    /// Tag and first bucket of a hash.
    #[inline]
    fn place(&self, hash: u64) -> (u32, u32) {
        let (tag, place) = tag_and_place(hash);
        (tag | 1, place & self.mask)
    }

    /// The other bucket of an entry with this tag, never the same one.
    #[inline]
    fn other(&self, bucket: u32, tag: u32) -> u32 {
        let (spread, _) = tag_and_place(u64::from(tag).wrapping_mul(SPREAD));
        bucket ^ ((spread | 1) & self.mask)
    }

    /// How many entries there are, counted one by one.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.buckets
            .iter()
            .flat_map(|bucket| bucket.tags)
            .filter(|&tag| tag != FREE)
            .count()
    }
}

/// An odd multiplier that spreads a tag over all buckets (the golden ratio's fraction).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number as an index.
#[inline(always)]
pub(super) const fn at(number: u32) -> usize {
    // There is no `From<u32>` for `usize`; the engine's targets have at least 32 bits.
    number as usize
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn hash(number: u32) -> u64 {
        let mut value = u64::from(number)
            .wrapping_add(1)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value ^= value >> 29;
        value = value.wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ value >> 32
    }

    #[test]
    fn a_full_load_always_fits() {
        for capacity in [1, 2, 3, 16, 100, 1000, 12_000, 65_536, 78_643] {
            let mut index = FlowIndex::new(capacity).unwrap();
            for number in 0..2 * capacity {
                assert_eq!(
                    index.insert(hash(number), number),
                    Ok(()),
                    "{number} of {capacity}"
                );
            }
            for number in 0..2 * capacity {
                assert_eq!(index.lookup(hash(number), |n| n == number), Some(number));
            }
            for number in 0..2 * capacity {
                assert!(index.remove(hash(number), number));
            }
            assert_eq!(index.count(), 0);
        }
    }

    #[test]
    fn nearly_all_stand_in_their_first_bucket() {
        let mut index = FlowIndex::new(65_536).unwrap();
        for number in 0..131_072 {
            index.insert(hash(number), number).unwrap();
        }
        let first = (0..131_072)
            .filter(|&number| index.guess(hash(number)) == Some(number))
            .count();
        assert!(first > 127_000, "{first}");
    }

    #[test]
    fn a_crowd_is_named() {
        let mut index = FlowIndex::new(1).unwrap();
        for number in 0..16 {
            index.insert(hash(number), number).unwrap();
        }
        let crowd = index.insert(hash(16), 16).unwrap_err();
        let mut numbers = crowd.numbers;
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..16));
        assert!(index.remove(hash(7), 7));
        assert_eq!(index.insert(hash(16), 16), Ok(()));
    }

    proptest! {
        #[test]
        fn behaves_like_a_map(operations in prop::collection::vec((any::<bool>(), 0_u32..64), 0..400)) {
            let mut index = FlowIndex::new(32).unwrap();
            let mut model = BTreeMap::new();
            for (insert, number) in operations {
                // Four numbers each share one hash.
                let hash = hash(number / 4);
                if insert && !model.contains_key(&number) {
                    prop_assert!(index.insert(hash, number).is_ok());
                    model.insert(number, hash);
                } else {
                    prop_assert_eq!(index.remove(hash, number), model.remove(&number).is_some());
                }
                prop_assert_eq!(index.count(), model.len());
                for n in 0..64 {
                    let found = index.lookup(self::hash(n / 4), |there| there == n);
                    prop_assert_eq!(found.is_some(), model.contains_key(&n));
                }
            }
        }
    }
}
