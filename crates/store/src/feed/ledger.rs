//! What was told, in short.

use std::collections::BTreeMap;

use crate::{Change, Digest, Event, Key, Listing, Revision};

/// The keys that were told, with the revision of each, and what they come to.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    modified: BTreeMap<Key, Revision>,
    digest: Digest,
    revision: Revision,
}

impl Ledger {
    pub(super) fn of(listing: &Listing) -> Self {
        let mut ledger = Self {
            revision: listing.revision,
            ..Self::default()
        };
        for entry in &listing.entries {
            ledger.put(&entry.key, entry.modified);
        }
        ledger
    }

    pub(super) fn tell(&mut self, change: &Change) {
        self.revision = change.revision;
        for event in &change.events {
            match event {
                Event::Put(entry) => self.put(&entry.key, entry.modified),
                Event::Delete(key) => {
                    if let Some(old) = self.modified.remove(key) {
                        self.digest.remove(key, old);
                    }
                }
            }
        }
    }

    /// Nothing up to `revision` is missing.
    pub(super) fn has_all_up_to(&mut self, revision: Revision) {
        self.revision = self.revision.max(revision);
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    fn put(&mut self, key: &Key, modified: Revision) {
        if let Some(old) = self.modified.insert(key.clone(), modified) {
            self.digest.remove(key, old);
        }
        self.digest.add(key, modified);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::Entry;

    /// Changes to a few keys, one for each revision.
    fn changes() -> impl Strategy<Value = Vec<Change>> {
        let change = prop::collection::btree_map(0..6_u8, any::<bool>(), 1..4);
        prop::collection::vec(change, 1..20).prop_map(|changes| {
            let numbered = (1..).zip(changes);
            numbered
                .map(|(number, keys)| {
                    let revision = Revision::new(number);
                    let event = |(key, put): (u8, bool)| {
                        let key = Key::new(&format!("k{key}")).unwrap();
                        if !put {
                            return Event::Delete(key);
                        }
                        Event::Put(Entry {
                            key,
                            value: Arc::default(),
                            created: revision,
                            modified: revision,
                            version: 1,
                        })
                    };
                    let events = keys.into_iter().map(event).collect();
                    Change { revision, events }
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn a_ledger_that_lost_something_that_matters_differs(
            changes in changes(),
            lost in any::<prop::sample::Index>(),
        ) {
            let lost = lost.index(changes.len());
            let (mut whole, mut torn) = (Ledger::default(), Ledger::default());
            for (number, change) in changes.iter().enumerate() {
                whole.tell(change);
                if number != lost {
                    torn.tell(change);
                }
            }
            prop_assert_eq!(
                whole.digest() == torn.digest(),
                whole.modified == torn.modified
            );
            let keys = u64::try_from(whole.modified.len()).unwrap();
            prop_assert_eq!(whole.digest().keys(), keys);
        }
    }
}
