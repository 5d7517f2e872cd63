//! Which numbers of messages came already.

/// The highest number that came, and which of the 64 up to it did (RFC 4303, 3.4.3 has the same for ESP).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    highest: u64,
    /// Bit `n` stands for the number `highest - n`.
    came: u64,
}

impl Seen {
    /// Whether this number may still come: it is new, and not too old to tell. Numbers begin at 1.
    pub(super) fn is_new(self, number: u64) -> bool {
        if number > self.highest {
            return true;
        }
        let back = self.highest - number;
        number != 0 && back < 64 && self.came & (1 << back) == 0
    }

    /// Remembers that this number came.
    pub(super) fn insert(&mut self, number: u64) {
        if number > self.highest {
            let ahead = u32::try_from(number - self.highest).unwrap_or(u32::MAX);
            self.came = self.came.checked_shl(ahead).unwrap_or_default() | 1;
            self.highest = number;
        } else if let Some(bit) = u32::try_from(self.highest - number)
            .ok()
            .and_then(|back| 1_u64.checked_shl(back))
        {
            self.came |= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// No number is new twice, and one that is at most 63 behind the highest is new once.
        #[test]
        fn each_number_is_new_once(numbers in proptest::collection::vec(1_u64..300, 1..200)) {
            let mut seen = Seen::default();
            let mut model = BTreeSet::new();
            for number in numbers {
                let highest = model.last().copied().unwrap_or(0);
                let expected = !model.contains(&number) && number + 64 > highest;
                prop_assert_eq!(seen.is_new(number), expected);
                if expected {
                    seen.insert(number);
                    model.insert(number);
                }
            }
        }
    }

    #[test]
    fn far_jumps_forget_what_came() {
        let mut seen = Seen::default();
        seen.insert(1);
        seen.insert(u64::MAX);
        assert!(!seen.is_new(1));
        assert!(!seen.is_new(u64::MAX));
        assert!(seen.is_new(u64::MAX - 1));
        assert!(!seen.is_new(0));
    }
}
