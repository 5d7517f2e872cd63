//! From samples to what is reported.

use serde::{Deserialize, Serialize};

use super::losses::{Losses, REMEMBERED};

/// Round trips that are remembered.
const WINDOW: usize = 17;
/// So many must agree that the delay is another one.
const AGREE: usize = 14;
/// So many make a first report.
const FIRST: usize = 5;
/// A round trip that moved by less is not reported.
const MOVED_NS: u32 = 250_000;
/// A sample that is so far off makes it look closer.
const ODD_NS: u32 = 1_000_000;
const PPM: u32 = 1_000_000;

/// What was found of the way to a neighbour and back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Smoothed round trip, in nanoseconds.
    pub rtt_ns: u32,
    /// Lost of a million, in the worse direction.
    pub loss_ppm: u32,
}

/// Smooths samples and says when they mean something new.
#[derive(Clone, Debug, Default)]
pub(super) struct Estimator {
    /// The newest round trips, in a ring.
    rtts: [u32; WINDOW],
    seen: usize,
    /// What is lost of the other side's, and of ours.
    pub(super) inward: Losses,
    pub(super) outward: Losses,
    reported: Option<Estimate>,
}

impl Estimator {
    /// What was reported last.
    pub(super) const fn reported(&self) -> Option<Estimate> {
        self.reported
    }

    /// What was sampled before counts no more; what was reported stays until it is known better.
    pub(super) fn forget(&mut self) {
        *self = Self {
            reported: self.reported,
            ..Self::default()
        };
    }

    /// A round trip was measured. Whether it is odd.
    pub(super) fn sample(&mut self, rtt: u32) -> bool {
        self.rtts[self.seen % WINDOW] = rtt;
        self.seen += 1;
        let expected = self.reported.map_or(rtt, |reported| reported.rtt_ns);
        rtt.abs_diff(expected) > ODD_NS.max(expected / 4)
    }

    /// What is to be reported, where it is new.
    pub(super) fn report(&mut self) -> Option<Estimate> {
        let mut sorted = self.rtts;
        let known = self.seen.min(WINDOW);
        let sorted = &mut sorted[..known];
        sorted.sort_unstable();
        let median = *sorted.get(known / 2)?;
        let Some(before) = self.reported else {
            if known < FIRST {
                return None;
            }
            let loss_ppm = self.loss(0);
            self.reported = Some(Estimate {
                rtt_ns: median,
                loss_ppm,
            });
            return self.reported;
        };
        let margin = MOVED_NS.max(before.rtt_ns / 5);
        let above = before.rtt_ns.saturating_add(margin);
        let below = before.rtt_ns.saturating_sub(margin);
        let agree = AGREE.min(known * AGREE / WINDOW + 1);
        let rose = known >= FIRST && sorted[known - agree] > above;
        let fell = known >= FIRST && sorted[agree - 1] < below;
        let now = Estimate {
            rtt_ns: if rose || fell { median } else { before.rtt_ns },
            loss_ppm: self.loss(before.loss_ppm),
        };
        if now == before {
            return None;
        }
        self.reported = Some(now);
        self.reported
    }

    /// The loss of the worse direction, given what was reported.
    fn loss(&self, reported: u32) -> u32 {
        let inward = direction(&self.inward, reported);
        inward.max(direction(&self.outward, reported))
    }
}

/// The loss of one direction; `reported` where it means nothing new.
fn direction(losses: &Losses, reported: u32) -> u32 {
    let (few, many) = (losses.of_64(), losses.of_all());
    let quick = few * PPM / losses.known().clamp(32, 64);
    let slow = many * PPM / losses.known().clamp(64, REMEMBERED);
    if few >= 3 && quick > 5 * (reported / 2) + PPM / 50 {
        return quick;
    }
    if many >= 4 && slow > 3 * (reported / 2) + PPM / 100 {
        return slow;
    }
    // Where the newest are better than all, it is not over yet what things become.
    let settled = quick + quick / 2 + PPM / 64 >= slow;
    let less = quick.max(slow) < reported / 2;
    match losses.known() == REMEMBERED && settled && less {
        true if few == 0 => 0,
        true => quick.max(slow),
        false => reported,
    }
}
