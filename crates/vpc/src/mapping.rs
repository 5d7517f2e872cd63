//! From the state's mappings to the engine's tables.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use ipnet::IpNet;
use rackweave_engine::mapping::{Mapping, MappingChange, MappingTable, Previous};
use rackweave_types::Instant;
use rackweave_types::state::{MappingEntry, MappingState};

/// How long packets from the host that a guest has left still count, where nothing else is said.
pub const KEEP: Duration = Duration::from_secs(5);

/// The table of a network.
#[must_use]
pub fn mapping_table(state: &MappingState) -> MappingTable {
    MappingTable::new(
        state
            .entries
            .iter()
            .map(|entry| (entry.prefix, mapping(entry))),
    )
}

/// What changes a table of `old` into one of `new`, in the order of prefixes.
///
/// Where a guest moves, packets from the host it leaves count until `now` and `keep` are over;
/// packets to it go to its new host at once. An entry that is not in `new` is gone at once.
#[must_use]
pub fn mapping_changes(
    old: &MappingState,
    new: &MappingState,
    now: Instant,
    keep: Duration,
) -> Vec<MappingChange> {
    let (old, new) = (by_prefix(&old.entries), by_prefix(&new.entries));
    let mut changes = Vec::new();
    for prefix in old.keys().filter(|prefix| !new.contains_key(prefix)) {
        changes.push(MappingChange {
            prefix: *prefix,
            mapping: None,
        });
    }
    for (prefix, entry) in new {
        let before = old.get(&prefix);
        if before == Some(&entry) {
            continue;
        }
        let left = before.filter(|before| before.sled != entry.sled);
        let previous = left.map(|before| Previous {
            underlay: before.sled.tunnel_endpoint(),
            until: now.after(keep),
        });
        let mapping = Mapping {
            previous,
            ..mapping(entry)
        };
        changes.push(MappingChange {
            prefix,
            mapping: Some(mapping),
        });
    }
    changes.sort_by_key(|change| change.prefix);
    changes
}

fn by_prefix(entries: &[MappingEntry]) -> BTreeMap<IpNet, &MappingEntry> {
    entries
        .iter()
        .map(|entry| (entry.prefix.trunc(), entry))
        .collect()
}

fn mapping(entry: &MappingEntry) -> Mapping {
    Mapping {
        underlay: entry.sled.tunnel_endpoint(),
        mac: entry.mac,
        previous: None,
    }
}
