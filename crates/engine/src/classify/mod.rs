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

use cube::{Cube, Family, Point};
use cut::Candidate;
use entry::{Tag, V4Entry, V6Entry};
use forest::{Forest, place};

use crate::fields::Fields;
use crate::program::{Match, Rule};

pub use matches::linear;

/// A rule set in the form in which it is searched.
///
/// A few search trees for each address family: a node picks a child by some bits of an address, a port or the
/// protocol; a leaf lists rules, best first, which are compared with the packet. Rules that would be
/// in most leaves of one tree get a tree of their own, told apart by another field. Memory is bounded by a small
/// multiple of the rules; rules that cannot be told apart within it are compared one by one.
///
/// Building is deterministic, and takes fewer than 2^30 rules.
#[derive(Clone, Debug)]
pub struct Classifier {
    v4: Forest<V4Entry>,
    v6: Forest<V6Entry>,
    /// Rules whose box does not say all that they ask for, and those that hold packets without an IP header.
    asking: Vec<Asking>,
    /// Places in `asking` of the latter, in the order of their rank.
    other: Vec<u32>,
}

/// A rule that is asked itself.
#[derive(Clone, Debug)]
struct Asking {
    /// Its place in the rules as given.
    rule: u32,
    matches: Match,
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
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        let (mut asking, mut other) = (Vec::new(), Vec::new());
        for ((_, rule, wanted), rank) in order.into_iter().zip(0..Tag::RANKS) {
            let exact = Cube::is_exact(wanted);
            let place = u32::try_from(asking.len()).unwrap_or(u32::MAX);
            let apart = may_hold_other(wanted);
            if apart {
                other.push(place);
            }
            if apart || !exact {
                asking.push(Asking {
                    rule,
                    matches: wanted.clone(),
                });
            }
            let tag = Tag::new(rank, if exact { rule } else { place }, exact);
            let candidate = |cube| Candidate { cube, tag };
            v4.extend(Cube::new(wanted, Family::V4).map(candidate));
            v6.extend(Cube::new(wanted, Family::V6).map(candidate));
        }
        asking.shrink_to_fit();
        Self {
            v4: Forest::build(&v4),
            v6: Forest::build(&v6),
            asking,
            other,
        }
    }

    /// The place, in the rules as given, of the rule that counts for the packet.
    #[inline]
    #[must_use]
    pub fn lookup(&self, fields: &Fields) -> Option<u32> {
        let accept = |place| self.ask(place, |matches| matches.matches_rest(fields));
        match Family::of(fields.ether_type) {
            Some(family @ Family::V4) => self.v4.search(&Point::new(fields, family), accept).rule(),
            Some(family @ Family::V6) => self.v6.search(&Point::new(fields, family), accept).rule(),
            None => {
                let asked = |place| self.ask(place, |matches| matches.matches(fields));
                self.other.iter().copied().find_map(asked)
            }
        }
    }

    /// The rule at this place in `asking`, if what it asks for is there.
    #[inline]
    fn ask(&self, at: u32, has: impl Fn(&Match) -> bool) -> Option<u32> {
        let Asking { rule, matches } = &self.asking[place(at)];
        has(matches).then_some(*rule)
    }

    /// Octets on the heap.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.v4.memory()
            + self.v6.memory()
            + size_of_val(self.other.as_slice())
            + size_of_val(self.asking.as_slice())
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
