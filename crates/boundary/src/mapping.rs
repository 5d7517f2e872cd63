//! Who holds external addresses and blocks of their ports, and how a change of that changes the table.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rackweave_types::state::{MappingEntry, NatEntry, PortBlock, SwitchState};
use rackweave_types::{AzPrefix, MacAddr, NodePrefix};

use crate::table::{Holder, Key, Value, shift_of};

/// A change of the table. Those of a list are made in its order: no packet meets a state between that is neither the
/// one before nor the one after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A key has this value.
    Put(Key, Value),
    /// A key has none.
    Remove(Key),
}

/// Why an entry is not in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// A prefix has no holder at the boundary, an address has.
    #[error("{0} is no address: only addresses are held at the boundary")]
    Prefix(ipnet::IpNet),
    /// The sled is not of the switch's AZ.
    #[error("{address} is held by a sled of another AZ, {}", .sled.net())]
    Foreign {
        /// The external address.
        address: IpAddr,
        /// The sled.
        sled: NodePrefix,
    },
    /// An address is held as a whole and in blocks; the holder of the whole has it.
    #[error("{0} is held as a whole and in blocks: the blocks are not in force")]
    Both(IpAddr),
}

/// What is known of an external address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    whole: Option<Holder>,
    blocks: BTreeMap<PortBlock, Holder>,
}

/// Who holds what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mappings {
    az: AzPrefix,
    held: BTreeMap<IpAddr, Held>,
}

impl Mappings {
    /// Nobody holds anything; sleds are of this AZ.
    #[must_use]
    pub const fn new(az: AzPrefix) -> Self {
        Self {
            az,
            held: BTreeMap::new(),
        }
    }

    /// What a switch's state says, and what of it is of no use.
    #[must_use]
    pub fn of(state: &SwitchState) -> (Self, Vec<Unusable>) {
        let mut mappings = Self::new(state.config.switch.az());
        let mut unusable = Vec::new();
        for entry in state.external.iter().flat_map(|table| &table.entries) {
            unusable.extend(mappings.insert_whole(entry).err());
        }
        for entry in state.nat.iter().flat_map(|nat| &nat.entries) {
            unusable.extend(mappings.insert_block(entry).err());
        }
        (mappings, unusable)
    }

    /// How many addresses somebody holds.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.held.len()
    }

    /// Who holds a port of an address; without a port, the address as a whole.
    #[must_use]
    pub fn holder(&self, address: IpAddr, port: Option<u16>) -> Option<Holder> {
        let held = self.held.get(&address)?;
        let of_block = || {
            let port = port?;
            let mut blocks = held.blocks.iter();
            let block = blocks.find(|(block, _)| block.range().contains(port))?;
            Some(*block.1)
        };
        held.whole.or_else(of_block)
    }

    /// All that the table holds.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<Key, Value> {
        let each = self.held.iter();
        each.flat_map(|(address, held)| held.entries(*address))
            .collect()
    }

    /// The changes that make the table of `self` that of `next`.
    #[must_use]
    pub fn changes(&self, next: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let gone = |address: &&IpAddr| !next.held.contains_key(address);
        for address in self.held.keys().filter(gone) {
            self.change(*address, next, &mut changes);
        }
        for (address, held) in &next.held {
            if self.held.get(address) != Some(held) {
                self.change(*address, next, &mut changes);
            }
        }
        changes
    }

    /// The changes of one address: blocks come before what says that there are some, and go after it.
    fn change(&self, address: IpAddr, next: &Self, changes: &mut Vec<Change>) {
        let entries = |mappings: &Self| {
            let held = mappings.held.get(&address);
            held.map(|held| held.entries(address)).unwrap_or_default()
        };
        let (before, after) = (entries(self), entries(next));
        let whole = Key::whole(address);
        let put = |(key, value): (&Key, &Value)| {
            (before.get(key) != Some(value)).then_some(Change::Put(*key, *value))
        };
        let blocks = after.iter().filter(|(key, _)| **key != whole);
        changes.extend(blocks.filter_map(put));
        match after.get(&whole) {
            Some(value) => changes.extend(put((&whole, value))),
            None if before.contains_key(&whole) => changes.push(Change::Remove(whole)),
            None => {}
        }
        let gone = before.keys().filter(|key| !after.contains_key(key));
        changes.extend(
            gone.filter(|key| **key != whole)
                .map(|key| Change::Remove(*key)),
        );
    }

    fn insert_whole(&mut self, entry: &MappingEntry) -> Result<(), Unusable> {
        if entry.prefix.prefix_len() != entry.prefix.max_prefix_len() {
            return Err(Unusable::Prefix(entry.prefix));
        }
        let address = entry.prefix.addr();
        let holder = self.holder_at(address, entry.sled, entry.mac)?;
        self.held.entry(address).or_default().whole = Some(holder);
        Ok(())
    }

    fn insert_block(&mut self, entry: &NatEntry) -> Result<(), Unusable> {
        let address = entry.block.address;
        let holder = self.holder_at(address, entry.sled, entry.mac)?;
        let held = self.held.entry(address).or_default();
        if held.whole.is_some() {
            return Err(Unusable::Both(address));
        }
        held.blocks.insert(entry.block.ports, holder);
        Ok(())
    }

    fn holder_at(
        &self,
        address: IpAddr,
        sled: NodePrefix,
        mac: MacAddr,
    ) -> Result<Holder, Unusable> {
        if sled.az() != self.az {
            return Err(Unusable::Foreign { address, sled });
        }
        Ok(Holder {
            rack: sled.rack().rack().get(),
            node: sled.node().get(),
            mac,
        })
    }
}

