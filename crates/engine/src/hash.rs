//! Keyed hashing of flow keys: folded multiplication, two multiplications deep.
//!
//! A guest chooses the addresses and ports of its packets, so every table it can reach is hashed with words that are
//! drawn per boot and that it never sees. Only the outer source port uses fixed words: both ends of a tunnel must
//! compute the same one.

use core::hash::{BuildHasher, Hasher};

use crate::addr::Addr;
use crate::direction::Direction;
use crate::flow::FlowKey;

/// Hashes flow keys with secret words.
#[derive(Clone, Copy, Debug)]
pub struct FlowHasher {
    words: [u64; 6],
}

/// What [`entropy`] is computed with; the fraction bits of the golden ratio and of roots, nothing up the sleeve.
const PUBLIC: FlowHasher = FlowHasher::new([0x9e37_79b9_7f4a_7c15, 0x6a09_e667_f3bc_c908]);

impl FlowHasher {
    /// A hasher with these two secret words, drawn once per boot by the caller.
    #[must_use]
    pub const fn new(secret: [u64; 2]) -> Self {
        let mut words = [0; 6];
        let mut state = secret[0];
        let mut i = 0;
        while i < words.len() {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            words[i] = scramble(state ^ scramble(secret[1] ^ state.rotate_left(32)));
            i += 1;
        }
        Self { words }
    }

    /// The hash of one direction's key: place and tag in the flow index.
    #[inline]
    #[must_use]
    pub fn hash(&self, key: &FlowKey) -> u64 {
        let [k0, k1, k2, k3, k4, k5] = self.words;
        let k5 = match key.direction {
            Direction::Out => k5,
            Direction::In => k5.rotate_left(32),
        };
        let (local_high, local_low) = halves(key.local.bits());
        let (remote_high, remote_low) = halves(key.remote.bits());
        let local = fold(local_high ^ k0, local_low ^ k1);
        let remote = fold(remote_high ^ k2, remote_low ^ k3);
        let rest = u64::from(key.local_port)
            | u64::from(key.remote_port) << 16
            | u64::from(key.protocol) << 32;
        fold(local ^ rest ^ k4, remote ^ k5)
    }

    /// The hash of a connection without its direction: the same where local and remote end are exchanged.
    #[inline]
    #[must_use]
    pub fn symmetric(&self, key: &FlowKey) -> u64 {
        let local = self.end(key.local, key.local_port, key.protocol);
        let remote = self.end(key.remote, key.remote_port, key.protocol);
        fold(local.wrapping_add(remote) ^ self.words[4], self.words[5])
    }

    /// The hash of one end of a connection.
    #[inline]
    #[must_use]
    pub(crate) fn end(&self, addr: Addr, port: u16, protocol: u8) -> u64 {
        let [k0, k1, k2, k3, ..] = self.words;
        let (high, low) = halves(addr.bits());
        fold(
            fold(high ^ k0, low ^ k1) ^ k2,
            (u64::from(port) | u64::from(protocol) << 16) ^ k3,
        )
    }
}

/// The outer UDP source port of a connection's packets, 49152 to 65535 (RFC 8926, section 3.3): the same for both
/// directions and on both hosts, where the keys differ only by which end is local.
#[inline]
#[must_use]
pub fn entropy(key: &FlowKey) -> u16 {
    let [low, high, ..] = PUBLIC.symmetric(key).to_le_bytes();
    u16::from_le_bytes([low, high]) | 0xc000
}

/// How much a flow (by its hash) is drawn to an address, for choices among several.
#[must_use]
pub(crate) fn weight(addr: u128, flow: u64) -> u64 {
    let (high, low) = halves(addr);
    scramble(fold(high ^ flow, low ^ flow.rotate_left(32)) ^ low)
}

impl BuildHasher for FlowHasher {
    type Hasher = KeyedHasher;

    fn build_hasher(&self) -> KeyedHasher {
        KeyedHasher {
            state: self.words[0],
            word: self.words[1],
        }
    }
}

/// The same folding for values of any type, off the hot path.
#[derive(Clone, Copy, Debug)]
pub struct KeyedHasher {
    state: u64,
    word: u64,
}

impl Hasher for KeyedHasher {
    fn finish(&self) -> u64 {
        fold(self.state, self.word)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
        let rest = chunks.remainder();
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        // The length goes in too, so that trailing zeros count.
        self.write_u64(u64::from_le_bytes(word));
        self.write_u64(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.state = fold(self.state ^ value, self.word).wrapping_add(self.word.rotate_left(17));
    }
}

/// Both halves of the 128-bit product, folded into one: every bit of either factor reaches every bit of the result.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let (high, low) = halves(u128::from(a) * u128::from(b));
    high ^ low
}

