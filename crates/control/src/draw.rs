//! Chance, drawn outside.

use blake3::Hasher;

/// Octets that the caller drew, from which everything that must not be guessed or repeated is made:
/// the same octets give the same decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw([u8; 32]);

impl Draw {
    /// From these octets.
    #[must_use]
    pub const fn new(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The octets of one of many decisions that are made together.
    pub(crate) fn of(self, decision: usize) -> Self {
        let number = u64::try_from(decision).unwrap_or(u64::MAX);
        let mut hasher = Hasher::new_keyed(&self.0);
        hasher.update(b"decision").update(&number.to_be_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// The numbers that serve one purpose, without end.
    pub(crate) fn numbers(self, purpose: &str) -> impl Iterator<Item = u64> + use<> {
        let mut octets = Hasher::new_keyed(&self.0)
            .update(purpose.as_bytes())
            .finalize_xof();
        std::iter::repeat_with(move || {
            let mut number = [0; 8];
            octets.fill(&mut number);
            u64::from_be_bytes(number)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_do_not_share_numbers() {
        let draw = Draw::new([7; 32]);
        let first = |purpose: &str| draw.numbers(purpose).take(3).collect::<Vec<_>>();
        assert_eq!(first("mac"), first("mac"));
        assert_ne!(first("mac"), first("vni"));
        assert_ne!(draw.of(0), draw.of(1));
    }
}
