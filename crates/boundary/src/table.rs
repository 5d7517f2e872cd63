//! The table of the program: who holds an external address or a block of its ports, found in one cache line or two.
//!
//! A key has two buckets of four slots, and is in the first one wherever that has room. Who reads takes no lock and waits
//! for nobody; who writes keeps to an order in which a reader never misses what is there: the tag of a slot is its last
//! word written, and a key that makes room for another one stands in its second bucket before it leaves the first.

use std::net::IpAddr;

use rackweave_types::MacAddr;
use rackweave_types::state::PortBlock;

/// Slots of a bucket.
const SLOTS: usize = 4;
/// Words of a slot: two of the address, the tag, the holder.
const SLOT: usize = 4;
/// Words of a bucket.
pub(crate) const BUCKET: usize = SLOTS * SLOT;

/// The tag of an address as a whole.
const WHOLE: u32 = 0x1_0001;
/// Kinds of values, in the tag's word.
const HELD: u64 = 1;
const SHARED: u64 = 2;

const MIX: [u64; 3] = [
    0x9e37_79b9_7f4a_7c15,
    0xd6e8_feb8_6659_fd93,
    0xa076_1d64_78bd_642f,
];

/// What is looked up: an external address, or a block of its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The address; an IPv4 one as mapped into IPv6 (RFC 4291, section 2.5.5.2).
    address: u128,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Whole,
    Block { shift: u8, index: u16 },
}

impl Key {
    /// An address as a whole.
    #[must_use]
    pub fn whole(address: IpAddr) -> Self {
        Self {
            address: bits(address),
            part: Part::Whole,
        }
    }

    /// The block of 2^`shift` ports that a port is of; `shift` is below 16.
    #[must_use]
    pub fn block(address: IpAddr, port: u16, shift: u8) -> Self {
        let index = port.checked_shr(u32::from(shift)).unwrap_or(0);
        Self {
            address: bits(address),
            part: Part::Block { shift, index },
        }
    }

    fn words(self) -> [u64; 2] {
        let [high @ .., _, _, _, _, _, _, _, _] = self.address.to_be_bytes();
        let [_, _, _, _, _, _, _, _, low @ ..] = self.address.to_be_bytes();
        [u64::from_be_bytes(high), u64::from_be_bytes(low)]
    }

    fn tag(self) -> u32 {
        match self.part {
            Part::Whole => WHOLE,
            Part::Block { shift, index } => u32::from(shift) << 24 | (u32::from(index) + 1),
        }
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Who holds an address or a block, of the AZ's sleds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The number of the sled's rack.
    pub rack: u8,
    /// The number of the sled.
    pub node: u8,
    /// The holder's Ethernet address.
    pub mac: MacAddr,
}

/// What is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// Its holder.
    Held(Holder),
    /// An address whose ports are held in blocks of 2^`shift`.
    Shared {
        /// The exponent, below 16.
        shift: u8,
    },
}

impl Value {
    /// The address's value where its ports are held in such blocks.
    #[must_use]
    pub fn shared(block: PortBlock) -> Self {
        Self::Shared {
            shift: shift_of(block),
        }
    }

    fn words(self) -> [u64; 2] {
        match self {
            Self::Held(Holder { rack, node, mac }) => {
                let mut octets = [0, 0, 0, 0, 0, 0, rack, node];
                octets[..6].copy_from_slice(&mac.octets());
                let holder = u64::from_be_bytes(octets);
                [HELD << 32, holder]
            }
            Self::Shared { shift } => [SHARED << 32 | u64::from(shift) << 40, 0],
        }
    }

    const fn of(tag: u64, holder: u64) -> Self {
        let [_, _, shift, kind, ..] = tag.to_be_bytes();
        if kind == 2 {
            return Self::Shared { shift: shift & 0xf };
        }
        let [mac @ .., rack, node] = holder.to_be_bytes();
        let mac = MacAddr::new(mac);
        Self::Held(Holder { rack, node, mac })
    }
}

/// The exponent of a block's number of ports.
pub(crate) fn shift_of(block: PortBlock) -> u8 {
    u8::try_from(block.count().trailing_zeros()).unwrap_or(0)
}

