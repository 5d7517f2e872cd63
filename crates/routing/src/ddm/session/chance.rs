//! Octets that nobody guesses, from a seed.

/// A source of octets: blake3 keyed with the seed, over a counter.
#[derive(Clone)]
pub(super) struct Chance {
    seed: [u8; 32],
    drawn: u64,
}

impl Chance {
    pub(super) const fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    /// The next 32 octets.
    pub(super) fn draw(&mut self) -> [u8; 32] {
        let octets = blake3::keyed_hash(&self.seed, &self.drawn.to_le_bytes());
        self.drawn = self.drawn.wrapping_add(1);
        octets.into()
    }

    /// The next 16 octets.
    pub(super) fn nonce(&mut self) -> [u8; 16] {
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&self.draw()[..16]);
        nonce
    }
}

/// Shows nothing of the seed: keys come of it.
impl core::fmt::Debug for Chance {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Chance").finish_non_exhaustive()
    }
}
