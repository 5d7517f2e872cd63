//! Random numbers that nobody can guess: query numbers, ports, tokens, jitter.

use std::fmt;

use rackweave_linux::random::{self, RandomError};

/// A stream of random octets that its seed determines (BLAKE3 in its extendable output mode).
pub struct Random(blake3::OutputReader);

impl Random {
    /// The stream of this seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(blake3::Hasher::new_keyed(seed).finalize_xof())
    }

    /// A stream whose seed is drawn by the kernel.
    ///
    /// # Errors
    /// Where the kernel gives none.
    pub fn from_kernel() -> Result<Self, RandomError> {
        random::bytes().map(|seed| Self::from_seed(&seed))
    }

    /// The next octets.
    pub(crate) fn octets<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        self.0.fill(&mut octets);
        octets
    }

    /// A number of 64 bits.
    pub(crate) fn number(&mut self) -> u64 {
        u64::from_le_bytes(self.octets())
    }

    /// A number of 16 bits.
    pub(crate) fn number16(&mut self) -> u16 {
        u16::from_le_bytes(self.octets())
    }

    /// A number below `bound`, 0 where that is 0. Its bias is below 2^-20 for bounds below 2^44.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.number().checked_rem(bound).unwrap_or(0)
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What comes next is a secret.
        f.debug_struct("Random").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_determines_the_stream() {
        let draw = |seed| {
            let mut random = Random::from_seed(&[seed; 32]);
            (random.number(), random.number(), random.number16())
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let mut random = Random::from_seed(&[3; 32]);
        assert!((0..1000).all(|_| random.below(7) < 7));
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn the_kernel_gives_each_its_own() {
        let draw = || Random::from_kernel().unwrap().number();
        assert_ne!(draw(), draw());
    }
}