/// The words that a table stands in; some may be read by others meanwhile.
pub trait Memory {
    /// How many words.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A word.
    fn load(&self, at: usize) -> u64;

    /// Writes a word. What was written before is seen by whoever sees it.
    fn store(&mut self, at: usize, word: u64);
}

impl Memory for Vec<u64> {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn load(&self, at: usize) -> u64 {
        self[at]
    }

    fn store(&mut self, at: usize, word: u64) {
        self[at] = word;
    }
}

/// No room for a key: a table with more buckets is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the table of mappings is full")]
pub struct Full;

/// The table.
#[derive(Clone, Debug)]
pub struct Table<M> {
    memory: M,
    mask: u64,
    len: usize,
}

/// How many buckets a table of so many keys has: it is at most half full.
#[must_use]
pub fn buckets(keys: usize) -> usize {
    (keys / 2).next_power_of_two().max(16)
}

impl Table<Vec<u64>> {
    /// A table of its own memory, with room for so many keys.
    #[must_use]
    pub fn with_room(keys: usize) -> Self {
        Self::new(vec![0; buckets(keys) * BUCKET])
    }
}

impl<M: Memory> Table<M> {
    /// An empty table in memory of zeroes, of a power of two of buckets.
    pub fn new(memory: M) -> Self {
        let buckets = u64::try_from(memory.len() / BUCKET).unwrap_or(u64::MAX);
        Self {
            memory,
            mask: buckets.saturating_sub(1),
            len: 0,
        }
    }

    /// How many keys it holds.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it should give way to a larger one: keys that find no room become likely.
    pub fn is_crowded(&self) -> bool {
        self.len * 2 > self.memory.len() / SLOT
    }

    /// What a key has.
    pub fn get(&self, key: Key) -> Option<Value> {
        let at = self.find(key)?;
        Some(Value::of(
            self.memory.load(at + 2),
            self.memory.load(at + 3),
        ))
    }

    /// Gives a key a value, another one where it has one.
    ///
    /// # Errors
    /// Where there is no room.
    pub fn insert(&mut self, key: Key, value: Value) -> Result<(), Full> {
        let [tag, holder] = value.words();
        let tag = tag | u64::from(key.tag());
        if let Some(at) = self.find(key) {
            self.memory.store(at + 3, holder);
            self.memory.store(at + 2, tag);
            return Ok(());
        }
        let at = self.room(key).ok_or(Full)?;
        let [high, low] = key.words();
        self.write(at, [high, low, tag, holder]);
        self.len += 1;
        Ok(())
    }

    /// Takes a key out; whether it was there.
    pub fn remove(&mut self, key: Key) -> bool {
        let Some(at) = self.find(key) else {
            return false;
        };
        self.memory.store(at + 2, 0);
        self.len -= 1;
        true
    }

    /// The memory it stands in.
    pub const fn memory(&self) -> &M {
        &self.memory
    }

    fn write(&mut self, at: usize, [high, low, tag, holder]: [u64; SLOT]) {
        for (place, word) in [(0, high), (1, low), (3, holder), (2, tag)] {
            self.memory.store(at + place, word);
        }
    }

    fn free(&self, bucket: u64) -> Option<usize> {
        slots(bucket).find(|at| self.memory.load(at + 2) == 0)
    }

    fn find(&self, key: Key) -> Option<usize> {
        let [high, low] = key.words();
        let tag = u64::from(key.tag());
        let [first, second] = self.places(high, low, tag);
        let mut slots = slots(first).chain(slots(second));
        slots.find(|at| {
            self.memory.load(at + 2) & 0xffff_ffff == tag
                && self.memory.load(at + 1) == low
                && self.memory.load(*at) == high
        })
    }

    /// A slot for a key, made where there is none by moving another key to its second bucket.
    fn room(&mut self, key: Key) -> Option<usize> {
        let [high, low] = key.words();
        let places = self.places(high, low, u64::from(key.tag()));
        places
            .iter()
            .find_map(|bucket| self.free(*bucket))
            .or_else(|| places.iter().find_map(|bucket| self.make_room(*bucket)))
    }

