//! Frames that wait for their time.

use std::collections::VecDeque;
use std::time::Duration;

use rackweave_types::Instant;

/// The most octets that wait in one direction: half a second of 10 Gbit/s would not fit, and shows as loss.
const ROOM: usize = 256 << 20;

/// The frames of one direction, in the order in which they go.
#[derive(Debug, Default)]
pub(super) struct Queue {
    frames: VecDeque<(Instant, Vec<u8>)>,
    octets: usize,
    /// Frames for which there was no room.
    pub(super) overflowed: u64,
}

impl Queue {
    /// Has a frame that came `now` wait for so long; where it is to stay in order and that is later, until those before
    /// it have gone.
    pub(super) fn push(&mut self, now: Instant, delay: Duration, in_order: bool, frame: Vec<u8>) {
        if self.octets + frame.len() > ROOM {
            self.overflowed += 1;
            return;
        }
        let last = self.frames.back().map_or(now, |(due, _)| *due);
        let mut due = now.after(delay);
        if in_order {
            due = due.max(last);
        }
        let place = self.frames.partition_point(|(other, _)| *other <= due);
        self.octets += frame.len();
        self.frames.insert(place, (due, frame));
    }

    /// The next frame whose time has come.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Vec<u8>> {
        let (_, frame) = self.frames.pop_front_if(|(due, _)| *due <= now)?;
        self.octets -= frame.len();
        Some(frame)
    }

    /// When the next frame's time comes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.frames.front().map(|(due, _)| *due)
    }
}

/// What a direction loses by chance: a small generator (splitmix64) that nobody needs to be unable to guess.
#[derive(Debug)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    /// Whether this time it happens, as it does `ppm` times of a million.
    pub(super) fn happens(&mut self, ppm: u32) -> bool {
        self.draw() % 1_000_000 < u64::from(ppm)
    }

    /// A number that is not above this one.
    pub(super) fn up_to(&mut self, most: u32) -> u64 {
        self.draw() % (u64::from(most) + 1)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: u64) -> Instant {
        Instant::from_nanos(us * 1_000)
    }

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    #[test]
    fn frames_come_at_their_time_and_in_order() {
        let mut queue = Queue::default();
        queue.push(at(0), us(100), true, vec![1]);
        queue.push(at(50), us(10), true, vec![2]);
        assert_eq!(queue.due(), Some(at(100)));
        assert_eq!(queue.pop(at(99)), None);
        assert_eq!(queue.pop(at(100)), Some(vec![1]));
        assert_eq!(queue.pop(at(100)), Some(vec![2]), "not before the first");
        assert_eq!((queue.due(), queue.octets), (None, 0));
    }

    #[test]
    fn frames_that_need_not_stay_in_order_overtake_others() {
        let mut queue = Queue::default();
        queue.push(at(0), us(100), false, vec![1]);
        queue.push(at(50), us(10), false, vec![2]);
        assert_eq!(queue.pop(at(60)), Some(vec![2]));
        assert_eq!(queue.pop(at(60)), None);
        assert_eq!(queue.pop(at(100)), Some(vec![1]));
        let mut chance = Chance(7);
        assert!((0..1_000).all(|_| chance.up_to(5) <= 5));
        assert_eq!(chance.up_to(0), 0);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut queue = Queue::default();
        for _ in 0..5 {
            queue.push(at(0), us(1), true, vec![0; ROOM / 4]);
        }
        assert_eq!(queue.overflowed, 1);
        assert!(queue.pop(at(1)).is_some());
        queue.push(at(2), us(1), true, vec![0; ROOM / 4]);
        assert_eq!(queue.overflowed, 1);
    }

    #[test]
    fn chance_is_as_often_as_asked() {
        let mut chance = Chance(7);
        let happened = (0..100_000).filter(|_| chance.happens(100_000)).count();
        assert!((9_500..10_500).contains(&happened), "{happened}");
        assert!(!(0..1_000).any(|_| chance.happens(0)));
        assert!((0..1_000).all(|_| chance.happens(1_000_000)));
    }
}
