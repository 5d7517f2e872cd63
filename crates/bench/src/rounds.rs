//! What is measured in rounds: with the engine, and without it.

use std::time::Duration;

use anyhow::Result;

/// Work of the engine that can be done again and again.
pub trait Rounds {
    /// Packets, flows or lookups in a round.
    fn each(&self) -> u32;

    /// Does a round; says how long that took, and how long the same without the engine.
    ///
    /// # Errors
    /// Where the engine did something else than what is to be measured.
    fn round(&mut self) -> Result<[Duration; 2]>;

    /// Nanoseconds of the engine for one of a round: the fastest of several rounds, less the
    /// fastest without it.
    ///
    /// # Errors
    /// As [`round`](Self::round).
    fn nanos(&mut self, rounds: u32) -> Result<f64> {
        let mut best = [Duration::MAX; 2];
        for _ in 0..rounds {
            let [with, without] = self.round()?;
            best = [best[0].min(with), best[1].min(without)];
        }
        Ok(best[0].saturating_sub(best[1]).as_secs_f64() * 1e9 / f64::from(self.each()))
    }

    /// The engine's time for `count` of them: measured over whole rounds, then shared out.
    ///
    /// # Errors
    /// As [`round`](Self::round).
    fn time(&mut self, count: u64) -> Result<Duration> {
        let each = u64::from(self.each());
        let rounds = count.div_ceil(each).max(1);
        let mut total = [Duration::ZERO; 2];
        for _ in 0..rounds {
            let [with, without] = self.round()?;
            total = [total[0] + with, total[1] + without];
        }
        let nanos = total[0].saturating_sub(total[1]).as_nanos() * u128::from(count);
        Ok(Duration::from_nanos(u64::try_from(
            nanos / u128::from(rounds * each),
        )?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of these times.
    struct Fake(Vec<[u64; 2]>);

    impl Rounds for Fake {
        fn each(&self) -> u32 {
            10
        }

        fn round(&mut self) -> Result<[Duration; 2]> {
            Ok(self.0.pop().unwrap().map(Duration::from_nanos))
        }
    }

    #[test]
    fn the_fastest_round_counts() {
        let nanos = |mut rounds: Fake, count| rounds.nanos(count).unwrap();
        let nanos_of_three = nanos(Fake(vec![[900, 300], [700, 400], [800, 200]]), 3);
        assert!((nanos_of_three - 50.0).abs() < 1e-6, "{nanos_of_three}");
        assert!(
            nanos(Fake(vec![[100, 200]]), 1).abs() < 1e-6,
            "never below nothing"
        );
    }

    #[test]
    fn time_is_shared_out() {
        let time = Fake(vec![[900, 300], [700, 300]]).time(15).unwrap();
        assert_eq!(time, Duration::from_nanos(750));
    }
}
