use proptest::prelude::*;

use super::*;

const MS: u32 = 1_000_000;

fn at(ms: u64) -> Instant {
    Instant::START.after(Duration::from_millis(ms))
}

/// A weigher in virtual time: costs in milliseconds.
struct Bench {
    weigher: Weigher<u8>,
    now: u64,
    changes: usize,
}

impl Bench {
    fn new(costs: &[u32]) -> Self {
        let mut bench = Self {
            weigher: Weigher::new(),
            now: 1,
            changes: 0,
        };
        bench.costs(costs);
        bench.changes = 0;
        bench
    }

    fn costs(&mut self, costs: &[u32]) {
        let costs = (0..).zip(costs.iter().map(|ms| Cost(ms * MS)));
        self.changes += usize::from(self.weigher.set(at(self.now), costs));
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        while let Some(due) = self.weigher.deadline().filter(|due| *due <= at(until)) {
            self.now = due.nanos() / 1_000_000;
            self.changes += usize::from(self.weigher.handle_timeout(due));
        }
        self.now = until;
    }

    fn weights(&self) -> Vec<u8> {
        self.weigher.weights().map(|(_, weight)| weight).collect()
    }
}

#[test]
fn loss_is_worth_delay() {
    assert_eq!(link_cost(200_000, 0), Cost(200_000));
    assert_eq!(link_cost(200_000, 100_000), Cost(10_200_000));
    assert_eq!(link_cost(u32::MAX, u32::MAX), Cost(u32::MAX));
}

#[test]
fn small_moves_are_not_announced() {
    assert!(!moved(Cost(50_000), Cost(150_000)));
    assert!(moved(Cost(50_000), Cost(150_001)));
    assert!(!moved(Cost(10 * MS), Cost(12 * MS)));
    assert!(moved(Cost(10 * MS), Cost(8 * MS - 1)));
}

#[test]
fn five_milliseconds_slower_or_a_tenth_lost_is_no_weight() {
    let fast = link_cost(100_000, 0);
    for bad in [link_cost(5_100_000, 0), link_cost(100_000, 100_000)] {
        for now in [None, Some(0), Some(1), Some(FULL)] {
            assert_eq!(weight(fast, bad, now), 0);
        }
    }
    // Far away, a quarter more is equal and twice as much is nothing.
    let far = Cost(40 * MS);
    assert_eq!(weight(far, Cost(50 * MS), None), FULL);
    assert_eq!(weight(far, Cost(65 * MS), None), 8);
    assert_eq!(weight(far, Cost(80 * MS), None), 0);
}

#[test]
fn a_slow_way_is_shed_and_taken_back_with_patience() {
    let mut bench = Bench::new(&[0, 0]);
    assert_eq!(bench.weights(), [FULL, FULL]);
    for wait in [250, 500, 1000, 2000, 4000, 8000, 8000] {
        bench.costs(&[0, 5]);
        bench.pass(60);
        assert_eq!(bench.weights(), [FULL, 0]);
        bench.costs(&[0, 0]);
        bench.pass(60 + wait - 1);
        assert_eq!(bench.weights(), [FULL, 0], "taken back before {wait} ms");
        bench.pass(1);
        assert_eq!(bench.weights(), [FULL, FULL], "after {wait} ms");
    }
    assert_eq!(bench.changes, 14);
    bench.pass(60_000);
    bench.costs(&[0, 5]);
    bench.pass(60);
    bench.costs(&[0, 0]);
    bench.pass(310);
    assert_eq!(bench.weights(), [FULL, FULL], "what was is forgotten");
}

#[test]
fn a_way_that_comes_anew_is_used_at_once_and_one_that_went_is_not() {
    let mut bench = Bench::new(&[0]);
    bench.costs(&[0, 0]);
    assert_eq!((bench.weights(), bench.changes), (vec![FULL, FULL], 1));
    bench.costs(&[0]);
    assert_eq!((bench.weights(), bench.changes), (vec![FULL], 2));
    bench.costs(&[0, 0]);
    assert_eq!((bench.weights(), bench.changes), (vec![FULL, FULL], 3));
    // One that is left alone serves, however slow.
    bench.costs(&[0, 9]);
    bench.pass(60);
    let only = [(1, Cost(9 * MS))];
    assert!(bench.weigher.set(at(bench.now), only));
    assert_eq!(bench.weights(), [FULL]);
}

