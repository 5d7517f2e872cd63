//! Which route is the best (RFC 4271, section 9.1.2.2), and why the others are not.
//!
//! Candidates are crossed out step by step. What is left after the last step that says anything of how good a route is can
//! be used together; the steps that follow choose the one that others are told of.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::table::{Path, Source};
use super::{Attributes, Origin};

/// What counts where nothing is said (as all implementations have it).
pub(super) const LOCAL_PREF: u32 = 100;
/// The most paths of a prefix that are compared.
pub(super) const MOST: usize = 64;

/// The step at which a route lost against the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Own routes come before configured ones, and these before what is heard.
    Source,
    /// The higher local preference.
    LocalPref,
    /// The fewer systems.
    AsPath,
    /// The better origin.
    Origin,
    /// The lower `MULTI_EXIT_DISC`, among routes of one neighbouring system.
    Med,
    /// Routes of other systems come before those of our own.
    External,
    /// The lower identifier of the speaker.
    RouterId,
    /// The lower address of the peer.
    Address,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "own and static routes come first",
            Self::LocalPref => "the best has a higher local preference",
            Self::AsPath => "the best has a shorter as path",
            Self::Origin => "the best has a better origin",
            Self::Med => "the best has a lower med",
            Self::External => "the best is of another system",
            Self::RouterId => "the best has a lower router id",
            Self::Address => "the best has a lower peer address",
        })
    }
}

/// What counts of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Whether its routes can be used: its session is up, or it is waited for.
    pub(super) usable: bool,
    pub(super) external: bool,
    pub(super) id: Ipv4Addr,
    pub(super) address: IpAddr,
}

/// A set of paths by index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexes(u64);

impl Indexes {
    fn insert(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    fn remove(&mut self, index: usize) {
        self.0 &= !(1 << index);
    }

    pub(super) const fn contains(self, index: usize) -> bool {
        index < MOST && self.0 & 1 << index != 0
    }

    fn has_many(self) -> bool {
        self.0.count_ones() > 1
    }

    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        (0..MOST).filter(move |index| self.contains(*index))
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// The best.
    pub(super) best: usize,
    /// Those that can be used together, the best with them.
    pub(super) equal: Indexes,
}

/// One that can be used.
struct Candidate<'a> {
    index: usize,
    source: Source,
    attributes: &'a Attributes,
    facts: Option<Facts>,
}

impl Candidate<'_> {
    /// What is compared at a step: the lower wins.
    fn rank(&self, step: Step) -> u64 {
        let it = self.attributes;
        match step {
            Step::Source => match self.source {
                Source::Local => 0,
                Source::Static => 1,
                Source::Peer(_) => 2,
            },
            Step::LocalPref => u64::from(u32::MAX - it.local_pref.unwrap_or(LOCAL_PREF)),
            Step::AsPath => u64::try_from(it.as_path.hops()).unwrap_or(u64::MAX),
            Step::Origin => match it.origin {
                Origin::Igp => 0,
                Origin::Egp => 1,
                Origin::Incomplete => 2,
            },
            // "routes which do not have the MULTI_EXIT_DISC attribute are considered to have the lowest possible".
            Step::Med => it.med.unwrap_or(0).into(),
            Step::External => self.facts.is_some_and(|facts| !facts.external).into(),
            Step::RouterId => {
                let id = it.originator.or(self.facts.map(|facts| facts.id));
                id.map_or(0, |id| u32::from(id).into())
            }
            Step::Address => 0,
        }
    }
}

/// Chooses. `facts` are those of a peer, nothing where it is gone; `lost` is told who loses at which step.
pub(super) fn decide(
    paths: &[Path],
    facts: impl Fn(Source) -> Option<Facts>,
    mut lost: impl FnMut(usize, Step),
) -> Option<Decision> {
    if let [only] = paths {
        candidate(0, only, &facts)?;
        let mut equal = Indexes::default();
        equal.insert(0);
        return Some(Decision { best: 0, equal });
    }
    let numbered = paths.iter().enumerate().take(MOST);
    let all: Vec<Candidate<'_>> = numbered
        .filter_map(|(index, path)| candidate(index, path, &facts))
        .collect();
    let first = all.first()?.index;
    let mut left = Indexes::default();
    for one in &all {
        left.insert(one.index);
    }
    let good = [
        Step::Source,
        Step::LocalPref,
        Step::AsPath,
        Step::Origin,
        Step::Med,
        Step::External,
    ];
    for step in good {
        cross_out(&all, &mut left, step, &mut lost);
    }
    let equal = left;
    for step in [Step::RouterId, Step::Address] {
        cross_out(&all, &mut left, step, &mut lost);
    }
    let best = left.iter().next().unwrap_or(first);
    Some(Decision { best, equal })
}

fn candidate<'a>(
    index: usize,
    path: &'a Path,
    facts: &impl Fn(Source) -> Option<Facts>,
) -> Option<Candidate<'a>> {
    let attributes = path.used.as_deref()?;
    let facts = facts(path.source);
    if matches!(path.source, Source::Peer(_)) && !facts?.usable {
        return None;
    }
    Some(Candidate {
        index,
        source: path.source,
        attributes,
        facts,
    })
}

fn cross_out(
    all: &[Candidate<'_>],
    left: &mut Indexes,
    step: Step,
    lost: &mut impl FnMut(usize, Step),
) {
    if !left.has_many() {
        return;
    }
    let before = *left;
    let still = || all.iter().filter(|one| before.contains(one.index));
    for one in still() {
        let beaten = match step {
            // Only routes of one neighbouring system are compared (section 9.1.2.2 (c)).
            Step::Med => still().any(|other| {
                other.attributes.as_path.neighbor() == one.attributes.as_path.neighbor()
                    && other.rank(step) < one.rank(step)
            }),
            Step::Address => {
                let address = |of: &Candidate<'_>| of.facts.map(|facts| facts.address);
                still().any(|other| (address(other), other.index) < (address(one), one.index))
            }
            _ => still().any(|other| other.rank(step) < one.rank(step)),
        };
        if beaten {
            left.remove(one.index);
            lost(one.index, step);
        }
    }
}
