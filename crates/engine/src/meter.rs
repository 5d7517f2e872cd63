//! Meters: how fast a port may send, in octets and packets a second, with bursts.
//!
//! The generic cell rate algorithm (virtual scheduling, ITU-T I.371): a meter holds the time at which all that has
//! passed would have passed at the rate. A packet passes if that time is no further ahead than the burst.

use rackweave_types::Instant;

use crate::program::MeterSpec;

/// Binary places of a cost: rates down to 1 and up to 2^40 a second keep a precision of better than 1 %.
const PLACES: u32 = 20;
const NANOS: u128 = 1_000_000_000;

/// One rate: `None` where it is not limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    /// Nanoseconds for one unit, shifted by [`PLACES`].
    cost: u128,
    /// How far ahead the time may be, in nanoseconds.
    tolerance: u64,
    /// When all that has passed would have passed.
    due: u64,
}

/// A token bucket for octets and one for packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meter {
    bytes: Option<Rate>,
    packets: Option<Rate>,
}

impl Rate {
    fn new(per_second: u64, burst: u64, parts: u64) -> Self {
        let per_second = u128::from(per_second.max(1));
        let cost = ((NANOS * u128::from(parts)) << PLACES) / per_second;
        let burst = u128::from(burst) * NANOS * u128::from(parts) / per_second;
        Self {
            cost,
            tolerance: u64::try_from(burst).unwrap_or(u64::MAX),
            due: 0,
        }
    }

    /// When all would have passed, were `units` to pass now; `None` where they may not.
    #[inline]
    fn after(&self, units: u64, now: u64) -> Option<u64> {
        let cost = u64::try_from((self.cost * u128::from(units)) >> PLACES).unwrap_or(u64::MAX);
        let due = self.due.max(now).saturating_add(cost);
        (due <= now.saturating_add(self.tolerance)).then_some(due)
    }
}

impl Meter {
    /// A full bucket; the rate is shared out among `parts` shards, the burst is each one's.
    pub(crate) fn new(spec: &MeterSpec, parts: u64) -> Self {
        let rate =
            |per_second: Option<u64>, burst| per_second.map(|rate| Rate::new(rate, burst, parts));
        Self {
            bytes: rate(spec.bytes_per_second, spec.burst_bytes),
            packets: rate(spec.packets_per_second, spec.burst_packets),
        }
    }

    /// The meter after so much has passed now; `None` where it may not pass.
    #[inline]
    pub(crate) fn after(&self, bytes: u64, packets: u64, now: Instant) -> Option<Self> {
        let rate = |rate: Option<Rate>, units| match rate {
            None => Some(None),
            Some(rate) => rate
                .after(units, now.nanos())
                .map(|due| Some(Rate { due, ..rate })),
        };
        Some(Self {
            bytes: rate(self.bytes, bytes)?,
            packets: rate(self.packets, packets)?,
        })
    }

    /// Lets so much pass, if it may.
    #[inline]
    pub(crate) fn take(&mut self, bytes: u64, packets: u64, now: Instant) -> bool {
        match self.after(bytes, packets, now) {
            Some(after) => {
                *self = after;
                true
            }
            None => false,
        }
    }

    /// By how many nanoseconds what has passed is ahead of the rates: octets, packets; `None` where not limited.
    pub(crate) fn ahead(&self, now: Instant) -> [Option<u64>; 2] {
        [self.bytes, self.packets].map(|rate| rate.map(|rate| rate.due.saturating_sub(now.nanos())))
    }

    /// Puts what has passed so far ahead of the rates, but no further than a burst reaches.
    pub(crate) fn set_ahead(&mut self, ahead: [Option<u64>; 2], now: Instant) {
        for (rate, ahead) in [&mut self.bytes, &mut self.packets].into_iter().zip(ahead) {
            if let (Some(rate), Some(ahead)) = (rate, ahead) {
                rate.due = now.nanos().saturating_add(ahead.min(rate.tolerance));
            }
        }
    }

    /// Takes over how far the rates of another meter are used.
    pub(crate) fn keep(&mut self, old: &Self) {
        for (new, old) in [
            (&mut self.bytes, &old.bytes),
            (&mut self.packets, &old.packets),
        ] {
            if let (Some(new), Some(old)) = (new, old) {
                new.due = old.due;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn passed(spec: MeterSpec, parts: u64, size: u64, gap: Duration, seconds: u64) -> u64 {
        let mut meter = Meter::new(&spec, parts);
        let mut now = Instant::START;
        let end = Instant::START.after(Duration::from_secs(seconds));
        let mut count = 0;
        while now < end {
            count += u64::from(meter.take(size, 1, now));
            now = now.after(gap);
        }
        count
    }

    #[test]
    fn octets_pass_at_the_rate_after_the_burst() {
        let spec = MeterSpec {
            bytes_per_second: Some(1_000_000),
            burst_bytes: 100_000,
            ..MeterSpec::default()
        };
        let packets = passed(spec, 1, 1000, Duration::from_micros(100), 10);
        assert!((10_090..=10_110).contains(&packets), "{packets}");
    }

    #[test]
    fn packets_are_shared_out_among_shards() {
        let spec = MeterSpec {
            packets_per_second: Some(1000),
            burst_packets: 10,
            ..MeterSpec::default()
        };
        let packets = passed(spec, 4, 1000, Duration::from_micros(100), 10);
        assert!((2_495..=2_515).contains(&packets), "{packets}");
    }

    #[test]
    fn a_burst_is_each_shards() {
        let spec = MeterSpec {
            bytes_per_second: Some(1000),
            burst_bytes: 65_535,
            ..MeterSpec::default()
        };
        for parts in [1, 4, 64] {
            let mut meter = Meter::new(&spec, parts);
            assert!(meter.take(65_535, 1, Instant::START), "{parts} parts");
            assert!(!meter.take(1, 1, Instant::START), "{parts} parts");
        }
    }

    #[test]
    fn an_unlimited_meter_lets_everything_pass() {
        assert_eq!(
            passed(MeterSpec::default(), 1, 9000, Duration::from_millis(1), 1),
            1000
        );
    }
}