proptest! {
    /// The slow side changes; of the two halves of that, either is seen first, and up to 200 ms apart.
    #[test]
    fn when_the_slow_side_changes_the_weights_change_once(
        gaps in proptest::collection::vec((any::<bool>(), 0_u64..200), 1..20),
        slow in 4_u32..50,
    ) {
        let mut bench = Bench::new(&[0, 0]);
        bench.costs(&[0, slow]);
        bench.pass(3000);
        for (turn, (first, gap)) in gaps.into_iter().enumerate() {
            let (before, after) = ([0, slow], [slow, 0]);
            let (before, after) = if turn % 2 == 0 { (before, after) } else { (after, before) };
            bench.changes = 0;
            let middle = if first { [after[0], before[1]] } else { [before[0], after[1]] };
            bench.costs(&middle);
            bench.pass(gap);
            bench.costs(&after);
            bench.pass(3000 - gap);
            prop_assert_eq!(bench.changes, 1);
            prop_assert_eq!(bench.weights(), after.map(|cost| if cost == 0 { FULL } else { 0 }));
        }
    }

    /// Noise of less than a millisecond, on however many ways and however often, never changes a weight.
    #[test]
    fn equal_ways_stay_equal(
        rounds in proptest::collection::vec((proptest::collection::vec(0_u32..MS, 4), 0_u64..500), 1..50),
        base in 0_u32..100 * MS,
    ) {
        let mut weigher = Weigher::new();
        weigher.set(at(0), (0..4_u8).map(|key| (key, Cost(base))));
        let mut now = 0;
        for (noise, pause) in rounds {
            let ways = (0..4_u8).zip(noise.iter().map(|noise| Cost(base + noise)));
            prop_assert!(!weigher.set(at(now), ways));
            now += pause;
            prop_assert!(!weigher.handle_timeout(at(now)));
        }
        prop_assert!(weigher.weights().all(|(_, weight)| weight == FULL));
    }

    #[test]
    fn a_weight_moves_by_two_steps_or_to_an_end_and_then_stays(
        best in 0_u32..100 * MS,
        over in 0_u32..200 * MS,
        jitter in 0_u32..60_000,
        now in 0..=FULL,
    ) {
        let cost = Cost(best + over);
        let to = weight(Cost(best), cost, Some(now));
        prop_assert!(to <= FULL);
        prop_assert!(to == now || to.abs_diff(now) >= 2 || [0, FULL].contains(&to));
        prop_assert_eq!(weight(Cost(best), cost, Some(to)), to);
        // Less than half a step of noise moves nothing, but to the end.
        let fresh = weight(Cost(best), cost, None);
        let jittered = weight(Cost(best), Cost(cost.0 + jitter), Some(fresh));
        prop_assert!(jittered == fresh || jittered == 0 || fresh == FULL && jittered >= FULL - 2);
    }

    #[test]
    fn costlier_is_never_heavier(best: u32, a: u32, b: u32) {
        let (a, b) = (a.max(best), b.max(best));
        let (near, far) = (Cost(a.min(b)), Cost(a.max(b)));
        prop_assert!(weight(Cost(best), near, None) >= weight(Cost(best), far, None));
        prop_assert_eq!(weight(Cost(best), Cost(best), None), FULL);
    }

    /// Whatever happens: some way has weight where there is one, no deadline lies in the past, and what is said to
    /// change is what changes.
    #[test]
    fn somebody_always_serves(
        rounds in proptest::collection::vec(
            (proptest::collection::btree_map(0_u8..4, any::<u32>(), 0..4), 0_u64..400), 1..60),
    ) {
        let (mut weigher, mut now) = (Weigher::new(), 0);
        for (ways, pause) in rounds {
            let before: Vec<_> = weigher.weights().collect();
            let mut changed = weigher.set(at(now), ways.iter().map(|(key, cost)| (*key, Cost(*cost))));
            now += pause;
            changed |= weigher.handle_timeout(at(now));
            prop_assert!(weigher.deadline().is_none_or(|due| due > at(now)));
            let weights: Vec<_> = weigher.weights().collect();
            prop_assert!(weights.iter().map(|(key, _)| key).eq(ways.keys()));
            prop_assert_eq!(weights.iter().any(|(_, weight)| *weight > 0), !ways.is_empty());
            prop_assert!(changed || weights == before);
        }
    }
}
