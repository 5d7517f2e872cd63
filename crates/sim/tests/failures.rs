//! Every link and switch may fail, alone and in pairs: in CI some of the pairs, by
//! `cargo run --release -p rackweave-sim -- failures` all.

use rackweave_sim::campaign::campaign;
use rackweave_sim::fault::{parts, singles_and_pairs};
use rackweave_sim::random::Random;
use rackweave_sim::topology::Topology;

/// Racks and sleds of each.
const SHAPE: (usize, usize) = (3, 8);
/// Pairs that are tried here.
const PAIRS: usize = 60;

#[test]
fn single_failures_and_some_pairs_leave_no_hole_and_no_loop() {
    let topology = Topology::mesh(SHAPE.0, SHAPE.1);
    let parts = parts(&topology);
    let mut cases = singles_and_pairs(&parts);
    assert_eq!(cases.len(), 66 + 66 * 65 / 2);
    let mut pairs = cases.split_off(parts.len());
    Random::new(1).shuffle(&mut pairs);
    cases.extend(pairs.into_iter().take(PAIRS));
    let outcome = campaign(&topology, &cases, 7, 3);
    assert!(outcome.failures.is_empty(), "{}", outcome.describe());
    assert_eq!(outcome.cases, cases.len());
}
