//! What of a shard is not in its journal yet, and which part of the rest is next to be refreshed.

use alloc::vec;
use alloc::vec::Vec;

use rackweave_types::Instant;

use super::header::{Header, LayerName};

/// How long a round through all connections takes, which refreshes what changes with every packet.
const ROUND: u64 = 8_000_000_000;
/// The round goes on no more often than this.
const PACE: u64 = 1_000_000;
/// The most places that are looked at in one go.
const AT_ONCE: u64 = 256;
/// By how many slots the used part of a journal grows at least.
pub(crate) const STEP: u32 = 64;

/// A shard's notes about its journal.
#[derive(Debug)]
pub(crate) struct Marks {
    pub(crate) header: Header,
    /// The number of the last slot that was written.
    sequence: u64,
    /// Places that changed, each once, and a bit for each place that is among them.
    places: Vec<u32>,
    bits: Vec<u64>,
    /// The program has changed, and whether the change asked to cut.
    program: Option<bool>,
    round: Round,
}

/// A walk through all places.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    /// The next place.
    at: u32,
    /// When this round began, and the one before.
    began: u64,
    before: u64,
    /// When to go on.
    next: u64,
}

impl Marks {
    pub(crate) fn new(header: &Header, now: Instant) -> Self {
        let words = header.capacity.get().div_ceil(64);
        Self {
            header: *header,
            sequence: 0,
            places: Vec::new(),
            bits: vec![0; usize::try_from(words).unwrap_or(usize::MAX)],
            program: None,
            round: Round {
                began: now.nanos(),
                before: now.nanos(),
                ..Round::default()
            },
        }
    }

    /// The connection at this place has changed, come or gone.
    #[inline]
    pub(crate) fn mark(&mut self, place: u32) {
        let bit = 1 << (place % 64);
        if let Some(word) = usize::try_from(place / 64)
            .ok()
            .and_then(|at| self.bits.get_mut(at))
            && *word & bit == 0
        {
            *word |= bit;
            self.places.push(place);
        }
    }

    /// The program is another, whose change may have asked to cut.
    pub(crate) fn program_changed(&mut self, cut: bool) {
        self.program = Some(cut || self.program == Some(true));
    }

    /// The places that changed, in the order in which they did; [`done`](Self::done) gives the list back.
    pub(crate) fn take(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.places)
    }

    /// All of these are written.
    pub(crate) fn done(&mut self, mut places: Vec<u32>) {
        for place in places.drain(..) {
            let word = usize::try_from(place / 64).ok();
            if let Some(word) = word.and_then(|at| self.bits.get_mut(at)) {
                *word = 0;
            }
        }
        self.places = places;
    }

    /// The number for the next slot.
    #[inline]
    pub(crate) fn number(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Brings the header up to date with the program, where that has changed: the names of the layers' bits. Says
    /// whether it is to be written.
    pub(crate) fn rename(&mut self, names: impl Iterator<Item = [u8; 16]>) -> bool {
        let Some(cut) = self.program.take() else {
            return false;
        };
        let next = self.sequence + 1;
        for (layer, name) in self.header.layers.iter_mut().zip(names) {
            if layer.name != name {
                *layer = LayerName {
                    since: next.into(),
                    name,
                };
            }
        }
        if cut {
            self.header.cut_since = next.into();
        }
        true
    }

    /// Makes room for connections up to before this place; says from where to where slots are new.
    pub(crate) fn raise(&mut self, to: u32) -> Option<(u32, u32)> {
        let from = self.header.high.get();
        if to <= from {
            return None;
        }
        let to = to
            .checked_next_multiple_of(STEP)
            .unwrap_or(to)
            .min(self.header.capacity.get());
        self.header.high = to.into();
        Some((from, to))
    }

    /// The places to refresh now, and since when a connection must have been used to be worth it.
    #[inline]
    pub(crate) fn next_to_refresh(&mut self, now: Instant) -> (core::ops::Range<u32>, u64) {
        let round = &mut self.round;
        if now.nanos() < round.next {
            return (0..0, 0);
        }
        round.next = now.nanos().saturating_add(PACE);
        let high = u64::from(self.header.high.get());
        let elapsed = now.nanos().saturating_sub(round.began).min(ROUND);
        // Below 2^33 and 2^32.
        let due = elapsed * high / ROUND;
        let at = u64::from(round.at);
        let end = due.min(at + AT_ONCE).max(at);
        let places = round.at..u32::try_from(end).unwrap_or(u32::MAX);
        let since = round.before;
        round.at = places.end;
        if end >= high && elapsed == ROUND {
            *round = Round {
                at: 0,
                began: now.nanos(),
                before: round.began,
                next: round.next,
            };
        }
        (places, since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(high: u32) -> Marks {
        let mut marks = Marks::new(&Header::new([1, 2], 0, 1, high.max(64)), Instant::START);
        marks.raise(high);
        marks
    }

    #[test]
    fn a_place_is_noted_once_until_it_is_written() {
        let mut marks = marks(200);
        for place in [3, 199, 3, 64, 199, 1_000_000] {
            marks.mark(place);
        }
        let places = marks.take();
        assert_eq!(places, [3, 199, 64]);
        marks.done(places);
        marks.mark(3);
        assert_eq!(marks.take(), [3]);
    }

    #[test]
    fn a_round_meets_every_place_and_takes_its_time() {
        for (high, pause) in [(1, 10), (64, 3), (1_000, 250), (100_000, 1)] {
            let mut marks = marks(high);
            let high = marks.header.high.get();
            let mut now = 0_u64;
            let mut expected = 0;
            while marks.round.before == 0 && marks.round.began == 0 {
                now += pause * 1_000_000;
                let (places, since) = marks.next_to_refresh(Instant::from_nanos(now));
                assert_eq!(since, 0);
                assert!(places.is_empty() || places.start == expected, "{places:?}");
                assert!(places.len() <= 256);
                expected = places.end.max(expected);
            }
            assert_eq!(expected, high, "{high} places, looked at every {pause} ms");
            assert!(now >= ROUND);
            assert!(now < 3 * ROUND, "{high} places took {now} ns");
        }
    }

    #[test]
    fn calls_in_between_do_nothing() {
        let mut marks = marks(100_000);
        assert_eq!(
            marks
                .next_to_refresh(Instant::from_nanos(5_000_000))
                .0
                .len(),
            62
        );
        assert_eq!(
            marks
                .next_to_refresh(Instant::from_nanos(5_999_999))
                .0
                .len(),
            0
        );
        assert_eq!(
            marks
                .next_to_refresh(Instant::from_nanos(6_000_000))
                .0
                .len(),
            13
        );
    }

    #[test]
    fn a_bit_that_changes_hands_says_since_when() {
        let mut marks = marks(64);
        marks.program_changed(false);
        assert!(marks.rename([[1; 16], [2; 16]].into_iter()));
        assert!(!marks.rename([[9; 16]].into_iter()), "nothing has changed");
        marks.number();
        marks.program_changed(true);
        marks.program_changed(false);
        assert!(marks.rename([[1; 16], [3; 16]].into_iter()));
        let since = |layer: LayerName| layer.since.get();
        assert_eq!(marks.header.layers.map(since)[..3], [1, 2, 0]);
        assert_eq!(marks.header.cut_since.get(), 2);
    }
}
