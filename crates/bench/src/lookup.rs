//! Lookups in large rule sets and routing tables.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Result, ensure};
use rackweave_engine::classify::{Classifier, linear};
use rackweave_engine::fields::Fields;
use rackweave_engine::program::Rule;
use rackweave_testkit::rules::{Family, matching_fields, random_routes, random_rules};

use crate::clock;
use crate::rounds::Rounds;

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Rules that are all different: random prefixes, ranges of ports and protocols, a tenth of
    /// them within another.
    Rules,
    /// Routes: destination prefixes.
    Routes,
}

/// Lookups in a round: the same for sets of all sizes, so that none profits from a short round
/// that the processor knows by heart.
const ROUND: usize = 32_768;

/// Comparisons with single rules that the check against a linear scan may take.
const CHECKS: usize = 20_000_000;

/// A set and packets that hit every rule of it and the default.
#[derive(Debug)]
pub struct Lookups {
    classifier: Classifier,
    rules: Vec<Rule>,
    packets: Vec<Fields>,
}

impl Lookups {
    /// Draws a set of `rules` rules and packets for it.
    #[must_use]
    pub fn new(set: Set, rules: usize) -> Self {
        let rules: Vec<Rule> = match set {
            Set::Rules => random_rules(rules, 1, Family::V4),
            Set::Routes => random_routes(rules, 1, Family::V4),
        };
        let mut packets = matching_fields(&rules, 2);
        while packets.len() < ROUND {
            packets.extend_from_within(..);
        }
        Self {
            classifier: Classifier::build(&rules),
            rules,
            packets,
        }
    }

    /// Compares what is found with a linear scan: for all packets, or as many as can be scanned in
    /// a moment.
    ///
    /// # Errors
    /// Where the classifier finds another rule than the scan.
    pub fn check(&self) -> Result<()> {
        for packet in self.packets.iter().take(CHECKS / self.rules.len().max(1)) {
            let found = self.classifier.lookup(packet);
            let expected = linear(&self.rules, packet);
            ensure!(
                found == expected,
                "found {found:?}, not {expected:?}, for {packet:?}"
            );
        }
        Ok(())
    }

    /// Looks up every packet.
    pub fn look_up(&self) {
        for packet in &self.packets {
            black_box(self.classifier.lookup(packet));
        }
    }
}

impl Rounds for Lookups {
    fn each(&self) -> u32 {
        u32::try_from(self.packets.len()).unwrap_or(u32::MAX)
    }

    fn round(&mut self) -> Result<[Duration; 2]> {
        Ok([clock::time(|| self.look_up()), Duration::ZERO])
    }
}
