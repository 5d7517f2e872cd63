//! What was dropped.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What was dropped of one owner's packets, on all its links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drops {
    /// Who sent it: who is at the link's other end.
    pub owner: String,
    /// Packets; large ones that were not cut yet count once.
    pub packets: u64,
    /// Their octets.
    pub bytes: u64,
}

/// A listing of counters (libnftables-json(5)).
#[derive(Deserialize)]
struct Listing {
    nftables: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    /// Another kind of entry tells what wrote the listing.
    counter: Option<Counter>,
}

#[derive(Deserialize)]
struct Counter {
    name: String,
    /// The owner; a counter that somebody else made may have none.
    comment: Option<String>,
    packets: u64,
    bytes: u64,
}

/// What a listing says, in the order of owners.
pub(super) fn read(listing: &str) -> Result<Vec<Drops>, serde_json::Error> {
    let listing: Listing = serde_json::from_str(listing)?;
    let mut owners = BTreeMap::<String, Drops>::new();
    for counter in listing.nftables.into_iter().filter_map(|it| it.counter) {
        let owner = counter.comment.unwrap_or(counter.name);
        let drops = owners.entry(owner.clone()).or_insert(Drops {
            owner,
            packets: 0,
            bytes: 0,
        });
        drops.packets += counter.packets;
        drops.bytes += counter.bytes;
    }
    Ok(owners.into_values().collect())
}
