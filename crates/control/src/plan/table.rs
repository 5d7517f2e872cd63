//! Who holds what: the addresses of a network, or blocks of ports.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::state::{
    MappingDelta, MappingEntry, MappingState, NatDelta, NatEntry, NatState, StateVersion,
};
use rackweave_types::{Generation, Vni};
use serde::Serialize;

use super::object::{DIGEST_BITS, digest};

/// An entry of a table: somebody holds something.
pub(super) trait Held: Copy + PartialEq + Serialize {
    /// What is held.
    type Key: Ord + Copy;

    fn key(&self) -> Self::Key;
}

impl Held for MappingEntry {
    type Key = IpNet;

    fn key(&self) -> IpNet {
        self.prefix
    }
}

impl Held for NatEntry {
    type Key = (IpAddr, u16);

    fn key(&self) -> (IpAddr, u16) {
        Self::key(self)
    }
}

/// A table whose digest follows every change in the time of that change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table<E: Held> {
    entries: BTreeMap<E::Key, E>,
    sum: u64,
}

impl<E: Held> Default for Table<E> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            sum: 0,
        }
    }
}

impl<E: Held> Table<E> {
    /// The digest of the entries: a sum, so that their order does not matter.
    pub(super) const fn generation(&self) -> Generation {
        Generation::new(self.sum >> (u64::BITS - DIGEST_BITS))
    }

    fn put(&mut self, entry: E) {
        if let Some(old) = self.entries.insert(entry.key(), entry) {
            self.sum = self.sum.wrapping_sub(term(&old));
        }
        self.sum = self.sum.wrapping_add(term(&entry));
    }

    fn remove(&mut self, key: E::Key) {
        if let Some(old) = self.entries.remove(&key) {
            self.sum = self.sum.wrapping_sub(term(&old));
        }
    }

    fn entries(&self) -> Vec<E> {
        self.entries.values().copied().collect()
    }
}

impl Table<MappingEntry> {
    /// The table as nodes have it.
    pub(super) fn state(&self, vni: Vni) -> MappingState {
        MappingState {
            version: StateVersion::CURRENT,
            generation: self.generation(),
            vni,
            entries: self.entries(),
        }
    }
}

impl Table<NatEntry> {
    /// The table as switches have it.
    pub(super) fn state(&self) -> NatState {
        NatState {
            version: StateVersion::CURRENT,
            generation: self.generation(),
            entries: self.entries(),
        }
    }
}

/// What of an entry stands for it in the sum.
fn term(entry: &impl Serialize) -> u64 {
    // The digest has no more bits than a generation; multiplied, they reach those that are kept of the sum.
    digest(entry).get().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A change of a table while it is planned.
#[derive(Clone, Debug)]
pub(super) struct TableChange<E: Held> {
    from: Generation,
    before: BTreeMap<E::Key, Option<E>>,
}

impl<E: Held> TableChange<E> {
    pub(super) const fn new(table: &Table<E>) -> Self {
        Self {
            from: table.generation(),
            before: BTreeMap::new(),
        }
    }

    /// Takes what a port held out of the table, and puts in what it holds now.
    pub(super) fn replace(&mut self, table: &mut Table<E>, old: &[E], new: &[E]) {
        for entry in old {
            // Another port may have been given the address in the same commit.
            if table.entries.get(&entry.key()) == Some(entry) {
                self.note(table, entry.key());
                table.remove(entry.key());
            }
        }
        for entry in new {
            self.note(table, entry.key());
            table.put(*entry);
        }
    }

    fn note(&mut self, table: &Table<E>, key: E::Key) {
        let before = table.entries.get(&key).copied();
        self.before.entry(key).or_insert(before);
    }

    /// What is there now and was not before, and what was and is no longer.
    fn difference(&self, table: &Table<E>) -> Option<(Vec<E>, Vec<E::Key>)> {
        let (mut put, mut remove) = (Vec::new(), Vec::new());
        for (key, before) in &self.before {
            match (before, table.entries.get(key)) {
                (before, Some(now)) if *before != Some(*now) => put.push(*now),
                (Some(_), None) => remove.push(*key),
                _ => {}
            }
        }
        let changed = !put.is_empty() || !remove.is_empty();
        changed.then_some((put, remove))
    }
}

impl TableChange<MappingEntry> {
    /// What the change comes to; nothing where the table is as it was.
    pub(super) fn delta(&self, vni: Vni, table: &Table<MappingEntry>) -> Option<MappingDelta> {
        let (put, remove) = self.difference(table)?;
        Some(MappingDelta {
            vni,
            from: self.from,
            generation: table.generation(),
            put,
            remove,
        })
    }
}

impl TableChange<NatEntry> {
    /// What the change comes to; nothing where the table is as it was.
    pub(super) fn delta(&self, table: &Table<NatEntry>) -> Option<NatDelta> {
        let (put, remove) = self.difference(table)?;
        Some(NatDelta {
            from: self.from,
            generation: table.generation(),
            put,
            remove,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(last: u8, node: u8) -> MappingEntry {
        MappingEntry {
            prefix: format!("10.0.0.{last}/32").parse().unwrap(),
            sled: format!("fd00:1122:3344:1{node:02x}::/64").parse().unwrap(),
            mac: "02:72:77:00:00:01".parse().unwrap(),
        }
    }

    #[test]
    fn a_table_does_not_tell_how_it_came_to_be() {
        let vni = Vni::BOUNDARY;
        let (mut one, mut other) = (Table::<MappingEntry>::default(), Table::default());
        let mut change = TableChange::new(&one);
        change.replace(&mut one, &[], &[entry(1, 1), entry(2, 1), entry(3, 2)]);
        change.replace(&mut one, &[entry(2, 1)], &[entry(4, 2)]);
        TableChange::new(&other).replace(&mut other, &[], &[entry(4, 2), entry(3, 2), entry(1, 1)]);
        assert_eq!(one.state(vni), other.state(vni));
        let mut change = TableChange::new(&one);
        change.replace(&mut one, &[entry(1, 1)], &[entry(1, 2)]);
        let delta = change.delta(vni, &one).unwrap();
        assert_eq!((delta.put, delta.remove), (vec![entry(1, 2)], Vec::new()));
        assert_ne!(one.generation(), other.generation());
        let mut back = TableChange::new(&one);
        back.replace(&mut one, &[entry(1, 2)], &[entry(1, 2)]);
        assert_eq!(back.delta(vni, &one), None);
    }

    #[test]
    fn an_address_that_another_port_got_stays() {
        let mut table = Table::<MappingEntry>::default();
        let mut change = TableChange::new(&table);
        change.replace(&mut table, &[], &[entry(1, 1)]);
        change.replace(&mut table, &[], &[entry(1, 2)]);
        change.replace(&mut table, &[entry(1, 1)], &[]);
        assert_eq!(table.state(Vni::BOUNDARY).entries, [entry(1, 2)]);
    }
}
