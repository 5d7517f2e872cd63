//! Mapping tables: who holds an address of the overlay, and where on the underlay that is.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use hashbrown::HashMap;
use ipnet::IpNet;
use rackweave_types::{Instant, MacAddr};
use serde::{Deserialize, Serialize};

use crate::addr::Addr;

/// Where the holder of an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The tunnel end point of the holder's host.
    pub underlay: Ipv6Addr,
    /// The Ethernet address of the holder's NIC.
    pub mac: MacAddr,
    /// Where the holder was until a move, as long as that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
}

/// The place that a holder left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    /// The tunnel end point of the host it left.
    pub underlay: Ipv6Addr,
    /// Until when packets from there still count.
    pub until: Instant,
}

/// Parts of a table: a change copies one of them, not the whole.
const PARTS: usize = 256;

type Part = HashMap<(Addr, u8), Mapping>;

/// Addresses and prefixes of one network with their holders; the longest prefix wins.
///
/// A table is an immutable value that ports share. [`MappingTable::with`] gives a changed one at a cost that goes
/// with the size of the change.
#[derive(Clone, Debug, Default)]
pub struct MappingTable {
    parts: Vec<Arc<Part>>,
    /// How many entries have each prefix length (of 128 bits), longest first.
    lengths: Vec<(u8, usize)>,
}

/// One change of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingChange {
    /// The address (a prefix of full length) or prefix.
    pub prefix: IpNet,
    /// Its holder from now on; `None` takes the entry away.
    pub mapping: Option<Mapping>,
}

impl MappingTable {
    /// A table with these entries.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = (IpNet, Mapping)>) -> Self {
        let changes: Vec<_> = entries
            .into_iter()
            .map(|(prefix, mapping)| MappingChange {
                prefix,
                mapping: Some(mapping),
            })
            .collect();
        Self::default().with(&changes)
    }

    /// This table with changes made to it.
    #[must_use]
    pub fn with(&self, changes: &[MappingChange]) -> Self {
        let mut table = self.clone();
        if table.parts.is_empty() {
            table.parts = (0..PARTS).map(|_| Arc::default()).collect();
        }
        for change in changes {
            let (addr, len) = key(change.prefix);
            let part = Arc::make_mut(&mut table.parts[part_of(addr)]);
            let before = match change.mapping {
                Some(mapping) => part.insert((addr, len), mapping).is_some(),
                None => part.remove(&(addr, len)).is_some(),
            };
            table.count(len, before, change.mapping.is_some());
        }
        table
    }

    /// The holder of an address: the entry with the longest prefix that covers it.
    #[must_use]
    pub fn lookup(&self, addr: Addr) -> Option<&Mapping> {
        self.lengths.iter().find_map(|(len, _)| {
            let prefix = masked(addr, *len);
            self.parts[part_of(prefix)].get(&(prefix, *len))
        })
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lengths.iter().map(|(_, count)| count).sum()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Keeps the list of prefix lengths true after one change.
    fn count(&mut self, len: u8, before: bool, after: bool) {
        let place = self.lengths.binary_search_by(|(have, _)| len.cmp(have));
        match (place, before, after) {
            (Ok(at), false, true) => self.lengths[at].1 += 1,
            (Err(at), false, true) => self.lengths.insert(at, (len, 1)),
            (Ok(at), true, false) => {
                self.lengths[at].1 -= 1;
                if self.lengths[at].1 == 0 {
                    self.lengths.remove(at);
                }
            }
            _ => {}
        }
    }
}

/// A prefix as its first address and its length of 128 bits.
fn key(prefix: IpNet) -> (Addr, u8) {
    let len = match prefix {
        IpNet::V4(net) => 96 + net.prefix_len(),
        IpNet::V6(net) => net.prefix_len(),
    };
    (masked(prefix.addr().into(), len), len)
}

fn masked(addr: Addr, len: u8) -> Addr {
    let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
    Addr::from_bits(addr.bits() & mask)
}

fn part_of(prefix: Addr) -> usize {
    let octets = prefix.octets();
    let mixed = octets.iter().fold(0u8, |sum, octet| {
        sum.rotate_left(3) ^ octet.wrapping_mul(31)
    });
    usize::from(mixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(host: u16) -> Mapping {
        Mapping {
            underlay: Ipv6Addr::new(0xfd00, 0, 0, host, 0, 0, 0, 1),
            mac: MacAddr::new([2, 0x72, 0x77, 0, 0, 1]),
            previous: None,
        }
    }

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn addr(text: &str) -> Addr {
        text.parse::<core::net::IpAddr>().unwrap().into()
    }

    #[test]
    fn the_longest_prefix_wins() {
        let table = MappingTable::new([
            (net("10.0.0.0/8"), mapping(1)),
            (net("10.0.0.5/32"), mapping(2)),
            (net("fd00::/8"), mapping(3)),
        ]);
        assert_eq!(table.lookup(addr("10.0.0.5")), Some(&mapping(2)));
        assert_eq!(table.lookup(addr("10.0.0.6")), Some(&mapping(1)));
        assert_eq!(table.lookup(addr("fd00::6")), Some(&mapping(3)));
        assert_eq!(table.lookup(addr("11.0.0.6")), None);
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn a_change_leaves_the_old_table_as_it_was() {
        let old = MappingTable::new([
            (net("10.0.0.5/32"), mapping(1)),
            (net("10.0.0.6/32"), mapping(1)),
        ]);
        let new = old.with(&[
            MappingChange {
                prefix: net("10.0.0.5/32"),
                mapping: Some(mapping(2)),
            },
            MappingChange {
                prefix: net("10.0.0.6/32"),
                mapping: None,
            },
            MappingChange {
                prefix: net("10.9.9.9/32"),
                mapping: None,
            },
        ]);
        assert_eq!(old.lookup(addr("10.0.0.5")), Some(&mapping(1)));
        assert_eq!(new.lookup(addr("10.0.0.5")), Some(&mapping(2)));
        assert_eq!((old.len(), new.len()), (2, 1));
        assert_eq!(new.lookup(addr("10.0.0.6")), None);
    }
}
