//! Which rule of a set counts for a packet.
//!
//! [`Match::matches`](crate::program::Match::matches) says what a rule asks for, [`linear`] which of several counts,
//! and a [`Classifier`] finds that one without looking at all of them.

mod build;
mod cube;
mod cut;
mod entry;
mod forest;
mod matches;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use build::Ranked;
use cube::{Cube, Family, Point};
use entry::{V4Entry, V6Entry};
use forest::{Forest, NO_RANK, place};

use crate::fields::Fields;
use crate::program::{Match, Rule};

pub use matches::linear;

/// A rule set in the form in which it is searched.
///
/// A few search trees for each address family: a node picks a child by some bits of an address, a port or the
/// protocol; a leaf lists rules, best first, and compares each with the packet without a branch. Rules that would be
/// in most leaves of one tree get a tree of their own, told apart by another field. Memory is bounded by a small
/// multiple of the rules; rules that cannot be told apart within it are compared one by one.
///
/// Building is deterministic, and takes at most 2^31 rules.
#[derive(Clone, Debug)]
pub struct Classifier {
    v4: Forest<V4Entry>,
    v6: Forest<V6Entry>,
    /// Ranks of the rules that hold packets without an IP header.
    other: Vec<u32>,
    /// By rank.
    rules: Vec<Place>,
    /// What the rules ask for whose box does not say all.
    matches: Vec<Match>,
}

/// Where the rule of a rank is.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Its place in the rules as given.
    rule: u32,
    /// Its place in [`Classifier::matches`].
    matches: u32,
}

impl Classifier {
    /// Prepares these rules for searching.
    #[must_use]
    pub fn build(rules: &[Rule]) -> Self {
        let mut order: Vec<(u16, u32, &Match)> = rules
            .iter()
            .zip(0..)
            .map(|(rule, place)| (rule.priority, place, &rule.matches))
            .collect();
        order.sort_unstable_by_key(|(priority, place, _)| (*priority, *place));
        let (mut v4, mut v6, mut other) = (Vec::new(), Vec::new(), Vec::new());
        let mut places = Vec::with_capacity(rules.len());
        let mut partial = Vec::new();
        for ((_, rule, wanted), rank) in order.into_iter().zip(0..) {
            let exact = Cube::is_exact(wanted);
            let mut place = Place { rule, matches: 0 };
            let apart = may_hold_other(wanted);
            if apart || !exact {
                place.matches = u32::try_from(partial.len()).unwrap_or(u32::MAX);
                partial.push(wanted.clone());
            }
            if apart {
                other.push(rank);
            }
            let ranked = |cube| Ranked { cube, exact, rank };
            v4.extend(Cube::new(wanted, Family::V4).map(ranked));
            v6.extend(Cube::new(wanted, Family::V6).map(ranked));
            places.push(place);
        }
        Self {
            v4: Forest::build(&v4),
            v6: Forest::build(&v6),
            other,
            rules: places,
            matches: partial,
        }
    }

    /// The place, in the rules as given, of the rule that counts for the packet.
    #[inline]
    #[must_use]
    pub fn lookup(&self, fields: &Fields) -> Option<u32> {
        let accept = |rank| self.accepts(rank, fields);
        let rank = match Family::of(fields.ether_type) {
            Some(family @ Family::V4) => self.v4.search(&Point::new(fields, family), accept),
            Some(family @ Family::V6) => self.v6.search(&Point::new(fields, family), accept),
            None => self
                .other
                .iter()
                .copied()
                .find(|rank| accept(*rank))
                .unwrap_or(NO_RANK),
        };
        self.rules.get(place(rank)).map(|place| place.rule)
    }

    /// Whether the packet has all that the rule of this rank asks for.
    #[cold]
    fn accepts(&self, rank: u32, fields: &Fields) -> bool {
        let matches = self.rules[place(rank)].matches;
        self.matches[place(matches)].matches(fields)
    }

    /// Octets on the heap.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.v4.memory()
            + self.v6.memory()
            + size_of_val(self.other.as_slice())
            + size_of_val(self.rules.as_slice())
            + size_of_val(self.matches.as_slice())
    }
}

/// Whether a packet that is neither IP nor ARP can have all that is asked for.
fn may_hold_other(wanted: &Match) -> bool {
    wanted.src.is_none()
        && wanted.dst.is_none()
        && wanted.protocol.is_none()
        && wanted.src_port.is_none()
        && wanted.dst_port.is_none()
        && wanted.icmp_type.is_none()
        && wanted.icmp_code.is_none()
        && wanted.nd_target.is_none()
        && wanted
            .ether_type
            .is_none_or(|ether_type| Family::of(ether_type).is_none())
}