    fn make_room(&mut self, bucket: u64) -> Option<usize> {
        let (from, to) = slots(bucket).find_map(|at| {
            let [high, low, tag] = [0, 1, 2].map(|word| self.memory.load(at + word));
            let [first, second] = self.places(high, low, tag & 0xffff_ffff);
            // A reader looks at the first bucket first: a move the other way would hide the key from it.
            (first == bucket)
                .then(|| self.free(second))
                .flatten()
                .map(|to| (at, to))
        })?;
        let words = [0, 1, 2, 3].map(|word| self.memory.load(from + word));
        self.write(to, words);
        self.memory.store(from + 2, 0);
        Some(from)
    }

    /// The two buckets of a key.
    const fn places(&self, high: u64, low: u64, tag: u64) -> [u64; 2] {
        let mut hash = high.wrapping_mul(MIX[0]) ^ low;
        hash ^= hash >> 32;
        hash = hash
            .wrapping_add(tag.wrapping_mul(MIX[2]))
            .wrapping_mul(MIX[1]);
        hash ^= hash >> 29;
        hash = hash.wrapping_mul(MIX[0]);
        hash ^= hash >> 32;
        let first = hash & 0xffff_ffff & self.mask;
        let second = hash >> 32 & self.mask;
        [first, if first == second { second ^ 1 } else { second }]
    }
}

/// Where the slots of a bucket are.
fn slots(bucket: u64) -> impl Iterator<Item = usize> {
    let at = usize::try_from(bucket).unwrap_or(0) * BUCKET;
    (0..SLOTS).map(move |slot| at + slot * SLOT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Key> {
        let address = prop_oneof![
            (0_u8..40).prop_map(|host| IpAddr::from([203, 0, 113, host])),
            (0_u16..40).prop_map(|host| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, host])),
        ];
        (address, any::<u16>(), proptest::option::of(6_u8..16)).prop_map(
            |(address, port, shift)| match shift {
                None => Key::whole(address),
                Some(shift) => Key::block(address, port, shift),
            },
        )
    }

    fn value() -> impl Strategy<Value = Value> {
        let held = (any::<u8>(), any::<u8>(), any::<[u8; 6]>()).prop_map(|(rack, node, mac)| {
            let mac = MacAddr::new(mac);
            Value::Held(Holder { rack, node, mac })
        });
        prop_oneof![4 => held, 1 => (0_u8..16).prop_map(|shift| Value::Shared { shift })]
    }

    proptest! {
        /// What is in the table is what was put there, also where keys had to move.
        #[test]
        fn it_is_a_map(steps in proptest::collection::vec((key(), proptest::option::of(value())), 1..400)) {
            let mut table = Table::with_room(0);
            let mut model = BTreeMap::new();
            for (key, value) in steps {
                if let Some(value) = value {
                    if table.insert(key, value).is_ok() {
                        model.insert(key, value);
                    }
                } else {
                    prop_assert_eq!(table.remove(key), model.remove(&key).is_some());
                }
                prop_assert_eq!(table.len(), model.len());
            }
            for (key, value) in &model {
                prop_assert_eq!(table.get(*key), Some(*value));
            }
        }
    }

    #[test]
    fn a_table_that_is_half_full_takes_all() {
        let keys = 1 << 16;
        let mut table = Table::with_room(keys);
        let holder = Holder {
            rack: 1,
            node: 2,
            mac: MacAddr::ZERO,
        };
        for number in 0..u32::try_from(keys).unwrap() {
            let key = Key::whole(IpAddr::V4((0x0a00_0000 + number).into()));
            assert_eq!(table.insert(key, Value::Held(holder)), Ok(()), "{number}");
        }
        assert!(!table.is_crowded());
        let block = Key::block([10, 0, 0, 1].into(), 4096, 10);
        assert_eq!(table.get(block), None);
    }

    #[test]
    fn blocks_of_two_sizes_are_different_keys() {
        let address = IpAddr::from([203, 0, 113, 1]);
        let keys = [
            Key::whole(address),
            Key::block(address, 0, 15),
            Key::block(address, 0, 6),
            Key::block(address, 65_535, 0),
        ];
        for (at, key) in keys.iter().enumerate() {
            for other in &keys[at + 1..] {
                assert_ne!(key.tag(), other.tag());
            }
        }
    }
}
