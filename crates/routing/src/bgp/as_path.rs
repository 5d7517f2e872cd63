//! Which autonomous systems a route has passed.

use std::fmt;

use rackweave_types::Asn;
use serde::{Deserialize, Serialize};

/// What the numbers of a segment are to each other (RFC 4271, section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// In no order.
    Set,
    /// In the order in which they were passed, the last first.
    Sequence,
}

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// Set or sequence.
    pub kind: SegmentKind,
    /// Its numbers: at least one.
    pub asns: Vec<Asn>,
}

/// The autonomous systems that a route has passed, the last first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AsPath(pub Vec<Segment>);

impl AsPath {
    /// A path of one sequence.
    #[must_use]
    pub fn sequence(asns: impl IntoIterator<Item = Asn>) -> Self {
        let asns: Vec<Asn> = asns.into_iter().collect();
        let kind = SegmentKind::Sequence;
        let segment = (!asns.is_empty()).then_some(Segment { kind, asns });
        Self(segment.into_iter().collect())
    }

    /// How long it counts: "an `AS_SET` counts as 1, no matter how many ASes are in the set" (RFC 4271, section 9.1.2.2).
    #[must_use]
    pub fn hops(&self) -> usize {
        let count = |segment: &Segment| match segment.kind {
            SegmentKind::Set => 1,
            SegmentKind::Sequence => segment.asns.len(),
        };
        self.0.iter().map(count).sum()
    }

    /// All numbers in it.
    pub fn asns(&self) -> impl Iterator<Item = Asn> {
        self.0
            .iter()
            .flat_map(|segment| segment.asns.iter().copied())
    }

    /// Whether the system is in it.
    #[must_use]
    pub fn contains(&self, asn: Asn) -> bool {
        self.asns().any(|one| one == asn)
    }

    /// The system that it came from last.
    #[must_use]
    pub fn neighbor(&self) -> Option<Asn> {
        let first = self.0.first()?;
        first
            .asns
            .first()
            .copied()
            .filter(|_| first.kind == SegmentKind::Sequence)
    }

    /// The system that made it.
    #[must_use]
    pub fn origin(&self) -> Option<Asn> {
        let last = self.0.last()?;
        last.asns
            .last()
            .copied()
            .filter(|_| last.kind == SegmentKind::Sequence)
    }

    /// Puts a number in front, so many times.
    pub fn prepend(&mut self, asn: Asn, times: usize) {
        if times == 0 {
            return;
        }
        let front = std::iter::repeat_n(asn, times);
        match self.0.first_mut() {
            // A segment's count is one octet.
            Some(first)
                if first.kind == SegmentKind::Sequence && first.asns.len() + times <= 255 =>
            {
                first.asns.splice(..0, front);
            }
            _ => self.0.insert(
                0,
                Segment {
                    kind: SegmentKind::Sequence,
                    asns: front.collect(),
                },
            ),
        }
    }
}

impl fmt::Display for AsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for segment in &self.0 {
            let is_set = segment.kind == SegmentKind::Set;
            f.write_str(space)?;
            space = " ";
            let mut between = if is_set { "{" } else { "" };
            for asn in &segment.asns {
                write!(f, "{between}{asn}")?;
                between = if is_set { "," } else { " " };
            }
            if is_set {
                f.write_str("}")?;
            }
        }
        Ok(())
    }
}