/// The high and the low half of a hash: a tag and a place in a table.
#[inline]
pub(crate) fn tag_and_place(hash: u64) -> (u32, u32) {
    let [a, b, c, d, tag @ ..] = hash.to_le_bytes();
    (u32::from_le_bytes(tag), u32::from_le_bytes([a, b, c, d]))
}

/// The high and the low half.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "each half is what is wanted"
)]
const fn halves(value: u128) -> (u64, u64) {
    ((value >> 64) as u64, value as u64)
}

/// A bijection that spreads every bit (the finisher of `SplitMix64`).
const fn scramble(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn key(local: u32, local_port: u16) -> FlowKey {
        FlowKey {
            direction: Direction::Out,
            local: Addr::v4(local),
            remote: Addr::v4(0x0808_0808),
            local_port,
            remote_port: 53,
            protocol: 17,
        }
    }

    fn any_key() -> impl Strategy<Value = FlowKey> {
        any::<(bool, u128, u128, u16, u16, u8)>().prop_map(|k| FlowKey {
            direction: if k.0 { Direction::Out } else { Direction::In },
            local: Addr::from_bits(k.1),
            remote: Addr::from_bits(k.2),
            local_port: k.3,
            remote_port: k.4,
            protocol: k.5,
        })
    }

    proptest! {
        #[test]
        fn exchanged_ends_have_the_same_symmetric_hash(key in any_key(), secret: [u64; 2]) {
            let hasher = FlowHasher::new(secret);
            let exchanged = FlowKey {
                direction: key.direction.reversed(),
                local: key.remote,
                remote: key.local,
                local_port: key.remote_port,
                remote_port: key.local_port,
                ..key
            };
            prop_assert_eq!(hasher.symmetric(&key), hasher.symmetric(&exchanged));
            prop_assert_eq!(entropy(&key), entropy(&exchanged));
            prop_assert!(entropy(&key) >= 49152);
        }

        #[test]
        fn every_field_counts(key in any_key(), secret: [u64; 2], bit in 0_u32..128) {
            let hasher = FlowHasher::new(secret);
            let flip = 1_u128 << bit;
            let hash = hasher.hash(&key);
            let local = FlowKey { local: Addr::from_bits(key.local.bits() ^ flip), ..key };
            let remote = FlowKey { remote: Addr::from_bits(key.remote.bits() ^ flip), ..key };
            let local_port = FlowKey { local_port: key.local_port ^ 1 << (bit % 16), ..key };
            let remote_port = FlowKey { remote_port: key.remote_port ^ 1 << (bit % 16), ..key };
            let protocol = FlowKey { protocol: key.protocol ^ 1 << (bit % 8), ..key };
            let direction = FlowKey { direction: key.direction.reversed(), ..key };
            for other in [local, remote, local_port, remote_port, protocol, direction] {
                prop_assert_ne!(hash, hasher.hash(&other));
            }
            for other in [local, remote, local_port, remote_port, protocol] {
                prop_assert_ne!(hasher.symmetric(&key), hasher.symmetric(&other));
            }
        }
    }

    /// Sequential addresses and ports, as a scan has them, fill 4096 places like random ones do.
    #[test]
    fn sequential_keys_spread() {
        let hasher = FlowHasher::new([1, 2]);
        for shift in [0, 26, 52] {
            let mut places = vec![0_u32; 4096];
            for i in 0..65_536_u32 {
                let port = 1024 + u16::try_from(i % 256).unwrap();
                let hash = hasher.hash(&key(0x0a00_0000 + i / 256, port));
                places[usize::try_from(hash >> shift & 4095).unwrap()] += 1;
            }
            // Poisson with mean 16: more than 48 in one of 4096 places is less likely than one in 10^6.
            assert!(
                places.iter().all(|&n| n < 48),
                "shift {shift}: {:?}",
                places.iter().max()
            );
            assert!(places.iter().filter(|&&n| n == 0).count() < 8);
        }
    }

    #[test]
    fn entropy_is_fixed() {
        // Both hosts of a tunnel compute it, perhaps with different versions: it may never change.
        assert_eq!(entropy(&key(0x0a00_0005, 40_000)), 64_661);
    }

    #[test]
    fn other_secrets_give_other_hashes() {
        let key = key(0x0a00_0001, 1);
        assert_ne!(
            FlowHasher::new([1, 2]).hash(&key),
            FlowHasher::new([2, 1]).hash(&key)
        );
        assert_ne!(
            FlowHasher::new([1, 2]).hash(&key),
            FlowHasher::new([1, 3]).hash(&key)
        );
    }

    #[test]
    fn length_of_bytes_counts() {
        let hasher = FlowHasher::new([1, 2]);
        assert_ne!(
            hasher.hash_one([0_u8; 3].as_slice()),
            hasher.hash_one([0_u8; 4].as_slice())
        );
    }
}
