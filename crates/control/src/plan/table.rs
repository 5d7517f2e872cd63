//! Who holds the addresses of a network.

use std::collections::BTreeMap;

use ipnet::IpNet;
use rackweave_types::state::{MappingDelta, MappingEntry, MappingState, StateVersion};
use rackweave_types::{Generation, Vni};

use super::object::{DIGEST_BITS, digest};

/// A mapping table whose digest follows every change in the time of that change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    entries: BTreeMap<IpNet, MappingEntry>,
    sum: u64,
}

impl Table {
    /// The digest of the entries: a sum, so that their order does not matter.
    pub(super) const fn generation(&self) -> Generation {
        Generation::new(self.sum >> (u64::BITS - DIGEST_BITS))
    }

    fn put(&mut self, entry: MappingEntry) {
        if let Some(old) = self.entries.insert(entry.prefix, entry) {
            self.sum = self.sum.wrapping_sub(term(&old));
        }
        self.sum = self.sum.wrapping_add(term(&entry));
    }

    fn remove(&mut self, prefix: IpNet) {
        if let Some(old) = self.entries.remove(&prefix) {
            self.sum = self.sum.wrapping_sub(term(&old));
        }
    }

    pub(super) fn state(&self, vni: Vni) -> MappingState {
        MappingState {
            version: StateVersion::CURRENT,
            generation: self.generation(),
            vni,
            entries: self.entries.values().copied().collect(),
        }
    }
}

/// What of an entry stands for it in the sum.
fn term(entry: &MappingEntry) -> u64 {
    // The digest has no more bits than a generation; multiplied, they reach those that are kept of the sum.
    digest(entry).get().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A change of a table while it is planned.
#[derive(Clone, Debug)]
pub(super) struct TableChange {
    from: Generation,
    before: BTreeMap<IpNet, Option<MappingEntry>>,
}

impl TableChange {
    pub(super) fn new(table: &Table) -> Self {
        Self {
            from: table.generation(),
            before: BTreeMap::new(),
        }
    }

    /// Takes what a port held out of the table, and puts in what it holds now.
    pub(super) fn replace(
        &mut self,
        table: &mut Table,
        old: &[MappingEntry],
        new: &[MappingEntry],
    ) {
        for entry in old {
            // Another port may have been given the address in the same commit.
            if table.entries.get(&entry.prefix) == Some(entry) {
                self.note(table, entry.prefix);
                table.remove(entry.prefix);
            }
        }
        for entry in new {
            self.note(table, entry.prefix);
            table.put(*entry);
        }
    }

    fn note(&mut self, table: &Table, prefix: IpNet) {
        let before = table.entries.get(&prefix).copied();
        self.before.entry(prefix).or_insert(before);
    }

    /// What the change comes to; nothing where the table is as it was.
    pub(super) fn delta(&self, vni: Vni, table: &Table) -> Option<MappingDelta> {
        let (mut put, mut remove) = (Vec::new(), Vec::new());
        for (prefix, before) in &self.before {
            match (before, table.entries.get(prefix)) {
                (before, Some(now)) if *before != Some(*now) => put.push(*now),
                (Some(_), None) => remove.push(*prefix),
                _ => {}
            }
        }
        let changed = !put.is_empty() || !remove.is_empty();
        changed.then(|| MappingDelta {
            vni,
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
        let (mut one, mut other) = (Table::default(), Table::default());
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
        let mut table = Table::default();
        let mut change = TableChange::new(&table);
        change.replace(&mut table, &[], &[entry(1, 1)]);
        change.replace(&mut table, &[], &[entry(1, 2)]);
        change.replace(&mut table, &[entry(1, 1)], &[]);
        assert_eq!(table.state(Vni::BOUNDARY).entries, [entry(1, 2)]);
    }
}
