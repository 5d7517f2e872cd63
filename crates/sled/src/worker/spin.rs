//! How long to look for frames before sleeping: as experience says.

use std::time::Duration;

use crate::workers::PollMode;

/// The longest look in adaptive mode. Waking up costs some 10 to 50 µs, and who looks and finds nothing yields the
/// processor after each round; so looking costs others little, and sleeping between two frames of a conversation costs
/// the conversation much.
const MAX: Duration = Duration::from_micros(200);
/// The shortest look that there is.
const MIN: Duration = Duration::from_micros(5);

/// How long a worker looks for frames before it sleeps.
///
/// A sleep that ended sooner than the longest look would have been spared by looking: the next look is longer. A sleep
/// that lasted shows that looking was in vain: it is shorter. A look that found something leaves things as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpinBudget {
    mode: PollMode,
    budget: Duration,
}

impl SpinBudget {
    pub(super) const fn new(mode: PollMode) -> Self {
        let budget = match mode {
            PollMode::Adaptive => MIN,
            PollMode::Spin => Duration::MAX,
            PollMode::Block => Duration::ZERO,
        };
        Self { mode, budget }
    }

    /// How long to look now.
    pub(super) const fn get(self) -> Duration {
        self.budget
    }

    /// The worker slept for so long, until there was something to do.
    pub(super) fn slept(&mut self, time: Duration) {
        if self.mode != PollMode::Adaptive {
            return;
        }
        self.budget = if time <= MAX {
            (self.budget * 2).clamp(MIN, MAX)
        } else if self.budget <= MIN {
            Duration::ZERO
        } else {
            self.budget / 2
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_sleeps_make_it_look_longer_and_long_ones_less() {
        let mut budget = SpinBudget::new(PollMode::Adaptive);
        for _ in 0..10 {
            budget.slept(Duration::from_micros(20));
        }
        assert_eq!(budget.get(), MAX);
        for _ in 0..10 {
            budget.slept(Duration::from_millis(3));
        }
        assert_eq!(budget.get(), Duration::ZERO);
        budget.slept(MAX);
        assert_eq!(budget.get(), MIN);
    }

    #[test]
    fn the_other_modes_never_change() {
        for (mode, looks) in [
            (PollMode::Spin, Duration::MAX),
            (PollMode::Block, Duration::ZERO),
        ] {
            let mut budget = SpinBudget::new(mode);
            budget.slept(Duration::from_micros(1));
            budget.slept(Duration::from_secs(1));
            assert_eq!(budget.get(), looks);
        }
    }
}
