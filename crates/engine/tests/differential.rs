//! The properties of [`rackweave_testkit::property`] for bytes that a property test draws; `fuzz/` tries more.

use std::collections::BTreeSet;
use std::fmt;
use std::mem::discriminant;

use proptest::collection::vec;
use proptest::prelude::*;
use rackweave_engine::DropReason;
use rackweave_testkit::property::{self, Fault};
use rackweave_testkit::random::Random;

/// The bytes that choose a case.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Those of a case that goes on for up to some hundred packets.
fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..1500).prop_map(Bytes)
}

fn few_bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..120).prop_map(Bytes)
}

fn held<T>(result: Result<T, Fault>) -> Result<T, TestCaseError> {
    result.map_err(TestCaseError::fail)
}

/// Keeps the time of all of them together within a minute on a small machine.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        max_shrink_iters: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn explanations_are_true_and_counts_add_up(bytes in bytes()) {
        held(property::explained(&bytes.0))?;
    }

    #[test]
    fn packets_fare_as_in_the_reference(bytes in bytes()) {
        held(property::modelled(&bytes.0))?;
    }

    #[test]
    fn records_do_what_the_layers_would(bytes in bytes()) {
        held(property::established(&bytes.0))?;
    }

    #[test]
    fn a_batch_fares_as_its_packets(bytes in bytes()) {
        held(property::batches(&bytes.0))?;
    }

    #[test]
    fn four_shards_are_one_port(bytes in bytes()) {
        held(property::shards(&bytes.0))?;
    }

    #[test]
    fn a_thawed_port_goes_on(bytes in bytes()) {
        held(property::goes_on(&bytes.0))?;
    }

    #[test]
    fn frozen_bytes_are_read_or_refused(bytes in bytes()) {
        held(property::thaw(&bytes.0))?;
    }

    #[test]
    fn journals_are_read_as_far_as_they_are_whole(bytes in bytes()) {
        held(property::recover(&bytes.0))?;
    }

    #[test]
    fn responders_answer_or_leave_alone(bytes in bytes()) {
        held(property::answers(&bytes.0))?;
    }

    #[test]
    fn programs_are_read_back_and_their_faults_told(bytes in bytes()) {
        held(property::programs(&bytes.0))?;
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn headers_are_read_or_refused(which: u8, bytes in few_bytes()) {
        held(property::wire(&[&[which], &bytes.0[..]].concat()))?;
    }

    #[test]
    fn frames_are_read_or_refused(bytes in few_bytes()) {
        held(property::frame(&bytes.0))?;
    }
}

#[test]
fn random_traffic_reaches_every_end() {
    let mut random = Random::new(1);
    let mut reached = BTreeSet::new();
    for _ in 0..600 {
        let bytes: Vec<u8> = (0..1500).map(|_| random.octet(0, u8::MAX)).collect();
        reached.extend(property::reached(&bytes).unwrap());
    }
    let ends = [
        "answered",
        "cut",
        "established",
        "evicted",
        "expired",
        "forwarded in",
        "forwarded out",
        "moved",
        "punted",
        "refused",
    ];
    // What takes a packet of 64 KB, a table or a pool full of established connections, a journal that was lost (tests
    // of recovery reach it), or a mistake.
    let rare = [
        "encapsulation_too_long",
        "flow_cut",
        "flow_table_full",
        "fragment_malformed",
        "nat_ports_exhausted",
        "nat_ports_resting",
        "wrong_shard",
    ];
    let reasons = DropReason::ALL.iter().map(|reason| reason.name());
    let reasons = reasons.filter(|name| !rare.contains(name));
    let all = ends.into_iter().chain(reasons);
    let missing: Vec<_> = all.filter(|name| !reached.contains(name)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_fault_is_told_with_its_place() {
    for seed in 0..32 {
        let faults = property::faults(&[seed; 300]).unwrap();
        let kinds: BTreeSet<_> = faults
            .iter()
            .map(|fault| format!("{:?}", discriminant(&fault.problem)))
            .collect();
        assert_eq!(kinds.len(), PROBLEMS);
        assert!(faults.iter().all(|fault| !fault.to_string().is_empty()));
    }
}

/// Variants of [`rackweave_engine::program::Problem`].
const PROBLEMS: usize = 19;
