//! What of the newest beacons was lost.

/// Beacons that are remembered.
pub(super) const REMEMBERED: u32 = 256;

/// The fate of the newest beacons of one direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Losses {
    /// A bit for each, the newest lowest; set where it was lost.
    bits: [u64; 4],
    known: u32,
}

impl Losses {
    /// So many more were sent, and the last of them arrived or did not, as all before it did not.
    pub(super) fn push(&mut self, lost: u32, arrived: u32) {
        for _ in 0..lost.min(REMEMBERED) {
            self.shift(1);
        }
        for _ in 0..arrived.min(REMEMBERED) {
            self.shift(0);
        }
    }

    /// One that was held lost arrived after all, so many before the newest.
    pub(super) fn forgive(&mut self, age: u32) {
        if let Some(word) = usize::try_from(age / 64)
            .ok()
            .and_then(|at| self.bits.get_mut(at))
        {
            *word &= !(1 << (age % 64));
        }
    }

    /// The newest that was held lost arrived after all.
    pub(super) fn forgive_newest(&mut self) {
        if let Some(word) = self.bits.iter_mut().find(|word| **word != 0) {
            *word &= *word - 1;
        }
    }

    /// How many are remembered.
    pub(super) const fn known(&self) -> u32 {
        self.known
    }

    /// Lost of the newest 64.
    pub(super) const fn of_64(&self) -> u32 {
        self.bits[0].count_ones()
    }

    /// Lost of all that are remembered.
    pub(super) fn of_all(&self) -> u32 {
        self.bits.iter().map(|word| word.count_ones()).sum()
    }

    fn shift(&mut self, lost: u64) {
        let mut carry = lost;
        for word in &mut self.bits {
            let top = *word >> 63;
            *word = *word << 1 | carry;
            carry = top;
        }
        self.known = (self.known + 1).min(REMEMBERED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_remembered() {
        let mut losses = Losses::default();
        losses.push(3, 1);
        assert_eq!((losses.known(), losses.of_64(), losses.of_all()), (4, 3, 3));
        losses.forgive(1);
        losses.forgive(0);
        assert_eq!(losses.of_64(), 2);
        losses.forgive_newest();
        assert_eq!(losses.of_64(), 1);
        losses.push(0, 64);
        assert_eq!((losses.of_64(), losses.of_all()), (0, 1));
        losses.forgive_newest();
        assert_eq!(losses.of_all(), 0);
        losses.push(u32::MAX, 0);
        assert_eq!((losses.known(), losses.of_all()), (256, 256));
        losses.forgive(256);
        losses.push(0, 300);
        losses.forgive_newest();
        assert_eq!(losses.of_all(), 0);
    }
}
