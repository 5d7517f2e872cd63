//! A short word for what is stored.

use std::fmt;

use crate::{Key, Revision};

/// What the keys with a prefix come to at one revision: how many there are, and a sum of the hashes of (key, revision of
/// its last write). Two holders of the same entries have the same digest, and one that missed a write or a deletion has
/// another one. It is kept up by adding and removing, in no order. It finds losses, not forgers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    keys: u64,
    sum: u128,
}

impl Digest {
    /// A key that was last written at a revision is there.
    pub fn add(&mut self, key: &Key, modified: Revision) {
        self.add_parts(key.as_str(), modified);
    }

    /// It is there no longer.
    pub fn remove(&mut self, key: &Key, modified: Revision) {
        self.keys = self.keys.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(hash(key.as_str(), modified));
    }

    /// How many keys there are.
    pub fn keys(&self) -> u64 {
        self.keys
    }

    pub(crate) fn add_parts(&mut self, key: &str, modified: Revision) {
        self.keys = self.keys.wrapping_add(1);
        self.sum = self.sum.wrapping_add(hash(key, modified));
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:032x}", self.keys, self.sum)
    }
}

fn hash(key: &str, modified: Revision) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&modified.get().to_le_bytes());
    hasher.update(key.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_knows_no_order_and_forgets_what_is_removed() {
        let (a, b) = (Key::new("a").unwrap(), Key::new("b").unwrap());
        let (r1, r2) = (Revision::new(1), Revision::new(2));
        let mut one = Digest::default();
        one.add(&a, r1);
        one.add(&b, r2);
        let mut other = Digest::default();
        other.add(&b, r1);
        other.add(&a, r1);
        assert_ne!(one, other);
        other.remove(&b, r1);
        other.add(&b, r2);
        assert_eq!(one, other);
        assert_eq!(one.keys(), 2);
    }
}
