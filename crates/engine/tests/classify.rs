//! The classifier finds what a look at every rule finds, for the rule sets that are measured.

use std::collections::BTreeSet;

use rackweave_engine::classify::{Classifier, linear};
use rackweave_engine::program::Rule;
use rackweave_testkit::rules::{
    Family, crossing_rules, matching_fields, random_routes, random_rules,
};

type Draw = fn(usize, u64, Family) -> Vec<Rule>;

/// Compares all packets of a set; gives back which rules counted.
fn hits(rules: &[Rule]) -> BTreeSet<Option<u32>> {
    let classifier = Classifier::build(rules);
    let packets = matching_fields(rules, 2);
    let found = packets.iter().map(|packet| {
        let found = classifier.lookup(packet);
        assert_eq!(found, linear(rules, packet), "{packet:?}");
        found
    });
    found.collect()
}

#[test]
fn every_rule_and_the_default_are_hit() {
    for family in Family::ALL {
        for n in [1, 10, 1_000] {
            let hits = hits(&random_rules(n, 1, family));
            // None of the rules is hidden by others, and some packets are for none.
            assert_eq!(hits.len(), n + 1, "{n} rules, {family:?}");
        }
    }
}

#[test]
fn rules_of_all_kinds_at_once() {
    let draws: [(Draw, usize); 2] = [(crossing_rules, 1_900), (random_routes, 1_900)];
    for family in Family::ALL {
        for (draw, at_least) in draws {
            let hits = hits(&draw(2_000, 3, family));
            assert!(hits.len() > at_least, "{} of 2,000, {family:?}", hits.len());
        }
    }
}

#[test]
fn memory_grows_with_the_rules() {
    let draws: [Draw; 3] = [random_rules, crossing_rules, random_routes];
    for family in Family::ALL {
        for draw in draws {
            let memory = Classifier::build(&draw(5_000, 4, family)).memory();
            assert!(memory < 5_000 * 256, "{memory} octets, {family:?}");
        }
    }
}