impl Held {
    /// What the table holds of an address. Its blocks are all of the size of the smallest one: larger ones are several.
    fn entries(&self, address: IpAddr) -> BTreeMap<Key, Value> {
        let mut entries = BTreeMap::new();
        if let Some(holder) = self.whole {
            entries.insert(Key::whole(address), Value::Held(holder));
            return entries;
        }
        let Some(smallest) = self.blocks.keys().min_by_key(|block| block.count()) else {
            return entries;
        };
        let shift = shift_of(*smallest);
        for (block, holder) in &self.blocks {
            let ports = block.range();
            for port in (ports.first()..=ports.last()).step_by(1 << shift) {
                entries.insert(Key::block(address, port, shift), Value::Held(*holder));
            }
        }
        entries.insert(Key::whole(address), Value::shared(*smallest));
        entries
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rackweave_types::state::NatBlock;

    use super::*;

    fn az() -> AzPrefix {
        AzPrefix::new([0xfd, 0x52, 0x77, 0x61, 0x6b, 0x65]).unwrap()
    }

    fn sled(node: u8) -> NodePrefix {
        let text = format!("fd52:7761:6b65:1{node:02x}::");
        NodePrefix::of(text.parse().unwrap()).unwrap()
    }

    fn whole(host: u8, node: u8) -> MappingEntry {
        MappingEntry {
            prefix: IpAddr::from([203, 0, 113, host]).into(),
            sled: sled(node),
            mac: MacAddr::new([2, 0x72, 0x77, 0, 0, node]),
        }
    }

    fn block(host: u8, port: u16, shift: u8, node: u8) -> NatEntry {
        let count = 1 << shift;
        NatEntry {
            block: NatBlock {
                address: IpAddr::from([203, 0, 113, host]),
                ports: PortBlock::new(port.max(1024) / count * count, count)
                    .unwrap_or(PortBlock::new(32_768, count).unwrap()),
            },
            sled: sled(node),
            mac: MacAddr::new([2, 0x72, 0x77, 0, 1, node]),
        }
    }

    fn mappings() -> impl Strategy<Value = Mappings> {
        let wholes = proptest::collection::vec((0_u8..4, 1_u8..9), 0..4);
        let blocks = proptest::collection::vec((0_u8..6, any::<u16>(), 9_u8..13, 1_u8..9), 0..8);
        (wholes, blocks).prop_map(|(wholes, blocks)| {
            let mut mappings = Mappings::new(az());
            for (host, node) in wholes {
                mappings.insert_whole(&whole(host, node)).unwrap();
            }
            for (host, port, shift, node) in blocks {
                // An address that is held as a whole takes no blocks.
                let _ = mappings.insert_block(&block(host, port, shift, node));
            }
            mappings
        })
    }

    /// Who a table says that holds a port.
    fn found(table: &BTreeMap<Key, Value>, address: IpAddr, port: u16) -> Option<Holder> {
        match table.get(&Key::whole(address))? {
            Value::Held(holder) => Some(*holder),
            Value::Shared { shift } => match table.get(&Key::block(address, port, *shift))? {
                Value::Held(holder) => Some(*holder),
                Value::Shared { .. } => None,
            },
        }
    }

    proptest! {
        /// While a change is made, each packet finds the holder of before or the holder of afterwards.
        #[test]
        fn a_change_shows_nothing_between(one in mappings(), next in mappings(), ports: [u16; 8]) {
            let mut table = one.entries();
            for change in one.changes(&next) {
                match change {
                    Change::Put(key, value) => table.insert(key, value),
                    Change::Remove(key) => table.remove(&key),
                };
                for (host, port) in (0..6).flat_map(|host| ports.map(|port| (host, port))) {
                    let address = IpAddr::from([203, 0, 113, host]);
                    let known = [&one, &next].map(|held| found(&held.entries(), address, port));
                    let now = found(&table, address, port);
                    prop_assert!(known.contains(&now), "{address}:{port} is at {now:?}, not {known:?}");
                }
            }
            prop_assert_eq!(table, next.entries());
        }
    }

    #[test]
    fn what_is_of_no_use_is_named() {
        let mut mappings = Mappings::new(az());
        let mut net = whole(0, 1);
        net.prefix = "203.0.113.0/28".parse().unwrap();
        assert!(matches!(
            mappings.insert_whole(&net),
            Err(Unusable::Prefix(_))
        ));
        mappings.insert_whole(&whole(1, 1)).unwrap();
        let address = IpAddr::from([203, 0, 113, 1]);
        let refused = mappings.insert_block(&block(1, 2048, 10, 2));
        assert_eq!(refused, Err(Unusable::Both(address)));
        let mut far = whole(2, 1);
        far.sled = NodePrefix::of("fd00:7761:6b65:101::".parse().unwrap()).unwrap();
        let refused = mappings.insert_whole(&far).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "203.0.113.2 is held by a sled of another AZ, fd00:7761:6b65:101::/64"
        );
        assert_eq!(mappings.holder(address, Some(80)).unwrap().node, 1);
        assert_eq!(mappings.addresses(), 1);
    }
}
