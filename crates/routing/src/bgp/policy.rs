//! What is let in and out, and how it is changed on the way.
//!
//! A [`Policy`] is a list of rules in order. The first rule that matches and does not say `next` decides; what a rule sets
//! holds for what comes after it. Judging a route neither allocates nor copies unless something is set.

mod prefix_list;

use ipnet::IpNet;
use rackweave_types::Asn;
use serde::{Deserialize, Serialize};

pub use prefix_list::{ParsePrefixRangeError, PrefixList, PrefixRange};

use super::{Attributes, Community, Family, LargeCommunity, Origin};

/// What a rule says of what it matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is let through.
    Accept,
    /// It is not.
    #[default]
    Reject,
    /// The rules that follow say.
    Next,
}

/// Rules in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The rules.
    pub rules: Vec<Rule>,
    /// What holds for what no rule decides: `accept`, else it is rejected.
    pub otherwise: Verdict,
}

/// A rule: what it matches, what it says, and what it sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it matches: what meets all that is said; where nothing is said, everything.
    #[serde(rename = "if")]
    pub when: Match,
    /// What it says.
    pub then: Verdict,
    /// What it sets, unless it rejects.
    #[serde(rename = "set", skip_serializing_if = "Set::is_empty")]
    pub set: Set,
}

/// What a rule matches. Lists match what meets one of their members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// Prefixes of this family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// These prefixes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefixes: Option<PrefixList>,
    /// Routes with one of these marks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<Community>,
    /// Routes with one of these large marks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub large_communities: Vec<LargeCommunity>,
    /// Routes that passed one of these systems.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub as_path_has: Vec<Asn>,
    /// Routes that one of these systems made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origin_as: Vec<Asn>,
    /// Routes that came from one of these systems last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub neighbor_as: Vec<Asn>,
    /// Routes that passed at least so many systems.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_path_min: Option<usize>,
    /// Routes that passed at most so many systems.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_path_max: Option<usize>,
    /// Routes of this origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// What a rule sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Set {
    /// How it is preferred inside the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_pref: Option<u32>,
    /// Which of several links is preferred.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub med: Option<u32>,
    /// Where it is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// How many times our own system stands in front, beside the once that others are told anyway.
    #[serde(skip_serializing_if = "is_zero")]
    pub prepend: u8,
    /// Marks that go. They go before others come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove_communities: Vec<Community>,
    /// Whether all marks go.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub remove_all_communities: bool,
    /// Marks that come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add_communities: Vec<Community>,
    /// Large marks that go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove_large_communities: Vec<LargeCommunity>,
    /// Large marks that come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add_large_communities: Vec<LargeCommunity>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
const fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// What a policy says of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether it is let through.
    pub accepted: bool,
    /// The rule that said so; none where the end of the list did.
    pub rule: Option<usize>,
    /// The rules whose settings hold, in order.
    pub set: Vec<usize>,
}

impl Policy {
    /// Lets everything through as it is.
    #[must_use]
    pub const fn accept_all() -> Self {
        Self {
            rules: Vec::new(),
            otherwise: Verdict::Accept,
        }
    }

    /// Whether it lets nothing through, whatever it is.
    #[must_use]
    pub fn rejects_all(&self) -> bool {
        let accepts = self.rules.iter().any(|rule| rule.then == Verdict::Accept);
        !accepts && self.otherwise != Verdict::Accept
    }

    /// What it says of a route.
    #[must_use]
    pub fn judge(&self, prefix: IpNet, attributes: &Attributes) -> Judgement {
        let mut set = Vec::new();
        // Rules look at what came, not at what the rules before them set: the order of settings is the order of rules.
        for (index, rule) in self.rules.iter().enumerate() {
            if !rule.when.meets(prefix, attributes) {
                continue;
            }
            if rule.then != Verdict::Reject && !rule.set.is_empty() {
                set.push(index);
            }
            if rule.then != Verdict::Next {
                return Judgement {
                    accepted: rule.then == Verdict::Accept,
                    rule: Some(index),
                    set,
                };
            }
        }
        Judgement {
            accepted: self.otherwise == Verdict::Accept,
            rule: None,
            set,
        }
    }

    /// Sets what a judgement says is to be set.
    pub fn apply(&self, set: &[usize], own: Asn, attributes: &mut Attributes) {
        for rule in set.iter().filter_map(|index| self.rules.get(*index)) {
            rule.set.apply(own, attributes);
        }
    }

    /// How people call a rule.
    #[must_use]
    pub fn name(&self, rule: Option<usize>) -> String {
        let Some(index) = rule else {
            return "no rule matches".to_owned();
        };
        match self.rules.get(index).and_then(|rule| rule.name.as_ref()) {
            Some(name) => format!("rule `{name}`"),
            None => format!("rule {}", index + 1),
        }
    }
}

impl Match {
    fn meets(&self, prefix: IpNet, attributes: &Attributes) -> bool {
        let path = &attributes.as_path;
        let any = |list: &[Asn], found: &dyn Fn(Asn) -> bool| {
            list.is_empty() || list.iter().any(|asn| found(*asn))
        };
        self.family
            .is_none_or(|family| family == Family::of(prefix))
            && self.prefixes.as_ref().is_none_or(|list| list.has(prefix))
            && self.origin.is_none_or(|origin| origin == attributes.origin)
            && meet(&self.communities, &attributes.communities)
            && meet(&self.large_communities, &attributes.large_communities)
            && any(&self.as_path_has, &|asn| path.contains(asn))
            && any(&self.origin_as, &|asn| path.origin() == Some(asn))
            && any(&self.neighbor_as, &|asn| path.neighbor() == Some(asn))
            && self.as_path_min.is_none_or(|least| path.hops() >= least)
            && self.as_path_max.is_none_or(|most| path.hops() <= most)
    }
}

fn meet<T: PartialEq>(wanted: &[T], there: &[T]) -> bool {
    wanted.is_empty() || wanted.iter().any(|one| there.contains(one))
}

impl Set {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn apply(&self, own: Asn, attributes: &mut Attributes) {
        attributes.local_pref = self.local_pref.or(attributes.local_pref);
        attributes.med = self.med.or(attributes.med);
        attributes.origin = self.origin.unwrap_or(attributes.origin);
        attributes.as_path.prepend(own, self.prepend.into());
        if self.remove_all_communities {
            attributes.communities.clear();
            attributes.large_communities.clear();
        }
        let Attributes {
            communities,
            large_communities,
            ..
        } = attributes;
        change(communities, &self.remove_communities, &self.add_communities);
        change(
            large_communities,
            &self.remove_large_communities,
            &self.add_large_communities,
        );
    }
}

fn change<T: Ord + Copy>(marks: &mut Vec<T>, remove: &[T], add: &[T]) {
    marks.retain(|mark| !remove.contains(mark));
    marks.extend_from_slice(add);
    marks.sort_unstable();
    marks.dedup();
}
