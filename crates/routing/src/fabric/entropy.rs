//! Chance from one seed.

/// Gives octets that nobody can guess who does not know the seed: BLAKE3 of a counter, keyed with the seed.
#[derive(Debug)]
pub(super) struct Entropy {
    seed: [u8; 32],
    drawn: u64,
}

impl Entropy {
    pub(super) const fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    /// 32 octets, never the same ones again.
    pub(super) fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        *blake3::keyed_hash(&self.seed, &self.drawn.to_be_bytes()).as_bytes()
    }

    /// Eight octets of the next draw.
    pub(super) fn draw_u64(&mut self) -> u64 {
        let mut octets = [0; 8];
        octets.copy_from_slice(&self.draw()[..8]);
        u64::from_be_bytes(octets)
    }
}
