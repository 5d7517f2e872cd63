//! Random numbers from a seed.

/// The generator `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// The next 128 bits.
    pub fn wide(&mut self) -> u128 {
        u128::from(self.bits()) << 64 | u128::from(self.bits())
    }

    /// A number from `low` to `high`, both included; `low` where they are the wrong way round.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        match high.checked_sub(low) {
            None => low,
            Some(u64::MAX) => self.bits(),
            Some(span) => low + self.bits() % (span + 1),
        }
    }

    /// A 16-bit number from `low` to `high`, both included.
    pub fn port(&mut self, low: u16, high: u16) -> u16 {
        u16::try_from(self.between(u64::from(low), u64::from(high))).unwrap_or(low)
    }

    /// An octet from `low` to `high`, both included.
    pub fn octet(&mut self, low: u8, high: u8) -> u8 {
        u8::try_from(self.between(u64::from(low), u64::from(high))).unwrap_or(low)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.bits().is_multiple_of(n.max(1))
    }

    /// One of these; `None` where there are none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let len = u64::try_from(from.len()).ok()?;
        let place = self.bits().checked_rem(len)?;
        from.get(usize::try_from(place).ok()?)
    }

    /// Puts these in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let place = self.between(0, u64::try_from(last).unwrap_or(0));
            items.swap(last, usize::try_from(place).unwrap_or(last));
        }
    }
}
