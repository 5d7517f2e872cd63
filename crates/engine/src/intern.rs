//! Interning: values that many records share stand once and are counted.

use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};

use hashbrown::HashTable;

use crate::hash::FlowHasher;

/// No value, and the end of the list of free places.
const NONE: u32 = u32::MAX;

/// A value and how many records use it; a free place has no users and names the next free one.
#[derive(Clone, Copy, Debug)]
struct Slot<T> {
    value: T,
    users: u32,
    next: u32,
}

/// Numbers for values, each value once; every operation takes constant time.
#[derive(Debug)]
pub(crate) struct Interner<T> {
    slots: Vec<Slot<T>>,
    numbers: HashTable<u32>,
    hasher: FlowHasher,
    free: u32,
    limit: u32,
}

impl<T: Copy + Eq + Hash> Interner<T> {
    /// Room for `limit` different values.
    pub(crate) fn new(limit: u32, hasher: FlowHasher) -> Self {
        Self {
            slots: Vec::new(),
            numbers: HashTable::new(),
            hasher,
            free: NONE,
            limit,
        }
    }

    /// The number of a value, with one more user; `None` where there is no room for another value.
    pub(crate) fn acquire(&mut self, value: T) -> Option<u32> {
        let Self {
            slots,
            numbers,
            hasher,
            ..
        } = self;
        let hash = hasher.hash_one(value);
        if let Some(number) = numbers.find(hash, |number| {
            slot(slots, *number).is_some_and(|s| s.value == value)
        }) {
            let number = *number;
            slots[at(number)].users += 1;
            return Some(number);
        }
        let number = self.place(value)?;
        let Self {
            slots,
            numbers,
            hasher,
            ..
        } = self;
        numbers.insert_unique(hash, number, |number| {
            slot(slots, *number).map_or(0, |slot| hasher.hash_one(slot.value))
        });
        Some(number)
    }

    /// Puts a value into a free place.
    fn place(&mut self, value: T) -> Option<u32> {
        let fresh = Slot {
            value,
            users: 1,
            next: NONE,
        };
        if self.free != NONE {
            let number = self.free;
            self.free = self.slots[at(number)].next;
            self.slots[at(number)] = fresh;
            return Some(number);
        }
        let number = u32::try_from(self.slots.len())
            .ok()
            .filter(|number| *number < self.limit)?;
        self.slots.push(fresh);
        Some(number)
    }

    /// Takes one user from a value; without a user it is forgotten. A number that names no value changes nothing.
    pub(crate) fn release(&mut self, number: u32) {
        let Self {
            slots,
            numbers,
            hasher,
            free,
            ..
        } = self;
        let Some(place) = slots.get_mut(at(number)).filter(|slot| slot.users > 0) else {
            return;
        };
        place.users -= 1;
        if place.users > 0 {
            return;
        }
        let hash = hasher.hash_one(place.value);
        place.next = *free;
        *free = number;
        if let Ok(entry) = numbers.find_entry(hash, |found| *found == number) {
            entry.remove();
        }
    }

    /// The value with this number.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.slots.get(at(number)).map(|slot| &slot.value)
    }

    /// How many different values there are.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }
}

fn slot<T>(slots: &[Slot<T>], number: u32) -> Option<&Slot<T>> {
    slots.get(at(number))
}

/// A number as an index: 32 bits fit wherever this runs.
#[inline]
const fn at(number: u32) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_has_one_number_as_long_as_it_is_used() {
        let mut interner = Interner::new(2, FlowHasher::new([1, 2]));
        let a = interner.acquire(10_u64).unwrap();
        let b = interner.acquire(20).unwrap();
        assert_eq!(interner.acquire(10), Some(a));
        assert_eq!(interner.acquire(30), None, "there is room for two values");
        interner.release(a);
        assert_eq!(interner.acquire(30), None, "10 still has a user");
        interner.release(a);
        assert_eq!(interner.acquire(30), Some(a));
        assert_eq!((interner.get(a), interner.get(b)), (Some(&30), Some(&20)));
        assert_eq!(interner.len(), 2);
    }

    #[test]
    fn releasing_nothing_changes_nothing() {
        let mut interner = Interner::new(4, FlowHasher::new([1, 2]));
        interner.release(0);
        interner.release(u32::MAX);
        let a = interner.acquire(7_u64).unwrap();
        interner.release(a);
        interner.release(a);
        assert_eq!(interner.len(), 0);
        assert_eq!(interner.acquire(8), Some(a));
    }

    proptest! {
        #[test]
        fn behaves_like_counted_values(operations in prop::collection::vec((any::<bool>(), 0_u64..12), 0..300)) {
            let mut interner = Interner::new(8, FlowHasher::new([1, 2]));
            let mut model: BTreeMap<u64, (u32, u32)> = BTreeMap::new();
            for (acquire, value) in operations {
                let there = model.len();
                if acquire {
                    let number = interner.acquire(value);
                    let known = model.get_mut(&value);
                    prop_assert_eq!(number.is_some(), known.is_some() || there < 8);
                    match (number, known) {
                        (Some(number), Some((same, users))) => {
                            prop_assert_eq!(number, *same);
                            *users += 1;
                        }
                        (Some(number), None) => {
                            prop_assert!(model.values().all(|(other, _)| *other != number));
                            model.insert(value, (number, 1));
                        }
                        (None, _) => {}
                    }
                } else if let Some((number, users)) = model.get_mut(&value) {
                    interner.release(*number);
                    *users -= 1;
                    if *users == 0 {
                        model.remove(&value);
                    }
                }
                prop_assert_eq!(interner.len(), model.len());
                for (value, (number, _)) in &model {
                    prop_assert_eq!(interner.get(*number), Some(value));
                }
            }
        }
    }
}
